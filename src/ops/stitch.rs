//! Columns that a learned matrix mixes: `cross_stitch`, `sluice`.

use super::signature::*;
use super::{Operation, attrs, combine};
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::Init;
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::types::{Ty, Width};

#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run, kernels};

/// A mixture of columns.
pub struct Stitch {
    signature: &'static Signature,
}

static CROSS_STITCH_SIGNATURE: Signature = Signature {
    name: "cross_stitch",
    group: Group::Sharing,
    doc: "Two or more values of one width, each mixed with the others: yᵢ = Σⱼ αᵢⱼ xⱼ at each place, as a tuple (Misra et al. 2016, eq. 1). α begins with 0.9 for a value itself and 0.1 shared among the others.",
    inputs: &[input("a"), input("b"), MORE],
    args: &[],
};

static SLUICE_SIGNATURE: Signature = Signature {
    name: "sluice",
    group: Group::Sharing,
    doc: "Two or more values of one width, each cut into subspaces, whose subspaces a learned matrix α mixes: yᵢ = Σⱼ αᵢⱼ xⱼ over all subspaces of all values, as a tuple (Ruder et al. 2019, eq. 1). α begins with 0.9 for a subspace itself and 0.1 shared among the others. The paper's mixture of layers is `mix`, and its constraint on subspaces `orthogonal`.",
    inputs: &[input("a"), input("b"), MORE],
    args: &[arg("subspaces", COUNT, Default::Int(2), "Subspaces of each value; they share its width.")],
};

/// `cross_stitch(a, b)`.
pub static CROSS_STITCH: Stitch = Stitch { signature: &CROSS_STITCH_SIGNATURE };
/// `sluice(a, b, subspaces)`.
pub static SLUICE: Stitch = Stitch { signature: &SLUICE_SIGNATURE };

/// Any number of values after the first two.
const MORE: Input = Input { name: "more", optional: true, many: true };

/// What a column keeps of itself at first.
const OWN: f32 = 0.9;

impl Operation for Stitch {
    fn signature(&self) -> &'static Signature {
        self.signature
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        if call.inputs.len() < 2 {
            c.node(call, 1)?;
        }
        let (nodes, on, widths) = combine::meeting(c, call)?;
        one_width(c, call, &widths)?;
        let (n, subspaces) = (nodes.len(), call.args.int("subspaces").unwrap_or(1));
        let width = widths[0].clone();
        if subspaces > 1 && width.known().is_none_or(|w| w % subspaces != 0) {
            let at = call.args.span("subspaces").unwrap_or(call.span);
            let message = format!("{subspaces} subspaces cannot share a width of {}", c.show_width(&width));
            let d = Diagnostic::new(codes::BAD_ARGUMENT, at, message);
            return Err(c.error_in(&call.scope, d.help("the width must be a multiple of the number of subspaces")));
        }
        let parts = n * subspaces;
        let init = Init::Diagonal { on: OWN, off: (1.0 - OWN) / (parts.max(2) - 1) as f32 };
        let alpha = c.param(call, "alpha", vec![parts.into(), parts.into()], init)?;
        let ty = Ty::Vector(on.clone(), width.times(n));
        let mixed = c.emit(call, nodes, attrs([("parts", parts.into())]), vec![alpha], ty);
        let column = |c: &mut Checker<'a>, i: usize| {
            let ty = Ty::Vector(on.clone(), width.clone());
            Val::Node(c.emit_as(call, "column", vec![mixed], attrs([("at", i.into())]), vec![], ty))
        };
        Ok(Val::Tuple((0..n).map(|i| column(c, i)).collect()))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let Some(rows) = inputs[0].rows() else { return run.wrong_input() };
        let columns: Vec<_> = inputs.iter().map(|x| x.tensor().cloned()).collect::<candle_core::Result<_>>()?;
        let x = kernels::shape::concat_cols(&columns)?;
        Ok(Value::float(kernels::stitch::stitch(&x, run.param(0))?, rows))
    }
}

/// Values that are mixed place by place must be equally wide.
fn one_width<'a>(c: &mut Checker<'a>, call: &Call<'a>, widths: &[Width]) -> Checked<()> {
    let Some(i) = widths.iter().position(|w| *w != widths[0]) else { return Ok(()) };
    let (x, y) = (c.show_width(&widths[0]), c.show_width(&widths[i]));
    let message = format!("'{}' mixes values of one width, and these have {x} and {y}", call.name());
    let d = Diagnostic::new(codes::WIDTH_MISMATCH, call.span, message)
        .also(call.inputs[0].1, format!("width {x}"))
        .also(call.inputs[i].1, format!("width {y}"))
        .help("give both layers the same width, or bring one to the other's with `linear(d)`");
    Err(c.error_in(&call.scope, d))
}

/// One of several values that lie side by side.
pub struct Column;

static COLUMN: Signature = Signature {
    name: "column",
    group: Group::Internal,
    doc: "One of several values that lie side by side.",
    inputs: &[input("x")],
    args: &[],
};

impl Operation for Column {
    fn signature(&self) -> &'static Signature {
        &COLUMN
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        c.node(call, 0).map(Val::Node)
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let (x, rows) = inputs[0].as_float()?;
        let width = run.node.width;
        Ok(Value::float(x.narrow(1, run.int("from") + run.int("at") * width, width)?.contiguous()?, rows))
    }
}
