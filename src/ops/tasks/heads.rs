//! What the kinds of tasks have in common: checks of input and gold, projections, losses, decoding.

use crate::diagnostics::{Diagnostic, codes};
use crate::ops::signature::*;
use crate::ops::{Operation, TaskKind, attrs};
use crate::plan::{Attr, Init};
use crate::sema::call::{Bound, Call, Checked, Reported, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::{Node, NodeId, ParamId};
use crate::sema::model::Head;
use crate::sema::types::{On, SpaceId, Ty, Width};
use crate::source::Span;
use crate::syntax::ast::ExprKind;

#[cfg(feature = "train")]
use crate::backend::{NO_LABEL, Value, exec::Run, kernels};
#[cfg(feature = "train")]
use std::sync::Arc;

/// What a task reads.
pub struct Input {
    /// The value, as vectors.
    pub node: NodeId,
    /// Its places.
    pub on: On,
    /// Its width.
    pub width: Width,
}

/// Logits and their softmax.
pub struct Projection {
    /// `[N, C]`.
    pub logits: NodeId,
    /// `[N, C]`.
    pub probs: NodeId,
}

/// The input of a task as vectors.
pub fn vector_input<'a>(c: &mut Checker<'a>, kind: &str, x: NodeId, at: Span) -> Checked<Input> {
    match c.graph.ty(x).clone() {
        Ty::Error => Err(Reported),
        Ty::Vector(on, width) => Ok(Input { node: x, on, width }),
        Ty::Label(..) => {
            let (node, on, width) = c.as_vector(x, at, at, kind, &crate::sema::call::Scope::default())?;
            Ok(Input { node, on, width })
        }
        other => {
            let message = format!("`{kind}` reads vectors, and this is {} ({})", other.noun(), c.show(&other));
            let d = Diagnostic::new(codes::TASK_INPUT, at, message);
            Err(c.error(d.help("turn words into vectors first, with `embed(64)` and a reader such as `bilstm(128)`")))
        }
    }
}

/// How a message names the input: by its name if it is one.
pub fn named(c: &Checker<'_>, at: Span, input: &Input) -> String {
    let name = c.symbols.by_name.keys().find(|n| n.len() == (at.end - at.start) as usize && c.is_text(at, n));
    match name {
        Some(name) => format!("'{name}'"),
        None => format!("this ({})", c.show(&Ty::Vector(input.on.clone(), input.width.clone()))),
    }
}

/// Reports an input that still has an axis, unless its places vote.
pub fn one_vector<'a>(c: &mut Checker<'a>, kind: &str, input: &Input, at: Span, votes: bool) -> Checked<()> {
    let Some(axis) = input.on.inner().filter(|_| !votes) else { return Ok(()) };
    let message = format!("{} runs along '{axis}'; `{kind}` reads one vector for each example", named(c, at, input));
    let vote =
        if matches!(kind, "classify" | "multilabel") { ", or let each token vote with `{ vote: true }`" } else { "" };
    let help = format!("pool it first, with `|> mean_pool` or `|> attention_pool`{vote}");
    Err(c.error(Diagnostic::new(codes::TASK_INPUT, at, message).help(help)))
}

/// Reports an input without an axis below the example.
pub fn token_axis<'a>(c: &mut Checker<'a>, kind: &str, input: &Input, at: Span) -> Checked<()> {
    if !input.on.axes.is_empty() {
        return Ok(());
    }
    let message = format!("{} has no token axis; `{kind}` reads one vector for each token", named(c, at, input));
    let d = Diagnostic::new(codes::TASK_INPUT, at, message)
        .help("leave the pooling out, so that the value still runs along the tokens");
    Err(c.error(d))
}

/// The form of the head that a task asks for, else the first of its kind.
pub fn form(kind: &dyn TaskKind, settings: &Bound<'_>) -> &'static str {
    let asked = settings.any("head").and_then(|e| match &e.kind {
        ExprKind::Name(name) => kind.forms().iter().find(|form| **form == name.text),
        _ => None,
    });
    asked.or(kind.forms().first()).copied().unwrap_or_default()
}

/// Reports gold of the wrong type.
pub fn wrong_gold<'a>(c: &mut Checker<'a>, kind: &str, ty: &Ty, span: Span, wanted: &str) -> Reported {
    if *ty == Ty::Error {
        return Reported;
    }
    let message = format!("the gold of `{kind}` is {wanted}, and this is {} ({})", ty.noun(), c.show(ty));
    let fitting = match ty {
        Ty::Label(on, _) if on.axes.is_empty() => Some("classify"),
        Ty::Label(..) => Some("tag"),
        Ty::Vector(..) => Some("regress"),
        Ty::Tokens(_) => Some("generate"),
        Ty::Gold(_, kind, _) => match kind.word() {
            "labels" => Some("multilabel"),
            "spans" => Some("tag"),
            "relations" => Some("relate"),
            "tree" => Some("parse"),
            "span" => Some("extract"),
            "choice" | "ranking" => Some("rank"),
            "clusters" => Some("coref"),
            _ => None,
        },
        _ => None,
    };
    let mut d = Diagnostic::new(codes::TASK_GOLD, span, message);
    if let Some(fitting) = fitting {
        d = d.help(format!("`{fitting}` learns {}", ty.noun()));
    }
    c.error(d)
}

fn check_examples<'a>(c: &mut Checker<'a>, gold: NodeId, gold_at: Span, input: &Input, at: Span) -> Checked<On> {
    let Some(on) = c.graph.ty(gold).on().cloned() else { return Err(Reported) };
    if on.example == input.on.example {
        return Ok(on);
    }
    let (x, y) = (input.on.example.name(), on.example.name());
    let message = format!("the task reads examples of '{x}' and its gold is of '{y}'");
    let d = Diagnostic::new(codes::EXAMPLE_MISMATCH, at, message).also(gold_at, format!("an example of '{y}'"));
    Err(c.error(d.help("a task learns from gold of the same examples that it reads")))
}

/// Gold on the same examples; its places need not be the input's.
pub fn same_examples<'a>(
    c: &mut Checker<'a>,
    gold: Option<(NodeId, Span)>,
    input: &Input,
    at: Span,
) -> Checked<Option<NodeId>> {
    let Some((gold, span)) = gold else { return Ok(None) };
    check_examples(c, gold, span, input, at)?;
    Ok(Some(gold))
}

/// Gold on the same places.
pub fn same_places<'a>(
    c: &mut Checker<'a>,
    gold: Option<(NodeId, Span)>,
    input: &Input,
    at: Span,
) -> Checked<Option<NodeId>> {
    let Some((gold, span)) = gold else { return Ok(None) };
    let on = check_examples(c, gold, span, input, at)?;
    if on.axes == input.on.axes {
        return Ok(Some(gold));
    }
    let along = |on: &On, one: &str| match on.axes.is_empty() {
        true => one.to_string(),
        false => format!("runs along '{}'", on.axes.iter().map(|a| a.to_string()).collect::<Vec<_>>().join(", ")),
    };
    let (x, y) = (along(&input.on, "is one vector for each example"), along(&on, "is one for each example"));
    let message = format!("what the task reads {x}, and its gold {y}");
    let help = match on.axes.is_empty() {
        true => "pool what it reads first, with `|> mean_pool` or `|> attention_pool`",
        false => "let it read values along the axis of its gold, without pooling them",
    };
    Err(c.error(Diagnostic::new(codes::AXIS_MISMATCH, at, message).also(span, format!("this {y}")).help(help)))
}

/// Gold repeated along the axes that the input has and it lacks.
pub fn aligned_gold<'a>(
    c: &mut Checker<'a>,
    gold: Option<(NodeId, Span)>,
    input: &Input,
    at: Span,
) -> Checked<Option<NodeId>> {
    let Some((gold, span)) = gold else { return Ok(None) };
    check_examples(c, gold, span, input, at)?;
    Ok(Some(c.align(gold, input.node, span)))
}

/// Weight and bias of a head's last projection, from `inputs` to `width`.
pub fn projection<'a>(
    c: &mut Checker<'a>,
    head: &Head<'a>,
    width: Width,
    inputs: &Width,
    at: Span,
) -> Checked<[ParamId; 2]> {
    let scope = crate::sema::call::Scope::default();
    let weight = format!("{}.weight", head.path);
    Ok([
        c.param_at(weight, vec![width.clone(), inputs.clone()], Init::FanIn, at, &scope)?,
        c.param_at(format!("{}.bias", head.path), vec![width], Init::Zeros, at, &scope)?,
    ])
}

/// The last projection of a head.
pub fn project<'a>(c: &mut Checker<'a>, head: &Head<'a>, input: &Input, width: Width, at: Span) -> Checked<NodeId> {
    let params = projection(c, head, width.clone(), &input.width, at)?.to_vec();
    let ty = Ty::Vector(input.on.clone(), width);
    let path = head.path.as_str().into();
    let node = Node {
        op: "project",
        inputs: vec![input.node],
        attrs: attrs([]),
        params,
        ty,
        span: at,
        path,
        draw: None,
        vocab: None,
    };
    Ok(c.graph.add(node))
}

/// Logits over a label space, and their softmax.
pub fn softmax_head<'a>(
    c: &mut Checker<'a>,
    head: &Head<'a>,
    input: &Input,
    space: SpaceId,
    at: Span,
) -> Checked<Projection> {
    let logits = project(c, head, input, Width::from(space), at)?;
    let ty = c.graph.ty(logits).clone();
    let probs = c.plain("softmax", vec![logits], attrs([]), ty, at);
    Ok(Projection { logits, probs })
}

/// A prediction of labels.
pub fn label_node<'a>(
    c: &mut Checker<'a>,
    op: &'static str,
    inputs: Vec<NodeId>,
    on: &On,
    space: SpaceId,
    at: Span,
) -> NodeId {
    c.plain(op, inputs, attrs([("space", space.0.into())]), Ty::Label(on.clone(), space), at)
}

/// Cross-entropy summed over the places of each example.
pub fn softmax_loss<'a>(
    c: &mut Checker<'a>,
    head: &Head<'a>,
    logits: NodeId,
    gold: NodeId,
    on: &On,
    at: Span,
) -> Checked<NodeId> {
    let mut attributes = attrs([]);
    if let Some(s) = head.settings.float("smoothing").filter(|s| *s > 0.0) {
        attributes.insert("smoothing".into(), s.into());
    }
    if let Some(e) = head.settings.any("class_weights") {
        let weights = match &e.kind {
            ExprKind::Name(n) if n.text == "balanced" => Attr::Str("balanced".into()),
            ExprKind::List(parts) => Attr::List(parts.iter().filter_map(number).map(Attr::Float).collect()),
            _ => {
                let message = "'class_weights' is `balanced` or a list of numbers";
                return Err(c.error(Diagnostic::new(codes::BAD_SETTING, e.span, message)));
            }
        };
        attributes.insert("class_weights".into(), weights);
        if let Some(space) = head.space {
            attributes.insert("space".into(), space.0.into());
        }
    }
    Ok(c.plain("softmax_loss", vec![logits, gold], attributes, Ty::Vector(on.examples(), 1.into()), at))
}

fn number(e: &crate::syntax::ast::Expr) -> Option<f64> {
    match &e.kind {
        ExprKind::Int(v) => Some(*v as f64),
        ExprKind::Float(v) => Some(*v),
        _ => None,
    }
}

/// An operation of a head.
pub struct HeadOp {
    signature: &'static Signature,
    #[cfg(feature = "train")]
    run: fn(&Run<'_>, &[Value]) -> candle_core::Result<Value>,
}

macro_rules! head_ops {
    ($($item:ident, $sig:ident, $name:literal, $run:ident, $doc:literal;)*) => {
        $(static $sig: Signature =
            Signature { name: $name, group: Group::Internal, doc: $doc, inputs: &[many("x")], args: &[] };
        #[doc = $doc]
        pub static $item: HeadOp = HeadOp {
            signature: &$sig,
            #[cfg(feature = "train")]
            run: $run,
        };)*
    };
}

head_ops! {
    PROJECT, PROJECT_S, "project", run_project, "The last projection of a head.";
    ARGMAX, ARGMAX_S, "argmax", run_argmax, "The label with the greatest logit.";
    SOFTMAX_LOSS, SOFTMAX_LOSS_S, "softmax_loss", run_softmax_loss, "Cross-entropy summed over the places of each example.";
    SIGMOID_LOSS, SIGMOID_LOSS_S, "sigmoid_loss", run_sigmoid_loss, "Binary cross-entropy summed over labels and places.";
    ABOVE, ABOVE_S, "above", run_above, "1 where a probability reaches the threshold.";
    REGRESSION_LOSS, REGRESSION_LOSS_S, "regression_loss", run_regression_loss, "Squared or Huber loss.";
    GRADE_LOSS, GRADE_LOSS_S, "grade_loss", run_grade_loss, "KL from the two grades around the number.";
    EXPECTED_GRADE, EXPECTED_GRADE_S, "expected_grade", run_expected_grade, "Σ p(g) g over the grades.";
    TAG_DECODE, TAG_DECODE_S, "tag_decode", run_tag_decode, "The best well-formed sequence under independent labels.";
    CRF_LOSS, CRF_LOSS_S, "crf_loss", run_crf_loss, "-log p of the sequence under a CRF.";
    CRF_DECODE, CRF_DECODE_S, "crf_decode", run_crf_decode, "The best sequence under a CRF (Viterbi).";
    CRF_PROBS, CRF_PROBS_S, "crf_probs", run_crf_probs, "Posterior marginals under a CRF.";
}

impl Operation for HeadOp {
    fn signature(&self) -> &'static Signature {
        self.signature
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        c.node(call, 0).map(Val::Node)
    }

    fn by_example(&self) -> bool {
        self.signature.name == "project"
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        (self.run)(run, inputs)
    }
}

#[cfg(feature = "train")]
fn run_project(run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
    let (x, rows) = inputs[0].as_float()?;
    let act = kernels::activation::Activation::None;
    Ok(Value::float(kernels::linear::linear(x, run.param(0), Some(run.param(1)), act)?, rows))
}

#[cfg(feature = "train")]
fn run_argmax(_: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
    let (x, rows) = inputs[0].as_float()?;
    let rows_of = crate::backend::exec::numbers(x)?;
    let ids: Vec<u32> = rows_of.chunks_exact(x.dim(1)?.max(1)).map(|row| kernels::simd::greatest(row) as u32).collect();
    Ok(Value::Label { ids: ids.into(), space: x.dim(1)?, rows: rows.clone() })
}

/// A loss of each place, summed by example.
#[cfg(feature = "train")]
pub(super) fn by_example(places: &candle_core::Tensor, rows: &crate::backend::Rows) -> candle_core::Result<Value> {
    let each = if rows.levels.is_empty() { places.clone() } else { kernels::segment::sum(places, &rows.by_example())? };
    Ok(Value::float(each, &crate::backend::Rows::examples(rows.batch).into()))
}

#[cfg(feature = "train")]
fn run_softmax_loss(run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
    let (x, rows) = inputs[0].as_float()?;
    let Value::Label { ids, .. } = &inputs[1] else { return run.wrong_input() };
    let weights = run.class_weights();
    let smoothing = run.float_or("smoothing", 0.0) as f32;
    by_example(&kernels::loss::softmax_cross_entropy(x, ids, smoothing, weights.as_deref())?, rows)
}

#[cfg(feature = "train")]
fn run_sigmoid_loss(run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
    let (x, rows) = inputs[0].as_float()?;
    let Value::Float { tensor, rows: gold_rows } = &inputs[1] else { return run.wrong_input() };
    let gold = crate::backend::exec::numbers(tensor)?;
    let width = tensor.dim(1)?;
    let parents = rows.parents(gold_rows);
    let targets: Vec<f32> =
        parents.iter().flat_map(|p| gold[*p as usize * width..(*p as usize + 1) * width].iter().copied()).collect();
    by_example(&kernels::loss::sigmoid_bce(x, &Arc::new(targets))?, rows)
}

#[cfg(feature = "train")]
fn run_above(run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
    let (x, rows) = inputs[0].as_float()?;
    Ok(Value::float(x.detach().ge(run.float("threshold"))?.to_dtype(x.dtype())?, rows))
}

#[cfg(feature = "train")]
fn run_regression_loss(run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
    let ((x, rows), (gold, _)) = (inputs[0].as_float()?, inputs[1].as_float()?);
    let gold = Arc::new(crate::backend::exec::numbers(gold)?);
    by_example(&kernels::loss::regression(x, &gold, run.bool("huber"))?, rows)
}

#[cfg(feature = "train")]
fn run_grade_loss(run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
    let ((x, rows), (gold, _)) = (inputs[0].as_float()?, inputs[1].as_float()?);
    let grades = run.grades();
    let mut targets = Vec::with_capacity(x.elem_count());
    for y in crate::backend::exec::numbers(gold)? {
        targets.extend(spread(y, &grades));
    }
    by_example(&kernels::loss::kl_to_soft(x, &Arc::new(targets))?, rows)
}

/// A number as a distribution over the two grades around it (Tai et al. 2015, eq. 15).
pub fn spread(y: f32, grades: &[f32]) -> Vec<f32> {
    let mut p = vec![0.0; grades.len()];
    if y.is_nan() || grades.is_empty() {
        p.fill(f32::NAN);
        return p;
    }
    let above = grades.iter().position(|g| *g >= y).unwrap_or(grades.len() - 1);
    if above == 0 || grades[above] <= y {
        p[above] = 1.0;
    } else {
        let (low, high) = (grades[above - 1], grades[above]);
        p[above] = (y - low) / (high - low);
        p[above - 1] = 1.0 - p[above];
    }
    p
}

#[cfg(feature = "train")]
fn run_expected_grade(run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
    let (p, rows) = inputs[0].as_float()?;
    let grades = run.grades();
    let n = grades.len();
    let grades = candle_core::Tensor::from_vec(grades, (n, 1), run.device)?;
    Ok(Value::float(p.matmul(&grades)?, rows))
}

#[cfg(feature = "train")]
fn run_tag_decode(run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
    let (x, rows) = inputs[0].as_float()?;
    let Some(constraint) = run.constraint() else { return run_argmax(run, inputs) };
    let Some(offsets) = rows.inner() else { return run.wrong_input() };
    let ids = kernels::crf::best_labels(&x.detach(), constraint, offsets)?;
    Ok(Value::Label { ids: ids.into(), space: x.dim(1)?, rows: rows.clone() })
}

#[cfg(feature = "train")]
fn run_crf_loss(run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
    let (x, rows) = inputs[0].as_float()?;
    let (Value::Label { ids, .. }, Some(offsets)) = (&inputs[1], rows.inner()) else { return run.wrong_input() };
    let each = kernels::crf::crf_nll(x, run.param(0), run.param(1), run.param(2), ids, offsets)?;
    let outer: Arc<crate::backend::Rows> = rows.outer().into();
    by_example(&each, &outer)
}

#[cfg(feature = "train")]
fn run_crf_decode(run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
    let (x, rows) = inputs[0].as_float()?;
    let Some(offsets) = rows.inner() else { return run.wrong_input() };
    let params = Some((run.param(0), run.param(1), run.param(2)));
    let ids = kernels::crf::viterbi(&x.detach(), params, run.constraint(), offsets)?;
    Ok(Value::Label { ids: ids.into(), space: x.dim(1)?, rows: rows.clone() })
}

#[cfg(feature = "train")]
fn run_crf_probs(run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
    let (x, rows) = inputs[0].as_float()?;
    let Some(offsets) = rows.inner() else { return run.wrong_input() };
    let p = kernels::crf::marginals(x, run.param(0), run.param(1), run.param(2), offsets)?;
    Ok(Value::float(p, rows))
}

/// Labels of a value, `NO_LABEL` where there is none.
#[cfg(feature = "train")]
pub fn labels(value: &Value) -> Vec<u32> {
    match value {
        Value::Label { ids, .. } => ids.to_vec(),
        other => vec![NO_LABEL; other.rows().map_or(0, |r| r.places())],
    }
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn a_number_lies_between_two_grades() {
        let grades = [1.0, 2.0, 3.0];
        assert_eq!(spread(2.0, &grades), [0.0, 1.0, 0.0]);
        assert_eq!(spread(1.25, &grades), [0.75, 0.25, 0.0]);
        assert_eq!(spread(9.0, &grades), [0.0, 0.0, 1.0]);
        assert_eq!(spread(0.0, &grades), [1.0, 0.0, 0.0]);
        assert!(spread(f32::NAN, &grades)[0].is_nan());
    }
}
