//! `rank`: a score for each member of a set, and which of them is right.

use super::heads;
use crate::diagnostics::{Diagnostic, codes};
use crate::ops::signature::*;
use crate::ops::{HeadRequest, Operation, TaskKind, attrs};
use crate::plan::Init;
use crate::sema::call::{Call, Checked, Scope, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::{Node, NodeId};
use crate::sema::model::{Built, Head};
use crate::sema::types::{GoldKind, On, Ty, Width};
use crate::source::Span;

#[cfg(feature = "train")]
use super::rank_run;
#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run};

/// The kind `rank`.
pub struct Rank;

static RANK: Signature = Signature {
    name: "rank",
    group: Group::Internal,
    doc: "A score for each member of a set: a linear map of what is read, what is read itself where that is one number, or with `query: q` its product with the query: qᵀ m (`dot`), the cosine of the two, or qᵀ W m (`bilinear`), times `scale`. `listwise` is the cross-entropy of the softmax over the members with the right one (`choice`), or with the softmax of the grades (`ranking`; ListNet's top-one probabilities, Cao et al. 2007). `margin` is Σ max(0, 1 - sᵢ + sⱼ) over the pairs of which i is the better (Herbrich et al. 2000). `in_batch` is listwise too, and takes the right members of the batch's other examples for wrong ones (Henderson et al. 2017). Without gold it is a latent choice, which another loss must reach.",
    inputs: &[input("gold")],
    args: &[
        arg("loss", Kind::Word(&["listwise", "margin", "in_batch"]), Default::Word("listwise"), "What is minimised."),
        arg("query", Kind::Any, Default::Unset, "A vector for each example, which its members are compared with."),
        arg(
            "score",
            Kind::Word(&["dot", "cosine", "bilinear"]),
            Default::Word("dot"),
            "How a query and a member are compared.",
        ),
        arg("scale", POSITIVE, Default::Float(1.0), "Factor of the scores of a query."),
        arg("k", COUNT, Default::Int(3), "Members that `recall_at_k` looks at."),
    ],
};

impl TaskKind for Rank {
    fn signature(&self) -> &'static Signature {
        &RANK
    }

    fn metrics(&self) -> &'static [&'static str] {
        &["accuracy", "mrr", "recall_at_k"]
    }

    fn head<'a>(&self, c: &mut Checker<'a>, task: &mut HeadRequest<'a>) -> Checked<()> {
        task.head.form = "score";
        let Some((gold, span)) = task.head.gold else { return Ok(()) };
        match c.graph.ty(gold).clone() {
            Ty::Gold(_, GoldKind::Choice | GoldKind::Ranking, _) => Ok(()),
            other => Err(heads::wrong_gold(c, "rank", &other, span, "a choice or ranking")),
        }
    }

    fn build<'a>(
        &self,
        c: &mut Checker<'a>,
        head: &Head<'a>,
        x: NodeId,
        at: Span,
        gold: Option<(NodeId, Span)>,
    ) -> Checked<Built> {
        let input = heads::vector_input(c, "rank", x, at)?;
        one_axis(c, &input.on, at)?;
        let graded = gold.is_some_and(|(g, _)| matches!(c.graph.ty(g), Ty::Gold(_, GoldKind::Ranking, _)));
        let gold = heads::same_places(c, gold, &input, at)?;
        let query = query(c, head, &input)?;
        let scores = match (query, input.width.known()) {
            (Some(query), _) => {
                let one = Ty::Vector(input.on.clone(), 1.into());
                c.plain("member_scores", vec![query, input.node], compared(head), one, at)
            }
            (None, Some(1)) => input.node,
            (None, _) => scored(c, head, &input, at)?,
        };
        let one = Ty::Vector(input.on.clone(), 1.into());
        let probs = c.plain("member_probs", vec![scores], attrs([]), one.clone(), at);
        let label = c.plain("ranked", vec![scores], attrs([]), one, at);
        let form = head.settings.word("loss").unwrap_or("listwise");
        if form == "in_batch" && query.is_none() {
            let span = head.settings.span("loss").unwrap_or(at);
            let d = Diagnostic::new(
                codes::TASK_HEAD,
                span,
                "`in_batch` compares queries with the members of other examples, and there is no query",
            );
            return Err(c.error(d.help("give `rank` the members alone, and what they are compared with as `query: q`")));
        }
        let loss = gold.map(|gold| {
            let each = Ty::Vector(input.on.examples(), 1.into());
            if let ("in_batch", Some(query)) = (form, query) {
                return c.plain("in_batch_loss", vec![query, input.node, gold], compared(head), each, at);
            }
            let attributes = attrs([("loss", form.into()), ("graded", graded.into())]);
            c.plain("rank_loss", vec![scores, gold], attributes, each, at)
        });
        Ok(Built {
            on: input.on,
            hidden: input.node,
            width: input.width,
            logits: scores,
            probs: Some(probs),
            label,
            gold,
            loss,
        })
    }
}

/// How a query and a member are compared, as attributes.
fn compared(head: &Head<'_>) -> crate::plan::Attrs {
    let scale = head.settings.float("scale").unwrap_or(1.0);
    attrs([("cosine", (head.settings.word("score") == Some("cosine")).into()), ("scale", scale.into())])
}

/// The query, as wide as the members.
fn query<'a>(c: &mut Checker<'a>, head: &Head<'a>, members: &heads::Input) -> Checked<Option<NodeId>> {
    let Some(e) = head.settings.any("query") else { return Ok(None) };
    let value = c.eval(e, &head.scope);
    let node = c.value_node(&value, e.span, &head.scope)?;
    let read = heads::vector_input(c, "rank", node, e.span)?;
    let bilinear = head.settings.word("score") == Some("bilinear");
    if read.on != members.on.examples() || !bilinear && read.width != members.width {
        let (is, width) = (c.show(&Ty::Vector(read.on, read.width)), c.show_width(&members.width));
        let message =
            format!("a query is one vector of width {width} for each example, as its members are, and this is {is}");
        let d = Diagnostic::new(codes::TASK_INPUT, e.span, message);
        return Err(c.error(d.help(
            "pool it with `|> mean_pool`, bring it to that width with `|> linear(d)`, or let the score be `bilinear`",
        )));
    }
    match bilinear {
        true => Ok(Some(mapped(c, format!("{}.query", head.path), &read, members.width.clone(), e.span)?)),
        false => Ok(Some(read.node)),
    }
}

/// w · x for each member: a bias would move all scores alike, and so have no gradient.
fn scored<'a>(c: &mut Checker<'a>, head: &Head<'a>, input: &heads::Input, at: Span) -> Checked<NodeId> {
    mapped(c, head.path.clone(), input, 1.into(), at)
}

/// W x, without a bias.
fn mapped<'a>(c: &mut Checker<'a>, path: String, input: &heads::Input, to: Width, at: Span) -> Checked<NodeId> {
    let shape = vec![to.clone(), input.width.clone()];
    let weight = c.param_at(format!("{path}.weight"), shape, Init::FanIn, at, &Scope::default())?;
    Ok(c.graph.add(Node {
        op: "linear",
        inputs: vec![input.node],
        attrs: attrs([("act", "none".into())]),
        params: vec![weight],
        ty: Ty::Vector(input.on.clone(), to),
        span: at,
        path: path.into(),
        draw: None,
        vocab: None,
    }))
}

/// Reports what is no set, or a set of texts whose words are still there.
fn one_axis(c: &mut Checker<'_>, on: &On, at: Span) -> Checked<()> {
    let (problem, help) = match on.axes.len() {
        1 => return Ok(()),
        0 => ("one vector for each example", "let it read a value along the members of a `texts` field"),
        _ => (
            "a vector for each token of each member",
            "pool the tokens first, with `|> mean_pool` or `|> attention_pool`",
        ),
    };
    let message = format!("`rank` reads one vector for each member of a set, and this is {problem}");
    Err(c.error(Diagnostic::new(codes::TASK_INPUT, at, message).help(help)))
}

/// An operation of `rank`.
pub struct RankOp {
    signature: &'static Signature,
}

macro_rules! operations {
    ($($item:ident, $signature:ident, $name:literal, $inputs:expr, $doc:literal;)*) => {
        $(static $signature: Signature =
            Signature { name: $name, group: Group::Internal, doc: $doc, inputs: $inputs, args: &[] };
        #[doc = $doc]
        pub static $item: RankOp = RankOp { signature: &$signature };)*
    };
}

operations! {
    PROBS, PROBS_S, "member_probs", &[input("scores")], "The softmax of scores over the members of each set.";
    SCORES, SCORES_S, "member_scores", &[input("query"), input("members")], "The product or cosine of each member with the query of its example.";
    IN_BATCH, IN_BATCH_S, "in_batch_loss", &[input("query"), input("members"), input("gold")], "Listwise, with the right members of other examples among the wrong ones.";
    RANKED, RANKED_S, "ranked", &[input("scores")], "The scores that members are ranked by.";
    BEST, BEST_S, "best_member", &[input("scores")], "1 for the member with the greatest score, the first of equals, and 0 for others.";
    LOSS, LOSS_S, "rank_loss", &[input("scores"), input("gold")], "The listwise or margin loss of each example.";
}

impl Operation for RankOp {
    fn signature(&self) -> &'static Signature {
        self.signature
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        c.node(call, 0).map(Val::Node)
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        if matches!(self.signature.name, "member_scores" | "in_batch_loss") {
            return compare(run, inputs);
        }
        let (scores, rows) = inputs[0].as_float()?;
        let sets = rows.by_example();
        match self.signature.name {
            "member_probs" => Ok(Value::float(crate::backend::kernels::segment::segment_softmax(scores, &sets)?, rows)),
            "ranked" => Ok(inputs[0].clone()),
            "best_member" => Ok(Value::float(rank_run::best(scores, &sets)?, rows)),
            _ => {
                let grades = crate::backend::exec::numbers(inputs[1].as_float()?.0)?;
                let form = if run.str("loss") == "margin" {
                    rank_run::Form::Margin
                } else if run.bool("graded") {
                    rank_run::Form::Graded
                } else {
                    rank_run::Form::Chosen
                };
                let each = rank_run::loss(scores, &grades, &sets, form)?;
                Ok(Value::float(each, &crate::backend::Rows::examples(rows.batch).into()))
            }
        }
    }
}

/// Scores of queries with members, or the loss that has those of all other examples too.
#[cfg(feature = "train")]
fn compare(run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
    let ((query, examples), (members, rows)) = (inputs[0].as_float()?, inputs[1].as_float()?);
    let by = rank_run::Compare { cosine: run.bool("cosine"), scale: run.float("scale"), sets: rows.by_example() };
    match inputs.get(2) {
        None => Ok(Value::float(by.scores(query, members)?, rows)),
        Some(gold) => {
            let grades = crate::backend::exec::numbers(gold.as_float()?.0)?;
            Ok(Value::float(by.in_batch(query, members, &grades)?, examples))
        }
    }
}
