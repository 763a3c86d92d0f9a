//! Attachment scores, as the evaluator of the CoNLL 2018 shared task counts them on gold tokens:
//! every token with gold counts, punctuation too, and of a label what stands before the first `:`.
//! A gold label that train never had is matched by none.

use super::{Context, Metric, judged, ratio};
use crate::backend::NO_LABEL;
use crate::train::trainee::{Answer, Judged, Node};

/// Predicted and gold arc of each token that has gold.
fn arcs(items: &[Judged]) -> Vec<(Node, Node)> {
    let mut all = Vec::new();
    for pair in judged(items) {
        if let (Answer::Tree(predicted), Answer::Tree(gold)) = pair {
            all.extend(predicted.iter().copied().zip(gold.iter().copied()));
        }
    }
    all.retain(|(_, gold)| gold.head != NO_LABEL);
    all
}

fn share(arcs: &[(Node, Node)], right: impl Fn(&Node, &Node) -> bool) -> f64 {
    ratio(arcs.iter().filter(|(p, g)| right(p, g)).count() as f64, arcs.len() as f64)
}

/// The share of tokens whose head is right.
pub struct Uas;

impl Metric for Uas {
    fn name(&self) -> &'static str {
        "uas"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["parse"]
    }

    fn value(&self, items: &[Judged], _context: &Context) -> f64 {
        share(&arcs(items), |p, g| p.head == g.head)
    }
}

/// The share of tokens whose head and universal label are right.
pub struct Las;

impl Metric for Las {
    fn name(&self) -> &'static str {
        "las"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["parse"]
    }

    fn value(&self, items: &[Judged], context: &Context) -> f64 {
        let universal = |label: u32| {
            let label = context.labels.get(label as usize)?;
            Some(label.split_once(':').map_or(label.as_str(), |(universal, _)| universal))
        };
        let same = |p: &Node, g: &Node| universal(g.label).is_some_and(|label| universal(p.label) == Some(label));
        share(&arcs(items), |p, g| p.head == g.head && same(p, g))
    }
}
