//! The words that a decoder reads and writes: tables of its own, or that of an `embed`.

use super::FORM;
use super::layers::Layers;
use crate::diagnostics::{Diagnostic, codes};
use crate::ops::attrs;
use crate::ops::words::first_call;
use crate::plan::{Attrs, Init};
use crate::sema::call::{Call, Checked, Reported, Scope, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::ParamId;
use crate::sema::model::Head;
use crate::sema::types::{SpaceId, VocabId, Width};
use crate::source::Span;
use crate::syntax::ast::Expr;

/// The parameters of a vocabulary.
pub struct Vocabulary {
    /// Two tables and a bias; of an `embed` its table, the end's row and a bias. Then, where the
    /// widths differ, the maps into the decoder and out of it.
    pub params: Vec<ParamId>,
    /// The vocabulary of the `embed`.
    pub vocab: Option<VocabId>,
    /// Width of the vectors of words.
    pub width: Width,
    /// Whether it is that of the decoder.
    maps: bool,
}

/// Whose words a task has: its own head or that of another task, and the `embed` whose table is
/// its.
struct Owner<'a> {
    head: Head<'a>,
    table: Option<(Call<'a>, &'a Expr)>,
}

fn owner<'a>(c: &mut Checker<'a>, head: &Head<'a>) -> Checked<Owner<'a>> {
    let mut head = head.clone();
    loop {
        let Some(e) = head.settings.any("head") else { return Ok(Owner { head, table: None }) };
        match c.eval(e, &head.scope) {
            Val::Error => return Err(Reported),
            Val::Task(other) => {
                let other = c.task(other);
                if other.head.form != FORM {
                    let message =
                        format!("'{}' is a `{}` task, which writes no text", other.name, other.kind.signature().name);
                    let d = Diagnostic::new(codes::TASK_HEAD, e.span, message).also(other.span, "declared here");
                    return Err(c.error(d.help("name a `generate` task, or a layer that begins with `embed`")));
                }
                head = other.head.clone();
            }
            Val::Func(f) => {
                let body = c.body_of(&f);
                let Some(call) = body.as_deref().and_then(first_call).filter(|call| call.name() == "embed") else {
                    return Err(no_table(c, e));
                };
                let table = Some((call.clone(), e));
                return Ok(Owner { head, table });
            }
            _ => return Err(no_table(c, e)),
        }
    }
}

fn no_table<'a>(c: &mut Checker<'a>, e: &Expr) -> Reported {
    let message = "the head of a `generate` task is a layer that begins with `embed`, or another task";
    let d = Diagnostic::new(codes::TASK_HEAD, e.span, message);
    c.error(d.help("give the table a layer of its own, `layer words = embed(128)`, and write `head: words`"))
}

/// How often train must have a word: what the task asks for, and no less than its table does.
pub fn min_count<'a>(c: &mut Checker<'a>, head: &Head<'a>) -> Checked<usize> {
    let owner = owner(c, head)?;
    let asked = owner.head.settings.int("min_count").unwrap_or(1);
    Ok(owner.table.and_then(|(call, _)| call.args.int("min_count")).map_or(asked, |least| least.max(asked)))
}

/// Reports a head that is shared with a task of other words.
pub fn shared<'a>(c: &mut Checker<'a>, head: &Head<'a>, space: SpaceId) -> Checked<()> {
    let Some(e) = head.settings.any("head") else { return Ok(()) };
    let owner = owner(c, head)?;
    let Some(theirs) = owner.head.space.filter(|theirs| *theirs != space && owner.head.path != head.path) else {
        return Ok(());
    };
    let (x, y) = (&c.spaces.all[space.0].name, &c.spaces.all[theirs.0].name);
    let message = format!("the words of this task and of the one whose head it shares differ ('{x}' and '{y}')");
    let d = Diagnostic::new(codes::SPACE_MISMATCH, e.span, message);
    Err(c.error(d.help("let both name one table instead, `head: words` with `layer words = embed(128)`")))
}

impl Vocabulary {
    /// The vocabulary of a task, whose decoder has these layers.
    pub fn new<'a>(
        c: &mut Checker<'a>,
        head: &Head<'a>,
        space: SpaceId,
        layers: &Layers<'a>,
        at: Span,
    ) -> Checked<Self> {
        let Owner { head, table } = owner(c, head)?;
        let words = Width::from(space).plus(&1.into());
        let d = Width::from(layers.width);
        let param = |c: &mut Checker<'a>, name: &str, shape: Vec<Width>, init: Init| {
            c.param_at(format!("{}.{name}", head.path), shape, init, at, &Scope::default())
        };
        let Some((call, _)) = table else {
            let params = vec![
                param(c, "embed", vec![words.clone(), d.clone()], Init::Normal(1.0))?,
                param(c, "weight", vec![words.clone(), d.clone()], Init::FanIn)?,
                param(c, "bias", vec![words], Init::Zeros)?,
            ];
            return Ok(Self { params, vocab: None, width: d, maps: false });
        };
        let Some((gold, gold_at)) = head.gold else { return Err(Reported) };
        let call = Call { inputs: vec![(Val::Node(gold), gold_at)], waiting: false, ..call };
        let Val::Node(read) = call.op.apply(c, &call)? else { return Err(Reported) };
        let node = c.graph.node(read).clone();
        let (Some(table), width) = (node.params.first().copied(), call.args.width("d").unwrap_or_default()) else {
            return Err(Reported);
        };
        let mut params = vec![
            table,
            param(c, "end", vec![1.into(), width.clone()], Init::Normal(1.0))?,
            param(c, "bias", vec![words], Init::Zeros)?,
        ];
        let maps = width != d;
        if maps {
            params.push(param(c, "in_weight", vec![d.clone(), width.clone()], Init::Xavier)?);
            params.push(param(c, "in_bias", vec![d.clone()], Init::Zeros)?);
            params.push(param(c, "out_weight", vec![width.clone(), d.clone()], Init::Xavier)?);
            params.push(param(c, "out_bias", vec![width.clone()], Init::Zeros)?);
        }
        Ok(Self { params, vocab: node.vocab, width, maps })
    }

    /// What the nodes that compute with it have to know of it.
    pub fn attrs(&self, space: SpaceId) -> Attrs {
        attrs([("space", space.0.into()), ("tied", self.vocab.is_some().into()), ("maps", self.maps.into())])
    }
}
