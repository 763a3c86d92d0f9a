//! A program as the training loop sees it: losses of tasks, and predictions beside the gold.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor};

use super::exec::{Part, Program, Values, numbers};
use super::value::Text;
use super::votes::{labels_voted, vote};
use super::{Grads, NO_LABEL, Param, Value};
use crate::data::{Batch, Detokenizer, Labelled, Lexicon, Relation};
use crate::plan::{Attr, Node as PlanNode, TaskOn, TaskPlan};
use crate::train::metrics::{self, Context};
use crate::train::trainee::{Answer, Asked, Judged, Linked, LossSource, LossTerm, Node, Outcome, Trainee, Written};

impl Trainee for Program {
    type Batch = Batch;

    fn params(&self) -> &[Param] {
        &self.params
    }

    fn params_mut(&mut self) -> &mut [Param] {
        &mut self.params
    }

    fn grads(&self) -> &Arc<Grads> {
        &self.grads
    }

    fn losses(&self, data: usize, batch: &Batch, asked: &[LossSource], seed: u64) -> Result<Vec<LossTerm>> {
        let terms = self.joint_losses(&[Asked { data, batch, sources: asked, seed }])?;
        Ok(terms.into_iter().flatten().collect())
    }

    fn joint_losses(&self, parts: &[Asked<'_, Batch>]) -> Result<Vec<Vec<LossTerm>>> {
        let roots: Vec<Vec<usize>> = parts.iter().map(|part| self.loss_nodes(part)).collect();
        let asks = parts.iter().zip(&roots);
        let asks: Vec<Part<'_>> =
            asks.map(|(part, roots)| Part { batch: part.batch, roots, seed: part.seed }).collect();
        let values = self.compute_all(&asks, true)?;
        let terms = |(part, values): (&Asked<'_, Batch>, &Values)| {
            let terms = part.sources.iter().map(|source| self.term(*source, part.data, values));
            terms.filter_map(Result::transpose).collect()
        };
        parts.iter().zip(&values).map(terms).collect()
    }

    fn is_perturbed(&self, source: LossSource, data: usize) -> bool {
        let part = match source {
            LossSource::Task(t) => self.on(t, data).and_then(|on| on.loss),
            LossSource::Item(i) => self.item_on(i, data).then_some(self.plan.losses[i].node),
        };
        part.is_some_and(|node| self.perturbed[node])
    }

    fn note_perturbed(&self, store: &GradStore) -> Result<()> {
        self.perturbations.note(store)
    }

    fn second_pass(&self, begins: bool) {
        self.perturbations.second(begins);
    }

    fn outcomes(&self, data: usize, batch: &Batch, tasks: &[usize]) -> Result<Vec<Outcome>> {
        let on = |t: &usize| self.on(*t, data).cloned();
        self.judge(batch, tasks.iter().filter_map(|t| Some((*t, on(t)?))).collect())
    }

    fn turn_ended(&mut self) -> Result<()> {
        self.keep()
    }

    fn extra(&self) -> Result<Vec<(String, Tensor)>> {
        Ok(self.kept())
    }

    fn set_extra(&mut self, find: &dyn Fn(&str) -> Option<Vec<f32>>) -> Result<()> {
        self.set_kept(find)
    }
}

impl Program {
    /// The nodes that the losses asked of a batch are read from.
    fn loss_nodes(&self, part: &Asked<'_, Batch>) -> Vec<usize> {
        let mut nodes = Vec::new();
        for source in part.sources {
            match source {
                LossSource::Task(t) => {
                    let on = self.on(*t, part.data);
                    nodes.extend(on.and_then(|on| on.loss.zip(on.gold)).into_iter().flat_map(|(l, g)| [l, g]));
                }
                LossSource::Item(i) if self.item_on(*i, part.data) => nodes.push(self.plan.losses[*i].node),
                LossSource::Item(_) => {}
            }
        }
        nodes
    }

    /// The nodes of a task on a data set.
    pub fn on(&self, task: usize, data: usize) -> Option<&TaskOn> {
        self.plan.tasks[task].on.iter().find(|on| on.data == data)
    }

    /// Predictions without a look at gold or loss.
    pub fn unjudged(&self, data: usize, batch: &Batch, tasks: &[usize]) -> Result<Vec<Outcome>> {
        let blind = |on: &TaskOn| TaskOn { gold: None, loss: None, ..on.clone() };
        self.judge(batch, tasks.iter().filter_map(|t| Some((*t, blind(self.on(*t, data)?)))).collect())
    }

    fn judge(&self, batch: &Batch, on: Vec<(usize, TaskOn)>) -> Result<Vec<Outcome>> {
        let roots: Vec<usize> =
            on.iter().flat_map(|(_, o)| [Some(o.label), o.probs, o.gold, o.loss]).flatten().collect();
        let values = self.compute(batch, &roots, false, 0)?;
        on.iter().map(|(task, on)| self.outcome(*task, on, batch, &values)).collect()
    }

    /// How the text of a node is put together from its words on a data set.
    pub(super) fn detokenizer(&self, node: &PlanNode, data: usize) -> Detokenizer {
        let fields = match node.attrs.get("fields") {
            Some(Attr::List(fields)) => fields.iter().filter_map(pair).collect(),
            _ => Vec::new(),
        };
        let field = fields.iter().find(|field| field.0 == data).or(fields.first());
        let of = |(data, field): &(usize, usize)| self.schema.detokenizer(&self.plan.datasets[*data], *field);
        field.map_or_else(Detokenizer::default, of)
    }

    fn item_on(&self, item: usize, data: usize) -> bool {
        self.plan.losses[item].data.is_none_or(|d| d == data)
    }

    fn term(&self, source: LossSource, data: usize, values: &HashMap<usize, Value>) -> Result<Option<LossTerm>> {
        match source {
            LossSource::Task(t) => {
                let Some((loss, gold)) = self.on(t, data).and_then(|on| on.loss.zip(on.gold)) else { return Ok(None) };
                let examples = with_gold(&values[&gold])?.iter().filter(|g| **g).count();
                if examples == 0 {
                    return Ok(None);
                }
                let value = (values[&loss].tensor()?.sum_all()? / examples as f64)?;
                Ok(Some(LossTerm { source, value, examples }))
            }
            LossSource::Item(i) => {
                let Some(value) = values.get(&self.plan.losses[i].node) else { return Ok(None) };
                if !self.item_on(i, data) {
                    return Ok(None);
                }
                let (value, examples) = match value {
                    Value::Float { tensor, rows } => (mean(tensor)?, rows.batch),
                    other => (other.tensor()?.clone(), 1),
                };
                Ok(Some(LossTerm { source, value, examples }))
            }
        }
    }

    fn outcome(&self, task: usize, on: &TaskOn, batch: &Batch, values: &HashMap<usize, Value>) -> Result<Outcome> {
        let plan = &self.plan.tasks[task];
        let speech = self.detokenizer(&self.plan.nodes[on.label], on.data);
        let predicted = answers(&plan.kind, &values[&on.label], &speech)?;
        let gold = on.gold.map(|g| gold_answers(&plan.kind, &values[&g], &speech)).transpose()?;
        let confidence = confidences(plan, on, values)?;
        let items = predicted.into_iter().enumerate().map(|(i, predicted)| Judged {
            predicted,
            gold: gold.as_ref().and_then(|g| g[i].clone()),
            confidence: confidence.as_ref().map(|c| c[i]),
        });
        let mut loss = 0.0;
        if let Some(node) = on.loss {
            loss = numbers(values[&node].tensor()?)?.iter().map(|x| f64::from(*x)).sum();
        }
        Ok(Outcome { task, examples: batch.examples.clone(), items: items.collect(), loss })
    }
}

/// A data set and the place of a field in it, as attributes have them.
fn pair(of: &Attr) -> Option<(usize, usize)> {
    match of {
        Attr::List(pair) => match pair[..] {
            [Attr::Int(data), Attr::Int(field)] => Some((data as usize, field as usize)),
            _ => None,
        },
        _ => None,
    }
}

fn mean(x: &Tensor) -> Result<Tensor> {
    x.sum_all()? / x.elem_count().max(1) as f64
}

/// Which examples have any gold.
fn with_gold(gold: &Value) -> Result<Vec<bool>> {
    let Some(rows) = gold.rows() else { return Ok(Vec::new()) };
    let places: Vec<bool> = match gold {
        Value::Label { ids, space, .. } => ids.iter().map(|id| (*id as usize) < *space).collect(),
        Value::Spans { each, .. } => return Ok(each.iter().map(Option::is_some).collect()),
        Value::Relations { each, .. } => return Ok(each.iter().map(Option::is_some).collect()),
        Value::Tree { heads, .. } => heads.iter().map(|head| *head != NO_LABEL).collect(),
        Value::Float { tensor, .. } => {
            numbers(tensor)?.chunks_exact(tensor.dim(1)?.max(1)).map(|row| !row[0].is_nan()).collect()
        }
        _ => vec![true; rows.places()],
    };
    Ok(rows.by_example().windows(2).map(|w| places[w[0] as usize..w[1] as usize].contains(&true)).collect())
}

/// Kinds of tasks that say something of each place.
const TAGGED: &[&str] = &["tag", "lm", "mlm", "detect", "distill"];

/// A measure of each example of a task of this kind, 0 where there is no gold.
pub(super) fn measured(
    kind: &str,
    name: &str,
    labels: &[String],
    (label, gold): (&Value, &Value),
    speech: &Detokenizer,
) -> Result<Vec<f32>> {
    let Some(metric) = metrics::metric(name) else { candle_core::bail!("no measure is named '{name}'") };
    let context = Context { labels, classes: labels.len(), loss: 0.0, k: 3 };
    let each = answers(kind, label, speech)?.into_iter().zip(gold_answers(kind, gold, speech)?);
    let judged = each.map(|(predicted, gold)| Judged { predicted, gold, confidence: None });
    Ok(judged.map(|item| metric.of_one(&item, &context) as f32).collect())
}

/// What a task says of each example.
fn answers(kind: &str, value: &Value, speech: &Detokenizer) -> Result<Vec<Answer>> {
    Ok(match value {
        Value::Label { ids, rows, .. } => {
            let by_example = rows.by_example();
            let places = by_example.windows(2).map(|w| &ids[w[0] as usize..w[1] as usize]);
            if TAGGED.contains(&kind) {
                places.map(|p| Answer::Tags(p.to_vec())).collect()
            } else {
                places.map(|p| Answer::Class(vote(p))).collect()
            }
        }
        Value::Tree { heads, ids, rows, .. } => {
            let node = |at: u32| Node { head: heads[at as usize], label: ids[at as usize] };
            rows.by_example().windows(2).map(|w| Answer::Tree((w[0]..w[1]).map(node).collect())).collect()
        }
        Value::Spans { each, .. } => {
            each.iter().map(|spans| Answer::Spans(spans.clone().unwrap_or_default())).collect()
        }
        Value::Relations { each, spans, .. } => {
            each.iter().zip(spans.iter()).map(|(pairs, spans)| Answer::Relations(linked(pairs, spans))).collect()
        }
        Value::Float { tensor, rows } if kind == "multilabel" => {
            let sets = labels_voted(&numbers(tensor)?, tensor.dim(1)?, &rows.by_example());
            sets.into_iter().map(Answer::Labels).collect()
        }
        Value::Float { tensor, rows } if kind == "rank" => {
            let (scores, sets) = (numbers(tensor)?, rows.by_example());
            sets.windows(2).map(|w| Answer::Scores(scores[w[0] as usize..w[1] as usize].to_vec())).collect()
        }
        Value::Float { tensor, .. } => {
            numbers(tensor)?.chunks_exact(tensor.dim(1)?.max(1)).map(|row| Answer::Number(row[0])).collect()
        }
        Value::Tokens { ids, lexicon, rows } => {
            let texts = rows.by_example();
            let text = |w: &[u32]| Answer::Text(text_of(&ids[w[0] as usize..w[1] as usize], lexicon, speech));
            texts.windows(2).map(text).collect()
        }
        Value::Written { each, lexicon, .. } => {
            let best = each.iter().map(|texts| texts.first().map_or(&[][..], |text| &text.words));
            best.map(|words| Answer::Text(text_of(words, lexicon, speech))).collect()
        }
        _ => Vec::new(),
    })
}

/// A text from its words.
fn text_of(words: &[u32], lexicon: &Lexicon, speech: &Detokenizer) -> Written {
    Written { text: speech.of_ids(words, lexicon).into(), pieces: words.len() + 1 }
}

/// The pairs of an example with the spans that they are of.
fn linked(pairs: &Option<Vec<Relation>>, spans: &Option<Vec<Labelled>>) -> Vec<Linked> {
    let spans = spans.as_deref().unwrap_or_default();
    let one = |r: &Relation| {
        let (head, tail) = (*spans.get(r.head as usize)?, *spans.get(r.tail as usize)?);
        Some(Linked { head, tail, label: r.label })
    };
    pairs.iter().flatten().filter_map(one).collect()
}

fn gold_answers(kind: &str, value: &Value, speech: &Detokenizer) -> Result<Vec<Option<Answer>>> {
    let known = |answer: &Answer| match answer {
        Answer::Class(id) => *id != NO_LABEL,
        Answer::Tags(ids) => ids.iter().any(|id| *id != NO_LABEL),
        Answer::Number(x) => !x.is_nan(),
        Answer::Labels(_) | Answer::Spans(_) | Answer::Relations(_) => true,
        Answer::Text(text) => text.pieces > 1,
        Answer::Tree(nodes) => nodes.iter().any(|node| node.head != NO_LABEL),
        Answer::Scores(grades) => grades.iter().any(|grade| !grade.is_nan()),
    };
    let mut found: Vec<Option<Answer>> =
        answers(kind, value, speech)?.into_iter().map(|a| known(&a).then_some(a)).collect();
    if matches!(kind, "multilabel" | "spans" | "relate") {
        for (answer, has) in found.iter_mut().zip(with_gold(value)?) {
            if !has {
                *answer = None;
            }
        }
    }
    Ok(found)
}

/// The mean probability of what was predicted, over the places of each example; of a text the
/// geometric mean over its words and its end.
fn confidences(task: &TaskPlan, on: &TaskOn, values: &HashMap<usize, Value>) -> Result<Option<Vec<f32>>> {
    if let Value::Written { each, .. } = &values[&on.label] {
        let p = |text: &Text| (text.log_p / (text.words.len() + 1) as f32).exp();
        return Ok(Some(each.iter().map(|texts| texts.first().map_or(0.0, p)).collect()));
    }
    let Some(Value::Float { tensor, rows }) = on.probs.and_then(|p| values.get(&p)) else { return Ok(None) };
    let width = tensor.dim(1)?;
    let p = numbers(tensor)?;
    let of_place: Vec<f32> = match &values[&on.label] {
        Value::Label { ids, .. } => {
            let at = |(i, id): (usize, &u32)| p.get(i * width + *id as usize).copied().unwrap_or(0.0);
            ids.iter().enumerate().map(at).collect()
        }
        _ if task.kind == "multilabel" => {
            p.chunks_exact(width.max(1)).map(|row| row.iter().map(|p| p.max(1.0 - p)).product()).collect()
        }
        _ => return Ok(None),
    };
    let each = rows.by_example();
    let mean = |w: &[u32]| {
        let places = &of_place[w[0] as usize..w[1] as usize];
        places.iter().sum::<f32>() / places.len().max(1) as f32
    };
    Ok(Some(each.windows(2).map(mean).collect()))
}
