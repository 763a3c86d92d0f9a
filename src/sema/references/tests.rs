//! Every name of a program with what it means.

use super::{References, Target};
use crate::source::SourceMap;
use crate::syntax::parse;

const PROGRAM: &str = r#"
use "encoders.mtl"
const domains = [books, dvd]
const width = 64
def encoder(w, depth: 1) = embed(w) |> bilstm(w, layers: depth)
layer reader(x, y): [T, width] -> [T, D] = both |> mlp([width], relu) { let both = concat(x, y) }
for d in domains {
  /// Reviews.
  data reviews[d] {
    format: lines  train: "{d}/train"
    field body: text(lower: true) from "{d}.txt"
    field seen: text = "<{d}> {body}"
    field tags: tags(body)
    field stars: class
  }
  let h[d] = reader(x: reviews[d].body |> encoder(width, depth: 2), y: reviews[d].seen |> encoder(8))
  task stars[d]: classify(reviews[d].stars) = h[d] |> mean_pool { metric: macro_f1 }
}
task tags: tag(reviews[books].tags) = concat(h[books], stars[books].label(gold: 50%)) { head: crf }
task again: tag(reviews[books].tags) = tags(h[books]).hidden { head: tags }
for t in [tags, again] { metric best[t] = mean(t.accuracy, stars.macro_f1) }
train {
  sample: ratio(tags: 2, stars: 1)  optimizer: adam(lr: 1e-3)  schedule: linear(warmup: 10%)
  select: min(best, tags.accuracy)
  stage first { tasks: [tags]  freeze: [reader.mlp, stars] }
  for d in domains { stage rest[d] { after: first  tasks: [stars[d]] } }
}
"#;

fn references(text: &str) -> (References, String) {
    let mut sources = SourceMap::new();
    let file = sources.add("here/a.mtl", text);
    let parse = parse(file, text);
    assert!(parse.diagnostics.is_empty(), "{:#?}", parse.diagnostics);
    let found = References::of(&[parse], &sources);
    let mut shown = String::new();
    for u in &found.uses {
        let target = match &u.target {
            Target::Defs(defs) => {
                let names = defs.iter().map(|d| found.def(*d));
                names
                    .map(|d| format!("{:?} {} at {}", d.kind, d.name, sources.place(file, d.span.start).line))
                    .collect()
            }
            Target::Signature(s) => vec![format!("signature {}", s.name)],
            Target::Argument(s, a) => vec![format!("argument {} of {}", a.name, s.name)],
            Target::Metric => vec!["metric".into()],
            Target::Word => vec!["word".into()],
            Target::File(path) => vec![format!("file {}", path.display())],
        };
        let place = sources.place(file, u.span.start);
        let spelled = if u.spelled { ", spelled" } else { "" };
        let text = sources.text(u.span);
        shown += &format!("{}:{} {text} -> {}{spelled}\n", place.line, place.column, target.join(" | "));
    }
    (found, shown)
}

#[test]
fn every_name_has_its_meaning() {
    insta::assert_snapshot!(references(PROGRAM).1);
}

#[test]
fn declarations_with_a_common_use_belong_together() {
    let text = "data a { format: lines  train: \"a\"  field x: text }\n\
                data b { format: lines  train: \"b\"  field x: text }\n\
                data c { format: lines  train: \"c\"  field x: text }\n\
                for d in [a, b] { let h[d] = d.x }\nlet k = c.x\n";
    let (found, _) = references(text);
    let fields: Vec<_> = found.all().filter(|(_, d)| d.name == "x").map(|(id, _)| id).collect();
    assert_eq!(found.together(&fields[..1]), fields[..2]);
    assert_eq!(found.together(&fields[2..]), fields[2..]);
}

#[test]
fn a_file_with_errors_still_has_its_names() {
    let text = "layer a = embed(8)\nlet h = = a\nlayer b = a |> dropout(0.1)\n";
    let mut sources = SourceMap::new();
    let file = sources.add("a.mtl", text);
    let found = References::of(&[parse(file, text)], &sources);
    let a = found.def_at(file, 6).expect("a declaration");
    assert_eq!(found.uses_of(a).count(), 1);
    assert_eq!(found.defs_at(file, text.rfind("a |>").unwrap() as u32 + 1), [a]);
}
