//! Unlabelled input.

use std::io::Cursor;
use std::sync::Arc;

use crate::support::*;
use mtlc::data::spec::*;
use mtlc::data::{Batch, FieldBatch, Inputs, Lexicon, Reader, Wanted};
use mtlc::diagnostics::{Diagnostic, codes};

fn open(
    spec: &DataSpec,
    inputs: Inputs,
    fields: &[&str],
    text: &str,
    lexicon: &Arc<Lexicon>,
) -> Result<Reader, Diagnostic> {
    let wanted = Wanted { inputs, fields, shown: "<stdin>" };
    Reader::unlabelled(spec, &wanted, Box::new(Cursor::new(text.as_bytes().to_vec())), lexicon)
}

fn words(batch: &Batch, field: usize, lexicon: &Lexicon) -> Vec<String> {
    let Some(FieldBatch::Text { ids, offsets }) = batch.field(field) else { panic!() };
    let words = |w: &[u32]| {
        let slice = &ids[w[0] as usize..w[1] as usize];
        slice.iter().map(|&i| lexicon.word(i).to_string()).collect::<Vec<_>>().join(" ")
    };
    offsets.windows(2).map(words).collect()
}

fn pairs() -> DataSpec {
    data(Format::Tsv, "train")
        .field("a", FieldType::Text { lower: true, tokens: Tokens::Space, max: None }, "A")
        .field("b", text(), "B")
        .field("y", FieldType::Class, "label")
}

#[test]
fn lines_keep_their_order_and_blank_ones_count() {
    let lexicon = Arc::new(Lexicon::default());
    let spec = data(Format::Lines, "train").field("x", text(), "in").field("t", FieldType::Tags("x".into()), "out");
    for inputs in [Inputs::Same, Inputs::Lines] {
        let mut reader = open(&spec, inputs, &["x"], "a b\n\nc\n", &lexicon).unwrap();
        let first = reader.next_batch(2).unwrap().unwrap();
        assert_eq!(words(&first, 0, &lexicon), ["a b", ""]);
        assert_eq!(first.examples, [0, 1]);
        let FieldBatch::Tags { ids, .. } = &first.fields[1] else { panic!() };
        assert_eq!(ids.len(), 3);
        let second = reader.next_batch(2).unwrap().unwrap();
        assert_eq!((words(&second, 0, &lexicon), second.examples), (vec!["c".to_string()], vec![2]));
        assert!(reader.next_batch(2).unwrap().is_none());
    }
}

#[test]
fn several_inputs_in_every_form() {
    let lexicon = Arc::new(Lexicon::default());
    let inputs = [
        (Inputs::Lines, "A b\tc\n"),
        (Inputs::Jsonl, "{\"a\":\"A b\",\"b\":[\"c\"]}\n"),
        (Inputs::Same, "B\tA\nc\tA b\n"),
        (Inputs::Same, "label\tB\tA\n\tc\tA b\n"),
    ];
    for (inputs, content) in inputs {
        let mut reader = open(&pairs(), inputs, &["a", "b"], content, &lexicon).unwrap();
        let batch = reader.next_batch(9).unwrap().unwrap();
        assert_eq!((words(&batch, 0, &lexicon), words(&batch, 1, &lexicon)), (vec!["a b".into()], vec!["c".into()]));
    }
    let conll = data(Format::Conll, "t").field("x", text(), "0").field("y", FieldType::Tags("x".into()), "1");
    for inputs in [Inputs::Same, Inputs::Conll] {
        let mut reader = open(&conll, inputs, &[], "a\nb\n\nc\n", &lexicon).unwrap();
        assert_eq!(words(&reader.next_batch(9).unwrap().unwrap(), 0, &lexicon), ["a b", "c"]);
    }
}

#[test]
fn what_an_input_needs_comes_with_it() {
    let lexicon = Arc::new(Lexicon::default());
    let spec = data(Format::Lines, "t").field("plain", text(), "en").made("source", text(), "<2de> {plain}").field(
        "target",
        text(),
        "de",
    );
    let mut reader = open(&spec, Inputs::Lines, &["source"], "a dog\n", &lexicon).unwrap();
    let batch = reader.next_batch(1).unwrap().unwrap();
    assert_eq!(words(&batch, 1, &lexicon), ["<2de> a dog"]);
    assert_eq!(words(&batch, 2, &lexicon), [""]);
}

#[test]
fn a_bad_input_names_its_line_and_reading_goes_on() {
    let lexicon = Arc::new(Lexicon::default());
    let mut reader =
        open(&pairs(), Inputs::Jsonl, &["a", "b"], "{\"a\":\"x\"}\nnot json\n{\"a\":\"x\",\"b\":\"y\"}\n", &lexicon)
            .unwrap();
    let first = reader.next_example().unwrap_err();
    assert_eq!((first.code, first.span), (codes::INPUT, None));
    assert_eq!(first.message, "`<stdin>` line 1: field 'b' is missing");
    assert!(reader.next_example().unwrap_err().message.starts_with("`<stdin>` line 2: not JSON"));
    assert!(reader.next_example().unwrap().is_some());
    assert!(reader.next_example().unwrap().is_none());
    let unknown = open(&pairs(), Inputs::Lines, &["z"], "", &lexicon).err().unwrap();
    assert_eq!(unknown.message, "data set 'd' has no field 'z'");
}
