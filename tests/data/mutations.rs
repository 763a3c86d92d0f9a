//! Damaged files give diagnostics, never a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::support::*;
use mtlc::data::spec::*;
use mtlc::data::{BatchSize, Portion, prepare};

/// A small generator: the tests must not depend on anything else.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % n.max(1)
    }

    fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..1 + self.roll(4) {
            let at = self.roll(bytes.len());
            match self.roll(6) {
                0 => bytes.insert(at, self.roll(256) as u8),
                1 if !bytes.is_empty() => drop(bytes.remove(at)),
                2 => bytes.truncate(at),
                3 => bytes.insert(at, b"\n\t ,\"{}[]:0919-_#"[self.roll(17)]),
                4 => {
                    let piece = bytes[at..(at + self.roll(20)).min(bytes.len())].to_vec();
                    bytes.extend(piece);
                }
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = self.roll(256) as u8;
                    }
                }
            }
        }
    }
}

fn cases() -> Vec<(DataSpec, Vec<u8>)> {
    let json = data(Format::Jsonl, "f")
        .field("x", text(), "x")
        .field("p", texts(), "p")
        .field("s", FieldType::Spans("x".into()), "s")
        .field("r", FieldType::Relations("s".into()), "r")
        .field("t", FieldType::Tree("x".into()), "t")
        .field("k", FieldType::Clusters("x".into()), "k")
        .field("c", FieldType::Choice("p".into()), "c")
        .field("a", FieldType::Span("p".into()), "a.b")
        .field("g", FieldType::Ranking("p".into()), "g")
        .field("n", FieldType::Number, "n")
        .field("v", FieldType::Vector(2), "v");
    let line = r#"{"x":["a","b","c"],"p":["d e","f"],"s":[{"start":0,"end":2,"type":"T"}],"r":[{"head":0,"tail":0,"type":"R"}],"t":[{"head":2,"label":"l"},{"head":0,"label":"r"},{"head":2,"label":"l"}],"k":[[[0,1],[2,3]]],"c":1,"a":{"b":{"member":0,"start":0,"end":2}},"g":[1,2],"n":2.5,"v":[1,2]}"#;
    let conll = data(Format::Conll, "f")
        .field("x", text(), "0")
        .field("t", FieldType::Tags("x".into()), "1")
        .field("s", FieldType::Spans("x".into()), "1")
        .field("i", FieldType::Class, "# i");
    let ud = data(Format::Conllu, "f")
        .field("x", text(), "form")
        .field("t", FieldType::Tags("x".into()), "upos")
        .field("a", FieldType::Tree("x".into()), "head|deprel");
    let row = "1\ta\ta\tN\t_\t_\t2\tx\t_\t_\n2\tb\tb\tV\t_\t_\t0\troot\t_\t_\n\n";
    let table = |format| {
        data(format, "f").field("x", text(), "x").field("n", FieldType::Number, "n").field(
            "l",
            FieldType::Labels { separator: "#".into() },
            "l",
        )
    };
    let lines = data(Format::Lines, "f").field("x", text(), "in").field("t", FieldType::Tags("x".into()), "in");
    vec![
        (json, format!("{line}\n{line}\n").into_bytes()),
        (conll, b"# i = z\na B-x\nb I-x\n\nc O\n".to_vec()),
        (ud, row.repeat(2).into_bytes()),
        (table(Format::Tsv), b"x\tn\tl\na b\t1\tp#q\nc\t2\tp\n".to_vec()),
        (table(csv(',')), b"x,n,l\n\"a, b\",1,p#q\nc,2,p\n".to_vec()),
        (data(Format::Text, "f").field("x", text(), ""), b"a b\nc\n".to_vec()),
        (data(Format::Text, "f").field("x", text(), ""), gzip("a b\nc\n")),
        (lines, b"a b\nc d\n".to_vec()),
    ]
}

#[test]
fn damaged_files_never_panic() {
    let mut dice = Dice(7);
    let files = Files::new();
    std::fs::create_dir(files.path().join("lines")).unwrap();
    let (mut sound, mut broken) = (0, 0);
    for (mut spec, content) in cases() {
        for round in 0..250 {
            let mut bytes = content.clone();
            dice.damage(&mut bytes);
            spec.skip_malformed = round % 3 == 0;
            let lines = matches!(spec.format, Format::Lines);
            std::fs::write(files.path().join(if lines { "f.in" } else { "f" }), &bytes).unwrap();
            let run = || {
                let mut corpus = if round % 2 == 0 {
                    load(&[spec.clone()], files.path())
                } else {
                    load_indexed(&[spec.clone()], files.path())
                }?;
                let with_labels = spec.fields.iter().filter(|f| f.ty.has_labels());
                let spaces: Vec<_> = with_labels.map(|f| space(&[("d", &f.name)])).collect();
                prepare(&mut corpus, &spaces, &[words_of("d", "x")], files.path())?;
                let d = &corpus.datasets[0];
                for batch in d.epoch_batches(Portion::Train, BatchSize::Examples(2), 1, 1) {
                    d.batch(Portion::Train, &batch).map_err(|e| vec![e])?;
                }
                Ok(())
            };
            let result = catch_unwind(AssertUnwindSafe(run));
            match result {
                Ok(Ok(())) => sound += 1,
                Ok(Err(found)) => {
                    let found: Vec<mtlc::diagnostics::Diagnostic> = found;
                    assert!(found.iter().any(|d| d.is_error()));
                    assert!(
                        found.iter().all(|d| !d.message.is_empty() && !d.message.ends_with('.')),
                        "{:?}",
                        found[0].message
                    );
                    broken += 1;
                }
                Err(_) => panic!("{:?} on {}", spec.format, String::from_utf8_lossy(&bytes)),
            }
        }
    }
    assert!(sound > 100 && broken > 100, "{sound} {broken}");
}
