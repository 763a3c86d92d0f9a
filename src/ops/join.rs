//! `join(a, b)`: values end to end along their innermost axis; `part(x, a)`: a share of such a one.

use std::rc::Rc;

use super::signature::*;
use super::{Operation, attrs, combine};
use crate::diagnostics::{Diagnostic, codes};
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::NodeId;
use crate::sema::types::{On, Ty};
use crate::source::Span;

#[cfg(feature = "train")]
use crate::backend::{Offsets, Rows, Value, exec::Run, kernels};

/// What stands between the names of the axes that are joined.
const AND: &str = " + ";
/// What stands for a value that is one vector for each place of the others' outer axes.
const ONE: &str = "1";

/// `join(a, b, …)`.
pub struct Join;

static JOIN: Signature = Signature {
    name: "join",
    group: Group::Combine,
    doc: "Values end to end along the token or set axis, texts too; a value without that axis is one more member. `part` takes them apart again.",
    inputs: &[many("x")],
    args: &[],
};

impl Operation for Join {
    fn signature(&self) -> &'static Signature {
        &JOIN
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let mut nodes = vec![c.node(call, 0)?];
        if let Ty::Tokens(_) = c.graph.ty(nodes[0]) {
            for i in 1..call.inputs.len() {
                nodes.push(c.tokens(call, i)?.0);
            }
            if let [one] = nodes.as_slice() {
                return Ok(Val::Node(*one));
            }
            let on = joined(c, call, &nodes)?;
            return Ok(Val::Node(c.emit(call, nodes, attrs([]), vec![], Ty::Tokens(on))));
        }
        let mut widths = Vec::new();
        nodes.clear();
        for i in 0..call.inputs.len() {
            let (node, _, width) = c.vector(call, i)?;
            nodes.push(node);
            widths.push(width);
        }
        combine::equal_widths(c, call, &widths)?;
        if let [one] = nodes.as_slice() {
            return Ok(Val::Node(*one));
        }
        let on = joined(c, call, &nodes)?;
        let ty = Ty::Vector(on, widths.swap_remove(0));
        Ok(Val::Node(c.emit(call, nodes, attrs([]), vec![], ty)))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let Some(all) = inputs.iter().map(Value::rows).collect::<Option<Vec<_>>>() else { return run.wrong_input() };
        let Some(most_split) = all.iter().max_by_key(|rows| rows.levels.len()) else { return run.wrong_input() };
        let outer = most_split.outer();
        let pieces: Vec<Offsets> = all.iter().map(|rows| rows.grouped(outer.levels.len())).collect();
        let (order, offsets) = interleaved(&pieces);
        let mut rows = outer;
        rows.levels.push(offsets);
        let rows = rows.into();
        if let Value::Tokens { lexicon, .. } = &inputs[0] {
            let mut every = Vec::with_capacity(order.len());
            for text in inputs {
                let Value::Tokens { ids, .. } = text else { return run.wrong_input() };
                every.extend_from_slice(ids);
            }
            let ids: Vec<u32> = order.iter().map(|at| every[*at as usize]).collect();
            return Ok(Value::Tokens { ids: ids.into(), lexicon: lexicon.clone(), rows });
        }
        let parts = inputs.iter().map(Value::tensor).collect::<candle_core::Result<Vec<_>>>()?;
        let every = candle_core::Tensor::cat(&parts, 0)?;
        Ok(Value::float(kernels::segment::rows_or_zeros(&every, order)?, &rows))
    }
}

/// Where each row of the joined value stands when the pieces lie one after the other, and where
/// each of its segments begins.
#[cfg(feature = "train")]
pub(super) fn interleaved(pieces: &[Offsets]) -> (Vec<u32>, Offsets) {
    let segments = pieces.first().map_or(0, |p| p.len() - 1);
    let (mut order, mut offsets) = (Vec::new(), vec![0]);
    for s in 0..segments {
        let mut first = 0;
        for piece in pieces {
            order.extend(first + piece[s]..first + piece[s + 1]);
            first += piece.last().copied().unwrap_or(0);
        }
        offsets.push(order.len() as u32);
    }
    (order, offsets.into())
}

/// The places of values end to end.
fn joined<'a>(c: &mut Checker<'a>, call: &Call<'a>, nodes: &[NodeId]) -> Checked<On> {
    let ons: Vec<On> = nodes.iter().map(|n| c.graph.ty(*n).on().cloned().unwrap_or_else(On::free)).collect();
    let depth = ons.iter().map(|on| on.axes.len()).max().unwrap_or(0);
    let first = ons.iter().position(|on| on.axes.len() == depth).unwrap_or(0);
    c.axis(call, first, &ons[first])?;
    let outer = ons[first].outer();
    let fits = |on: &On| *on == outer || on.axes.len() == depth && on.outer() == outer;
    if let Some(i) = ons.iter().position(|on| !fits(on)) {
        let (x, y) = (c.show(c.graph.ty(nodes[first])), c.show(c.graph.ty(nodes[i])));
        let message = "'join' puts values of the same examples end to end, which differ in one axis";
        let d = Diagnostic::new(codes::AXIS_MISMATCH, call.span, message)
            .also(call.inputs[first].1, format!("this is {x}"))
            .also(call.inputs[i].1, format!("this is {y}"));
        return Err(c.error_in(&call.scope, d.help("pool what only one of them has, with `mean_pool`")));
    }
    let names: Vec<&str> = ons.iter().map(|on| if on.axes.len() < depth { ONE } else { last(on) }).collect();
    Ok(On { example: outer.example, axes: outer.axes.iter().cloned().chain([names.join(AND).into()]).collect() })
}

fn last(on: &On) -> &str {
    on.inner().map_or(ONE, |axis| axis)
}

/// The values that stand along a joined axis: what the `join` that made it was given, and what
/// those were made of.
pub(super) fn pieces(c: &Checker<'_>, on: &On) -> Vec<NodeId> {
    let made = |node: &&crate::sema::graph::Node| node.op == "join" && node.ty.on() == Some(on);
    let Some(join) = c.graph.nodes.iter().find(made) else { return Vec::new() };
    let of = |node: &NodeId| {
        let inner = c.graph.ty(*node).on().map_or_else(Vec::new, |on| pieces(c, on));
        if inner.is_empty() { vec![*node] } else { inner }
    };
    join.inputs.iter().flat_map(of).collect()
}

/// `part(x, a)`.
pub struct Part;

static PART: Signature = Signature {
    name: "part",
    group: Group::Combine,
    doc: "The share that `a` has of a value along a joined axis: `part(join(a, b) |> f, b)` stands on the places of b.",
    inputs: &[input("x"), input("a")],
    args: &[],
};

impl Operation for Part {
    fn signature(&self) -> &'static Signature {
        &PART
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on, width) = c.vector(call, 0)?;
        let a = c.node(call, 1)?;
        let wanted = c.graph.ty(a).on().cloned().unwrap_or_else(On::free);
        let all = pieces(c, &on);
        if all.is_empty() {
            let message = format!("'part' takes a share of a joined value, and this is {}", c.show(c.graph.ty(x)));
            let d = Diagnostic::new(codes::AXIS_MISMATCH, call.inputs[0].1, message);
            return Err(c.error_in(&call.scope, d.help("values are joined by `join(a, b)`, and layers keep the axis")));
        }
        let at = share(c, call, (&on, call.inputs[0].1), &all, &wanted)?;
        let mut inputs = vec![x, a];
        inputs.extend(&all[..at]);
        Ok(Val::Node(c.emit(call, inputs, attrs([]), vec![], Ty::Vector(wanted, width))))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let (x, rows) = inputs[0].as_float()?;
        let (Some(of), Some(wanted)) = (rows.inner(), inputs[1].rows()) else { return run.wrong_input() };
        let depth = rows.levels.len() - 1;
        let lengths = |rows: &Rows| rows.grouped(depth);
        let before: Vec<Offsets> = inputs[2..].iter().filter_map(|v| v.rows().map(|r| lengths(r))).collect();
        let own = lengths(wanted);
        let mut ids = Vec::with_capacity(wanted.places());
        for s in 0..own.len() - 1 {
            let start = of[s] + before.iter().map(|o| o[s + 1] - o[s]).sum::<u32>();
            ids.extend(start..start + own[s + 1] - own[s]);
        }
        Ok(Value::float(kernels::segment::rows_or_zeros(x, ids)?, wanted))
    }
}

/// Which piece stands on the wanted places: there is just one.
fn share<'a>(
    c: &mut Checker<'a>,
    call: &Call<'a>,
    (on, x_at): (&On, Span),
    pieces: &[NodeId],
    wanted: &On,
) -> Checked<usize> {
    let fits = |c: &Checker<'a>, node: &NodeId| c.graph.ty(*node).on() == Some(wanted);
    let found: Vec<usize> = (0..pieces.len()).filter(|i| fits(c, &pieces[*i])).collect();
    if let [one] = found.as_slice() {
        return Ok(*one);
    }
    let axis: Rc<str> = on.inner().cloned().unwrap_or_default();
    let shown = c.show(&Ty::Vector(wanted.clone(), 1.into()));
    let message = match found.as_slice() {
        [] => format!("no part of '{axis}' stands on the places of this ({shown})"),
        _ => format!("several parts of '{axis}' stand on the places of this ({shown})"),
    };
    let d = Diagnostic::new(codes::AXIS_MISMATCH, call.inputs[1].1, message)
        .also(x_at, "the joined value")
        .help("name one of the values that were joined, each along an axis of its own");
    Err(c.error_in(&call.scope, d))
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;
    use crate::backend::rows::offsets_of;

    #[test]
    fn pieces_stand_side_by_side_in_each_example() {
        let (order, offsets) = interleaved(&[offsets_of([2, 0, 1]), offsets_of([1, 1, 0]), offsets_of([1, 1, 1])]);
        assert_eq!(order, [0, 1, 3, 5, 4, 6, 2, 7]);
        assert_eq!(&*offsets, &[0, 4, 6, 8]);
    }
}
