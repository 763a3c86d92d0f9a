//! `forward` and `backward`: the states of one direction of a recurrent layer.

use super::signature::*;
use super::{Operation, attrs};
use crate::diagnostics::{Diagnostic, codes};
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::{Graph, NodeId};
use crate::sema::types::Ty;

#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run};

/// `forward` or `backward`.
pub struct Direction {
    signature: &'static Signature,
}

static FORWARD_SIGNATURE: Signature = Signature {
    name: "forward",
    group: Group::Recurrent,
    doc: "The states of the direction from left to right of a recurrent layer: what each has read stands to its left. The layer may be followed by dropout.",
    inputs: &[input("x")],
    args: &[],
};

static BACKWARD_SIGNATURE: Signature = Signature {
    name: "backward",
    group: Group::Recurrent,
    doc: "The states of the direction from right to left of a recurrent layer: what each has read stands to its right. The layer may be followed by dropout.",
    inputs: &[input("x")],
    args: &[],
};

/// `forward`.
pub static FORWARD: Direction = Direction { signature: &FORWARD_SIGNATURE };
/// `backward`.
pub static BACKWARD: Direction = Direction { signature: &BACKWARD_SIGNATURE };

/// Operations that leave each number where it was.
pub const KEPT: &[&str] = &["dropout", "word_dropout", "noise", "perturb", "detach", "reverse_gradient"];

/// The node that made the numbers of a value.
pub fn states_of(graph: &Graph, mut x: NodeId) -> NodeId {
    loop {
        let node = graph.node(x);
        match node.inputs.first() {
            Some(inner) if KEPT.contains(&node.op) => x = *inner,
            _ => return x,
        }
    }
}

impl Operation for Direction {
    fn signature(&self) -> &'static Signature {
        self.signature
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on, width) = c.vector(call, 0)?;
        let name = self.signature.name;
        match (c.graph.node(states_of(&c.graph, x)).op, width.known()) {
            ("bilstm" | "bigru", Some(d)) => {
                let start = if name == "forward" { 0 } else { d / 2 };
                let ty = Ty::Vector(on, (d / 2).into());
                Ok(Val::Node(c.emit(call, vec![x], attrs([("start", start.into())]), vec![], ty)))
            }
            ("lstm" | "gru", _) if name == "forward" => Ok(Val::Node(x)),
            (made, _) => {
                let why = match made {
                    "lstm" | "gru" => format!("an `{made}` runs from left to right only"),
                    _ => "this is none".into(),
                };
                let message = format!("'{name}' reads the states of a recurrent layer of two directions, and {why}");
                let shown = c.show(&Ty::Vector(on, width));
                let d = Diagnostic::new(codes::WRONG_INPUT, call.span, message)
                    .also(call.inputs[0].1, format!("this is {shown}"))
                    .help(format!("write `x |> bilstm(128) |> {name}`, with nothing but dropout between them"));
                Err(c.error_in(&call.scope, d))
            }
        }
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let (x, rows) = inputs[0].as_float()?;
        let half = x.narrow(1, run.int("start"), run.node.width)?;
        Ok(Value::float(half.contiguous()?, rows))
    }
}
