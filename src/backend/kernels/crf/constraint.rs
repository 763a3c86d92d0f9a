//! Which labels may follow which, read from their names.

/// Sequences of labels that are well formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    /// Whether a sequence may begin with each label.
    pub start: Vec<bool>,
    /// Whether it may end with each label.
    pub end: Vec<bool>,
    /// Whether the second may follow the first, `[C, C]`.
    pub next: Vec<bool>,
    /// The labels that may not follow each other label, with those that they may follow.
    pub(super) bound: Vec<(u32, Vec<u32>)>,
}

/// What a label says of its place in a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Outside,
    /// `B-`
    Begin,
    /// `I-` or `M-`
    Inside,
    /// `E-` or `L-`
    End,
    /// `S-`, `U-` or `W-`
    Single,
}

impl Part {
    fn leaves_open(self) -> bool {
        matches!(self, Part::Begin | Part::Inside)
    }

    fn continues(self) -> bool {
        matches!(self, Part::Inside | Part::End)
    }
}

fn parse(label: &str) -> Option<(Part, &str)> {
    if label == "O" {
        return Some((Part::Outside, ""));
    }
    let (prefix, kind) = label.split_once(['-', '_']).unwrap_or((label, ""));
    let part = match prefix {
        "B" => Part::Begin,
        "I" | "M" => Part::Inside,
        "E" | "L" => Part::End,
        "S" | "U" | "W" => Part::Single,
        _ => return None,
    };
    Some((part, kind))
}

impl Constraint {
    /// The rules of labels in BIO (Ramshaw & Marcus 1995) or in BIOES, IOBES or BILOU form, where
    /// all labels are `O` or a prefix and a kind, as `B-PER`. `I-X` and `E-X` stand only after
    /// `B-X` or `I-X`; where there is an `E-X`, these two must be followed by `I-X` or `E-X`.
    /// None where a label is of another form or none is a `B-`.
    pub fn bio(labels: &[String]) -> Option<Constraint> {
        let parts: Vec<(Part, &str)> = labels.iter().map(|l| parse(l)).collect::<Option<_>>()?;
        if !parts.iter().any(|(part, _)| *part == Part::Begin) {
            return None;
        }
        // `I-X` of a kind without `B-X` may stand anywhere, a kind without `E-X` end anywhere.
        let needs_begin = |(part, kind): &(Part, &str)| part.continues() && parts.contains(&(Part::Begin, *kind));
        let needs_end = |(part, kind): &(Part, &str)| part.leaves_open() && parts.contains(&(Part::End, *kind));
        let follows = |a: &(Part, &str), b: &(Part, &str)| {
            if a.1 == b.1 && a.0.leaves_open() && b.0.continues() {
                return true;
            }
            !needs_end(a) && !needs_begin(b)
        };
        let start = parts.iter().map(|b| !needs_begin(b)).collect();
        let end = parts.iter().map(|a| !needs_end(a)).collect();
        Some(Self::new(start, end, parts.iter().flat_map(|a| parts.iter().map(move |b| follows(a, b))).collect()))
    }

    /// Which labels may begin and end, and `[C, C]` whether the second may follow the first.
    pub fn new(start: Vec<bool>, end: Vec<bool>, next: Vec<bool>) -> Self {
        let count = start.len() as u32;
        let before = |j: u32| (0..count).filter(|i| next[(i * count + j) as usize]).collect::<Vec<u32>>();
        let lists = (0..count).map(|j| (j, before(j)));
        let bound = lists.filter(|(_, before)| before.len() < count as usize).collect();
        Self { start, end, next, bound }
    }

    /// Whether `labels` are well formed.
    pub fn allows(&self, labels: &[u32]) -> bool {
        let (Some(first), Some(last)) = (labels.first(), labels.last()) else { return true };
        let pairs = labels.windows(2).all(|y| self.next[y[0] as usize * self.start.len() + y[1] as usize]);
        self.start[*first as usize] && self.end[*last as usize] && pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(labels: &str, sequences: &[(&str, bool)]) {
        let labels: Vec<String> = labels.split(' ').map(str::to_string).collect();
        let constraint = Constraint::bio(&labels).unwrap();
        for (sequence, expected) in sequences {
            let ids: Vec<u32> =
                sequence.split(' ').map(|l| labels.iter().position(|x| x == l).unwrap() as u32).collect();
            assert_eq!(constraint.allows(&ids), *expected, "{sequence}");
        }
        assert!(constraint.allows(&[]));
    }

    #[test]
    fn bio() {
        let sequences = [
            ("O B-X I-X I-X O", true),
            ("B-X B-X B-Y I-Y", true),
            ("I-X", false),
            ("O I-X", false),
            ("B-X I-Y", false),
            ("B-X O I-X", false),
            ("I-Z O I-Z I-Z", true),
            ("B-X I-Z", true),
            ("I-Z I-X", false),
        ];
        allowed("O B-X I-X B-Y I-Y I-Z", &sequences);
    }

    #[test]
    fn with_ends() {
        let sequences = [
            ("O B-X I-X E-X O S-X", true),
            ("B-X E-X B-Y I-Y", true),
            ("B-X O", false),
            ("B-X", false),
            ("O I-X", false),
            ("E-X", false),
            ("B-X S-X", false),
            ("B-X E-X I-X", false),
            ("I-Y O", false),
            ("B-Y O", true),
        ];
        allowed("O B-X I-X E-X S-X B-Y I-Y", &sequences);
        allowed("O B-X L-X U-X", &[("B-X L-X U-X", true), ("U-X L-X", false)]);
        allowed("B I O", &[("B I O B", true), ("O I", false)]);
    }

    #[test]
    fn other_labels() {
        let bio = |labels: &[&str]| Constraint::bio(&labels.iter().map(|l| l.to_string()).collect::<Vec<_>>());
        assert_eq!(bio(&["NOUN", "VERB"]), None);
        assert_eq!(bio(&["O", "I-X"]), None);
        assert_eq!(bio(&["O", "B-X", "NN"]), None);
        assert_eq!(bio(&[]), None);
    }
}
