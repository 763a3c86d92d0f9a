//! Operations that programs may name and this build checks but does not compute yet. Each moves
//! to a file of its own when it is built.

use super::signature::*;
use super::{Operation, attrs};
use crate::diagnostics::{Diagnostic, codes};
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::NodeId;
use crate::sema::types::{On, Ty, Width};

/// How the type of what comes out follows from the inputs.
#[derive(Clone, Copy)]
enum Rule {
    /// As the first input, vectors or words.
    Same,
    /// As the first input, with the width `d`.
    WidthD,
    /// All inputs as they are, as a tuple.
    Tuple,
    /// Places of the first input, the width of the second.
    SecondWidth,
    /// One number for each place of the first input.
    One,
    /// One number.
    Scalar,
}

/// An operation without tensor code.
pub struct Later {
    signature: &'static Signature,
    rule: Rule,
}

macro_rules! later {
    ($($item:ident, $sig:ident, $name:literal, $group:ident, $rule:ident, $inputs:expr, $args:expr, $doc:literal;)*) => {
        $(static $sig: Signature =
            Signature { name: $name, group: Group::$group, doc: $doc, inputs: $inputs, args: $args };
        static $item: Later = Later { signature: &$sig, rule: Rule::$rule };)*
        /// The operations of this file.
        pub const ALL: &[&dyn Operation] = &[$(&$item),*];
    };
}

const X: &[Input] = &[input("x")];
const AB: &[Input] = &[input("a"), input("b")];
const XS: &[Input] = &[many("x")];
const D: Arg = required("d", Kind::Width, "Width of what comes out.");

later! {
    CO_ATTENTION, CO_ATTENTION_S, "co_attention", Attention, Tuple, AB, &[], "Two texts look at each other (Xiong et al. 2017).";
    LABEL_ATTENTION, LABEL_ATTENTION_S, "label_attention", Attention, Same, X, &[required("task", Kind::Any, "The task whose labels are looked at.")], "x + softmax(x W) Wᵀ with the weights of a task's head (Qin et al. 2021).";
    HIGHWAY, HIGHWAY_S, "highway", Dense, Same, X, &[], "t ⊙ f(x) + (1 - t) ⊙ x (Srivastava et al. 2015).";
    JOIN, JOIN_S, "join", Combine, Same, XS, &[], "Values end to end along the token or set axis.";
    PART, PART_S, "part", Combine, SecondWidth, AB, &[], "A value's share of a joined one.";
    SHIFT, SHIFT_S, "shift", Combine, Same, X, &[required("n", Kind::Int(-1_000_000, 1_000_000), "Places to the right.")], "Each place reads the one n places before.";
    GRAPH_ATTENTION, GRAPH_ATTENTION_S, "graph_attention", Structure, Same, X, &[required("edges", Kind::Any, "Which places see each other."), arg("heads", COUNT, Default::Int(1), "Heads.")], "Attention along the edges of a graph (Veličković et al. 2018).";
    CROSS_STITCH, CROSS_STITCH_S, "cross_stitch", Sharing, Tuple, AB, &[], "Two values mixed by a learned 2 x 2 matrix (Misra et al. 2016).";
    SLUICE, SLUICE_S, "sluice", Sharing, Tuple, AB, &[arg("subspaces", COUNT, Default::Int(2), "Subspaces of each.")], "Subspaces of two values mixed by a learned matrix (Ruder et al. 2019).";
    EXPERTS, EXPERTS_S, "experts", Sharing, WidthD, X, &[required("n", COUNT, "How many."), D], "Several layers side by side.";
    ROUTE, ROUTE_S, "route", Sharing, SecondWidth, &[input("x"), input("experts")], &[], "A mixture of experts by a learned gate (Ma et al. 2018).";
    SELECT_LAYERS, SELECT_LAYERS_S, "select_layers", Sharing, Same, XS, &[], "Layers taken or skipped by a learned policy (Sun et al. 2020).";
    MEMORY, MEMORY_S, "memory", Sharing, WidthD, X, &[required("n", COUNT, "Slots."), D], "Attention to trained slots.";
    SNAPSHOT, SNAPSHOT_S, "snapshot", Loss, Scalar, &[], &[required("paths", Kind::Any, "Layers and tasks.")], "Squared distance of parameters to their weights when the last stage, turn or epoch ended (Hashimoto et al. 2017).";
    SPARSITY, SPARSITY_S, "sparsity", Loss, One, X, &[], "The mean absolute value.";
    REINFORCE, REINFORCE_S, "reinforce", Loss, One, &[input("reward")], &[required("task", Kind::Any, "The task that is rewarded.")], "-(r - b) log p of a sample (Williams 1992).";
    PRETRAINED, PRETRAINED_S, "pretrained", Words, Same, X, &[required("from", Kind::Str, "A folder or hub id."), arg("train", Kind::Bool, Default::Bool(true), "Whether it is fine-tuned."), arg("layers", Kind::Widths, Default::Unset, "Which layers are kept."), arg("mix", Kind::Bool, Default::Bool(false), "A learned mix of the layers.")], "A pretrained encoder.";
    TIED, TIED_S, "tied", Internal, Same, X, &[], "An embedding that reads another's table.";
    READS, READS_S, "reads", Internal, Same, X, &[], "A recurrent layer that reads another's state.";
    TOP, TOP_S, "top", Internal, Same, X, &[], "The best candidates of a task.";
    GENERATED, GENERATED_S, "generated", Internal, Same, X, &[], "What a decoder wrote.";
}

impl Operation for Later {
    fn signature(&self) -> &'static Signature {
        self.signature
    }

    fn runs(&self) -> bool {
        false
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        if let (Rule::Scalar, Some(paths)) = (self.rule, call.args.any("paths")) {
            let params = c.paths(paths, &call.scope)?;
            return Ok(Val::Node(c.emit(call, vec![], attrs([]), params, Ty::Scalar)));
        }
        let mut nodes = Vec::new();
        for i in 0..call.inputs.len() {
            nodes.push(c.node(call, i)?);
        }
        if let Rule::Tuple = self.rule {
            if matches!(self.signature.name, "cross_stitch" | "sluice") {
                one_width(c, call, &nodes)?;
            }
            let outputs = nodes.clone().into_iter().enumerate().map(|(i, n)| {
                let ty = c.graph.ty(n).clone();
                Val::Node(c.emit(call, nodes.clone(), attrs([("part", i.into())]), vec![], ty))
            });
            return Ok(Val::Tuple(outputs.collect()));
        }
        let ty = self.output(c, call, &nodes)?;
        Ok(Val::Node(c.emit(call, nodes, attrs([]), vec![], ty)))
    }
}

/// Values that are mixed place by place must be equally wide.
fn one_width<'a>(c: &mut Checker<'a>, call: &Call<'a>, nodes: &[NodeId]) -> Checked<()> {
    let mut widths = Vec::new();
    for (i, node) in nodes.iter().enumerate() {
        let at = call.inputs[i].1;
        widths.push((c.as_vector(*node, at, call.span, call.name(), &call.scope)?.2, at));
    }
    let Some((first, first_at)) = widths.first().cloned() else { return Ok(()) };
    let Some((other, at)) = widths.iter().find(|(width, _)| *width != first).cloned() else { return Ok(()) };
    let (x, y) = (c.show_width(&first), c.show_width(&other));
    let message = format!("'{}' mixes values of one width, and these have {x} and {y}", call.name());
    let d = Diagnostic::new(codes::WIDTH_MISMATCH, call.span, message)
        .also(first_at, format!("width {x}"))
        .also(at, format!("width {y}"))
        .help("give both layers the same width, or bring one to the other's with `linear(d)`");
    Err(c.error_in(&call.scope, d))
}

impl Later {
    fn output<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>, nodes: &[crate::sema::graph::NodeId]) -> Checked<Ty> {
        let Some(&first) = nodes.first() else { return Ok(Ty::Scalar) };
        if self.signature.name == "pretrained" {
            let (_, on) = c.tokens(call, 0)?;
            return Ok(Ty::Vector(on, 768.into()));
        }
        let ty = c.graph.ty(first).clone();
        let on = ty.on().cloned().unwrap_or_else(On::free);
        Ok(match self.rule {
            Rule::WidthD => Ty::Vector(on, call.args.width("d").unwrap_or_default()),
            Rule::SecondWidth => match nodes.get(1).map(|n| c.graph.ty(*n).clone()) {
                Some(Ty::Vector(_, width)) => Ty::Vector(on, width),
                _ => ty,
            },
            Rule::One => Ty::Vector(on, Width::from(1)),
            Rule::Scalar => Ty::Scalar,
            Rule::Same | Rule::Tuple => ty,
        })
    }
}

/// `pick(x, indices)`: members of a set axis, by a task's candidates or by indices.
pub struct Pick;

static PICK: Signature = Signature {
    name: "pick",
    group: Group::Structure,
    doc: "Members of a set axis; what falls outside is no gold in training and wrong in evaluation.",
    inputs: &[input("x")],
    args: &[required("indices", Kind::Any, "A task's `.top(k)`, or a `choice` field.")],
};

impl Operation for Pick {
    fn signature(&self) -> &'static Signature {
        &PICK
    }

    fn runs(&self) -> bool {
        false
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on, width) = c.vector(call, 0)?;
        let mut inputs = vec![x];
        if let Some(e) = call.args.any("indices") {
            match c.eval(e, &call.scope) {
                Val::Top(task, _) => inputs.push(c.built(task, e.span)?.logits),
                Val::Error => return Err(crate::sema::call::Reported),
                other => inputs.push(c.value_node(&other, e.span, &call.scope)?),
            }
        }
        Ok(Val::Node(c.emit(call, inputs, attrs([]), vec![], Ty::Vector(on, width))))
    }
}

/// `search(query, store, k)`.
pub struct Search;

static SEARCH: Signature = Signature {
    name: "search",
    group: Group::Structure,
    doc: "The k nearest examples of another data set, with their fields and `.score`.",
    inputs: &[input("query")],
    args: &[
        required("store", Kind::Any, "A field of the data set that is searched."),
        arg("k", COUNT, Default::Int(5), "How many."),
        arg("by", Kind::Word(&["dot", "bm25"]), Default::Word("dot"), "How nearness is measured."),
    ],
};

impl Operation for Search {
    fn signature(&self) -> &'static Signature {
        &SEARCH
    }

    fn runs(&self) -> bool {
        false
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let x = c.node(call, 0)?;
        let ty = c.graph.ty(x).clone();
        Ok(Val::Node(c.emit(call, vec![x], attrs([]), vec![], ty)))
    }
}
