//! Operations that programs may name and this build checks but does not compute yet. Each moves
//! to a file of its own when it is built.

use super::signature::*;
use super::{Operation, attrs};
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::types::Ty;

/// An operation without tensor code.
pub struct Later {
    signature: &'static Signature,
}

macro_rules! later {
    ($($item:ident, $sig:ident, $name:literal, $group:ident, $inputs:expr, $args:expr, $doc:literal;)*) => {
        $(static $sig: Signature =
            Signature { name: $name, group: Group::$group, doc: $doc, inputs: $inputs, args: $args };
        static $item: Later = Later { signature: &$sig };)*
        /// The operations of this file.
        pub const ALL: &[&dyn Operation] = &[$(&$item),*];
    };
}

const X: &[Input] = &[input("x")];
const XS: &[Input] = &[many("x")];

later! {
    SELECT_LAYERS, SELECT_LAYERS_S, "select_layers", Sharing, XS, &[], "Layers taken or skipped by a learned policy (Sun et al. 2020).";
    TOP, TOP_S, "top", Internal, X, &[], "The best candidates of a task.";
    GENERATED, GENERATED_S, "generated", Internal, X, &[], "What a decoder wrote.";
}

impl Operation for Later {
    fn signature(&self) -> &'static Signature {
        self.signature
    }

    fn runs(&self) -> bool {
        false
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let mut nodes = Vec::new();
        for i in 0..call.inputs.len() {
            nodes.push(c.node(call, i)?);
        }
        let ty = self.output(c, &nodes)?;
        Ok(Val::Node(c.emit(call, nodes, attrs([]), vec![], ty)))
    }
}

impl Later {
    fn output<'a>(&self, c: &mut Checker<'a>, nodes: &[crate::sema::graph::NodeId]) -> Checked<Ty> {
        let Some(&first) = nodes.first() else { return Ok(Ty::Scalar) };
        Ok(c.graph.ty(first).clone())
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
