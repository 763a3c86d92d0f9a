//! Types: which examples a value belongs to, its other axes by name, and its width.

use litemap::LiteMap;
use std::fmt;
use std::rc::Rc;

/// Index of a data set (each member of a family is one).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DataId(pub usize);

/// Index of a label space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpaceId(pub usize);

/// Index of a vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VocabId(pub usize);

/// Index of a pretrained encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EncoderId(pub usize);

/// Whose examples a value has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Example {
    /// None: a value of parameters alone, such as `l2(layer)`.
    Free,
    /// A data set's.
    Data(DataId, Rc<str>),
    /// Those of all members of a family, in batches from one member at a time.
    Union(Rc<[DataId]>, Rc<str>),
}

impl Example {
    /// How the language writes it.
    pub fn name(&self) -> &str {
        match self {
            Example::Free => "",
            Example::Data(_, name) | Example::Union(_, name) => name,
        }
    }

    /// The data sets whose batches have such examples.
    pub fn members(&self) -> &[DataId] {
        match self {
            Example::Free => &[],
            Example::Data(id, _) => std::slice::from_ref(id),
            Example::Union(ids, _) => ids,
        }
    }
}

/// The places of a value: its examples and the axes below them, from the outermost in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct On {
    /// Whose examples.
    pub example: Example,
    /// Names of fields, such as `utterance`, or `passages`, `passages.tokens`.
    pub axes: Rc<[Rc<str>]>,
}

impl On {
    /// No examples, no axes.
    pub fn free() -> Self {
        Self::of(Example::Free)
    }

    /// These examples alone.
    pub fn of(example: Example) -> Self {
        Self { example, axes: Rc::default() }
    }

    /// The examples alone.
    pub fn examples(&self) -> Self {
        Self::of(self.example.clone())
    }

    /// Without the innermost axis.
    pub fn outer(&self) -> Self {
        let above = self.axes.split_last().map_or(&[][..], |(_, above)| above);
        Self { example: self.example.clone(), axes: above.into() }
    }

    /// The innermost axis.
    pub fn inner(&self) -> Option<&Rc<str>> {
        self.axes.last()
    }
}

/// Something that is known once data is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Symbol {
    /// The number of labels of a space.
    Space(SpaceId),
    /// The number of rows of a vocabulary.
    Vocab(VocabId),
    /// The width of a pretrained encoder that is not at hand.
    Encoder(EncoderId),
}

/// A width: a number plus symbols, each some times.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Width {
    /// The part that is a number.
    pub fixed: usize,
    /// The symbols in it, and how often.
    pub symbols: LiteMap<Symbol, usize>,
}

impl From<usize> for Width {
    fn from(fixed: usize) -> Self {
        Self { fixed, symbols: LiteMap::new() }
    }
}

impl From<SpaceId> for Width {
    fn from(space: SpaceId) -> Self {
        Self { fixed: 0, symbols: LiteMap::from_iter([(Symbol::Space(space), 1)]) }
    }
}

impl From<VocabId> for Width {
    fn from(vocab: VocabId) -> Self {
        Self { fixed: 0, symbols: LiteMap::from_iter([(Symbol::Vocab(vocab), 1)]) }
    }
}

impl From<EncoderId> for Width {
    fn from(encoder: EncoderId) -> Self {
        Self { fixed: 0, symbols: LiteMap::from_iter([(Symbol::Encoder(encoder), 1)]) }
    }
}

impl Width {
    /// Width of values end to end.
    pub fn plus(&self, other: &Width) -> Width {
        let mut sum = self.clone();
        sum.fixed += other.fixed;
        for (symbol, times) in &other.symbols {
            *sum.symbols.entry(*symbol).or_default() += times;
        }
        sum
    }

    /// `n` times as wide.
    pub fn times(&self, n: usize) -> Width {
        let symbols = self.symbols.iter().map(|(s, k)| (*s, k * n)).collect();
        Width { fixed: self.fixed * n, symbols }
    }

    /// The number, when no symbol is in it.
    pub fn known(&self) -> Option<usize> {
        self.symbols.is_empty().then_some(self.fixed)
    }

    /// The number, once `of` tells each symbol's.
    pub fn resolve(&self, of: &dyn Fn(Symbol) -> usize) -> usize {
        self.fixed + self.symbols.iter().map(|(s, k)| of(*s) * k).sum::<usize>()
    }
}

/// What a field's gold is, for tasks that read no plain label or number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum GoldKind {
    Labels,
    Span,
    Spans,
    Relations,
    Tree,
    Clusters,
    Choice,
    Ranking,
    Text,
}

impl GoldKind {
    /// The word of the field type.
    pub fn word(self) -> &'static str {
        match self {
            GoldKind::Labels => "labels",
            GoldKind::Span => "span",
            GoldKind::Spans => "spans",
            GoldKind::Relations => "relations",
            GoldKind::Tree => "tree",
            GoldKind::Clusters => "clusters",
            GoldKind::Choice => "choice",
            GoldKind::Ranking => "ranking",
            GoldKind::Text => "text",
        }
    }
}

/// The type of a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ty {
    /// Something was reported about it; nothing more is to be said.
    Error,
    /// Words.
    Tokens(On),
    /// Vectors of a width.
    Vector(On, Width),
    /// A label for each place.
    Label(On, SpaceId),
    /// Gold of a richer kind, with its label space where it has one.
    Gold(On, GoldKind, Option<SpaceId>),
    /// One number.
    Scalar,
}

impl Ty {
    /// The places, unless it has none.
    pub fn on(&self) -> Option<&On> {
        match self {
            Ty::Tokens(on) | Ty::Vector(on, _) | Ty::Label(on, _) | Ty::Gold(on, ..) => Some(on),
            Ty::Scalar | Ty::Error => None,
        }
    }

    /// What it is, in a few words.
    pub fn noun(&self) -> &'static str {
        match self {
            Ty::Error => "unknown",
            Ty::Tokens(_) => "text",
            Ty::Vector(..) => "vectors",
            Ty::Label(on, _) if on.axes.is_empty() => "a class",
            Ty::Label(..) => "tags",
            Ty::Gold(_, kind, _) => kind.word(),
            Ty::Scalar => "a number",
        }
    }
}

/// Writes types as the language page does; `names` gives symbols their names.
pub struct Shown<'a> {
    /// The type.
    pub ty: &'a Ty,
    /// `|atis.intent|` for a symbol.
    pub names: &'a dyn Fn(Symbol) -> String,
}

/// A width as text.
pub fn show_width(width: &Width, names: &dyn Fn(Symbol) -> String) -> String {
    let mut parts: Vec<String> = Vec::new();
    if width.fixed > 0 || width.symbols.is_empty() {
        parts.push(width.fixed.to_string());
    }
    for (symbol, times) in &width.symbols {
        let name = names(*symbol);
        parts.push(if *times == 1 { name } else { format!("{times} * {name}") });
    }
    parts.join(" + ")
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(on) = self.ty.on() else {
            return f.write_str(if *self.ty == Ty::Scalar { "number" } else { "unknown" });
        };
        let mut dims: Vec<String> = on.axes.iter().map(|a| a.to_string()).collect();
        match self.ty {
            Ty::Vector(_, width) => dims.push(show_width(width, self.names)),
            Ty::Label(_, space) | Ty::Gold(_, _, Some(space)) => {
                dims.push(format!("label {}", (self.names)(Symbol::Space(*space))));
            }
            _ => {}
        }
        let name = on.example.name();
        if dims.is_empty() { write!(f, "{name}") } else { write!(f, "{name}[{}]", dims.join(", ")) }
    }
}
