//! `--set` gives a const another value of the same type.

use std::path::Path;

use mtlc::driver::check::{Checked, Settings, check};
use mtlc::source::Loader;

const PROGRAM: &str = "const width = 8
const rate = 0.1
const less = -1
const share = 10%
const crisp = true
const file = \"t\"
const act = relu
const widths = [4, 4]
const twice = width * 2
data d {
  format: lines
  train: file
  field words: text  from \"w\"
  field label: class from \"l\"
}
let h = d.words |> embed(width) |> dropout(share) |> mlp(widths, act)
task label: classify(d.label) = h |> linear(twice) |> mean_pool { weight: rate  vote: crisp }
task more:  classify(d.label) = h |> mean_pool { weight: less }
";

struct Memory;

impl Loader for Memory {
    fn load(&self, _: &Path) -> std::io::Result<String> {
        Ok(PROGRAM.to_owned())
    }
}

fn with(values: &[&str]) -> Checked {
    let values: Vec<String> = values.iter().map(|v| v.to_string()).collect();
    check(Path::new("a.mtl"), &Memory, &Settings::parse(&values).unwrap())
}

#[test]
fn values_of_the_same_type_are_taken() {
    for value in [
        "width=16",
        "rate=1",
        "rate=2e-3",
        "less=-3",
        "share=20%",
        "share=0.2",
        "crisp=false",
        "file=u",
        "act=tanh",
        "widths=[8]",
    ] {
        let checked = with(&[value]);
        assert!(checked.diagnostics.is_empty(), "{value}: {:#?}", checked.diagnostics);
    }
    let wide = with(&["width=16"]).model.unwrap();
    assert!(wide.graph_text().contains("32]"), "{}", wide.graph_text());
    assert_eq!(with(&["less=-3"]).model.unwrap().tasks[1].weight, -3.0);
}

#[test]
fn others_are_refused_with_the_place_of_the_const() {
    let wrong = [
        ("width=wide", "8", "is a whole number"),
        ("width=1.5", "8", "is a whole number"),
        ("less=low", "-1", "is a whole number"),
        ("rate=x", "0.1", "is a number"),
        ("share=x%", "10%", "is a percentage"),
        ("crisp=maybe", "true", "is `true` or `false`"),
        ("widths=3", "[4, 4]", "is a list"),
        ("twice=3", "width * 2", "is made from other consts"),
    ];
    for (value, at, says) in wrong {
        let checked = with(&[value]);
        let [d] = &checked.diagnostics[..] else { panic!("{value}: {:#?}", checked.diagnostics) };
        assert_eq!(d.code.0, "E0909", "{value}");
        assert_eq!(checked.sources.text(d.span.unwrap()), at, "{value}");
        assert!(d.message.contains(says), "{value}: {}", d.message);
    }
}

#[test]
fn a_value_out_of_range_is_reported_where_it_is_used() {
    let checked = with(&["width=0"]);
    let told: Vec<_> = checked.diagnostics.iter().map(|d| (d.code.0, checked.sources.text(d.span.unwrap()))).collect();
    assert_eq!(told, [("E0303", "width"), ("E0303", "twice")]);
}

#[test]
fn unknown_names_get_the_nearest() {
    let checked = with(&["widht=3"]);
    let [d] = &checked.diagnostics[..] else { panic!("{:#?}", checked.diagnostics) };
    assert_eq!((d.code.0, d.help.as_deref()), ("E0909", Some("did you mean 'width'?")));
    assert!(Settings::parse(&["width".into()]).is_err());
    assert!(Settings::parse(&["=3".into()]).is_err());
}
