//! Test examples that stand in the training set of another data set: what one task is tested on,
//! another has seen.

use std::collections::HashSet;

use crate::diagnostics::{Diagnostic, codes};

use super::dataset::{Corpus, Dataset, Portion};
use super::fault::count;
use super::lexicon::Lexicon;
use super::spec::FieldType;
use super::tally::Tallies;
use super::value::FieldValue;

/// Texts of fewer tokens are alike by chance: "what should i do ?".
const SHORT: usize = 6;

/// The digest of a text: the same however it is split into tokens, and in upper or lower case.
/// 0 for one that is too short to tell.
pub fn digest(value: &FieldValue, lexicon: &Lexicon) -> u64 {
    let FieldValue::Text(words) = value else { return 0 };
    if words.len() < SHORT {
        return 0;
    }
    let mut hash = blake3::Hasher::new();
    for word in words {
        hash.update(lexicon.word(*word).to_lowercase().as_bytes());
    }
    let mut first = [0; 8];
    hash.finalize_xof().fill(&mut first);
    u64::from_le_bytes(first).max(1)
}

/// Whether the texts of a corpus are worth a digest: only another data set can give a text away.
pub fn can_leak(corpus: &Corpus) -> bool {
    corpus.datasets.len() > 1
}

/// The fields that are texts of their own.
fn texts(dataset: &Dataset) -> Vec<usize> {
    let fields = dataset.spec.fields.iter().enumerate();
    let is_text =
        |(_, f): &(usize, &super::spec::FieldSpec)| matches!(f.ty, FieldType::Text { .. }) && f.template.is_none();
    fields.filter(is_text).map(|(i, _)| i).collect()
}

/// Warns of test examples whose texts all stand in the training set of another data set.
pub fn warnings(corpus: &Corpus, tallies: &Tallies) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for train in corpus.datasets.iter().filter(|_| can_leak(corpus)) {
        let own = texts(train);
        let known = || own.iter().flat_map(|f| &tallies.get(train.index, Portion::Train, *f).digests);
        let known: HashSet<u64> = known().copied().filter(|digest| *digest != 0).collect();
        let others = corpus.datasets.iter().filter(|test| test.index != train.index && test.size(Portion::Test) > 0);
        found.extend(others.filter_map(|test| leak(test, train, &known, tallies)));
    }
    found
}

fn leak(test: &Dataset, train: &Dataset, known: &HashSet<u64>, tallies: &Tallies) -> Option<Diagnostic> {
    let fields = texts(test);
    let digests: Vec<&[u64]> =
        fields.iter().map(|f| tallies.get(test.index, Portion::Test, *f).digests.as_slice()).collect();
    let size = test.size(Portion::Test);
    let leaks = |i: &usize| !digests.is_empty() && digests.iter().all(|d| d.get(*i).is_some_and(|d| known.contains(d)));
    let mut leaked = (0..size).filter(leaks);
    let first = leaked.next()?;
    let number = 1 + leaked.count();
    let (tested, trained) = (&test.spec.name, &train.spec.name);
    let stand = if number == 1 { "stands" } else { "stand" };
    let text = format!(
        "{} of the {size} in test of '{tested}' {stand} in train of '{trained}', the first at {}",
        count(number, "example"),
        test.place(Portion::Test, first)
    );
    let d = Diagnostic::new(codes::LEAK, test.spec.span, text).also(train.spec.span, format!("'{trained}' is here"));
    Some(d.help(format!("take them out of train of '{trained}': layers that both share have seen what is tested")))
}
