//! `reads:` of `lstm`: a cell that reads the state of another recurrence, through a gate.

use super::recurrent::{UNKNOWN, lstm_params};
use super::signature::*;
use super::{Operation, attrs};
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::{Attr, Init};
use crate::sema::call::{Call, Checked, Func, Reported, Val};
use crate::sema::checker::Checker;
use crate::sema::coupling::Cell;
use crate::sema::graph::{NodeId, ParamId};
use crate::sema::types::{On, Ty, Width};
use crate::source::Span;

#[cfg(feature = "train")]
use crate::backend::{
    Value,
    exec::Run,
    kernels::{activation::Activation, linear::linear, recurrent::coupled, segment, shape},
};

/// LSTMs that go through time together, or one that reads a value.
pub struct Coupled;

static COUPLED: Signature = Signature {
    name: "coupled",
    group: Group::Internal,
    doc: "LSTMs whose candidate memory reads another state one step before, through a gate (Liu et al. 2016, eq. 9–14).",
    inputs: &[many("x")],
    args: &[],
};

/// Parameters of a cell.
#[cfg(feature = "train")]
const PARAMS: usize = 7;

/// The states of an `lstm` of `d` units over `x` with `reads:`.
pub fn states<'a>(c: &mut Checker<'a>, call: &Call<'a>, (x, on, width): (NodeId, On, Width)) -> Checked<NodeId> {
    let d = call.args.int("d").unwrap_or(1);
    let (other, at) = read_layer(c, call)?;
    let within = call.scope.within;
    let text = within.map_or(x, |(_, _, text)| text);
    if within.is_some_and(|own| own == (other.0, other.1, text)) {
        let message = format!("'{}' reads itself; a recurrent layer always reads its own state", other.0);
        let d = Diagnostic::new(codes::CYCLE, at, message).help("leave `reads` out, or name another layer");
        return Err(c.error_in(&call.scope, d));
    }
    let params = own_params(c, call, &width, d)?;
    c.cells.push(Cell { layer: within, input: x, params, width: d, made: None });
    let read = match c.open_cells((other.0, other.1, text)) {
        Some(first) => close(c, call, first, &on),
        None => {
            let layer = Val::Func(Func::Layer { name: other.0, member: other.1, rest: vec![], span: at }.into());
            let value = c.apply(layer, vec![(Val::Node(text), at)], at, &call.scope);
            c.value_node(&value, at, &call.scope)
        }
    };
    let Some(cell) = c.cells.pop() else { return Err(Reported) };
    let read = read?;
    match cell.made {
        Some(states) => Ok(states),
        None => alone(c, call, cell, (read, at), &on),
    }
}

/// The layer that `reads` names.
fn read_layer<'a>(c: &mut Checker<'a>, call: &Call<'a>) -> Checked<((&'a str, usize), Span)> {
    let Some(e) = call.args.any("reads") else { return Err(Reported) };
    if call.name() != "lstm" || call.args.int("layers").unwrap_or(1) > 1 {
        let message = "`reads` belongs to an `lstm` of one layer and one direction";
        let d = Diagnostic::new(codes::BAD_ARGUMENT, e.span, message);
        return Err(
            c.error_in(&call.scope, d.help("write `lstm(d, reads: other)`; stacked layers stand before or after it"))
        );
    }
    match c.eval(e, &call.scope) {
        Val::Error => Err(Reported),
        Val::Func(f) => match &*f {
            Func::Layer { name, member, rest, .. } if rest.is_empty() => Ok(((*name, *member), e.span)),
            _ => Err(no_layer(c, call, e.span)),
        },
        _ => Err(no_layer(c, call, e.span)),
    }
}

fn no_layer<'a>(c: &mut Checker<'a>, call: &Call<'a>, at: Span) -> Reported {
    let d = Diagnostic::new(codes::WRONG_KIND, at, "`reads` names a layer, whose states on the same text are read");
    c.error_in(&call.scope, d.help("give it a name: `layer other = lstm(64)`"))
}

/// All but the weights of what is read, whose width is not known yet.
fn own_params<'a>(c: &mut Checker<'a>, call: &Call<'a>, width: &Width, h: usize) -> Checked<Vec<ParamId>> {
    let mut params = lstm_params(c, call, "", width, h, UNKNOWN)?;
    let init = Init::Uniform(1.0 / (h as f32).sqrt());
    params.push(c.param(call, "gate_ih", vec![h.into(), width.clone()], init.clone())?);
    params.push(c.param(call, "gate_hh", vec![h.into(), h.into()], init)?);
    params.push(c.param(call, "gate_bias", vec![h.into()], Init::Zeros)?);
    Ok(params)
}

/// The weights of what a cell reads, which lie beside its others.
fn read_params<'a>(c: &mut Checker<'a>, call: &Call<'a>, cell: &Cell<'a>, r: Width) -> Checked<ParamId> {
    let h = cell.width;
    let first = c.graph.params[cell.params[0].0].name.clone();
    let path = first.strip_suffix("w_ih").unwrap_or(&first);
    let (path, init) = (format!("{path}w_read"), Init::Uniform(1.0 / (h as f32).sqrt()));
    c.param_at(path, vec![(2 * h).into(), r], init, call.span, &call.scope)
}

/// The innermost cell reads the layer that cell `first` is of: those from there on read each other
/// in turn, and are one operation.
fn close<'a>(c: &mut Checker<'a>, call: &Call<'a>, first: usize, on: &On) -> Checked<NodeId> {
    let cells = c.cells[first..].to_vec();
    let (mut inputs, mut params, mut widths) = (Vec::new(), Vec::new(), Vec::new());
    for (k, cell) in cells.iter().enumerate() {
        let other = &cells[(k + 1) % cells.len()];
        inputs.push(cell.input);
        params.extend(&cell.params);
        params.push(read_params(c, call, cell, other.width.into())?);
        widths.push(cell.width);
    }
    let list = widths.iter().map(|w| Attr::Int(*w as i64)).collect();
    let attributes = attrs([("cells", Attr::List(list))]);
    let ty = Ty::Vector(on.clone(), widths.iter().sum::<usize>().into());
    let all = c.emit_as(call, "coupled", inputs, attributes, params, ty);
    let mut from = 0;
    let mut states = all;
    for (k, width) in widths.into_iter().enumerate() {
        let ty = Ty::Vector(on.clone(), width.into());
        states = c.emit_as(call, "column", vec![all], attrs([("from", from.into())]), vec![], ty);
        c.close_cell(first + k, states);
        from += width;
    }
    Ok(states)
}

/// A cell that reads a value which is known before.
fn alone<'a>(
    c: &mut Checker<'a>,
    call: &Call<'a>,
    cell: Cell<'a>,
    (read, at): (NodeId, Span),
    on: &On,
) -> Checked<NodeId> {
    let (read, read_on, r) = c.as_vector(read, at, call.span, call.name(), &call.scope)?;
    if read_on != *on {
        let (x, y) = (c.show(c.graph.ty(cell.input)), c.show(c.graph.ty(read)));
        let message = "a recurrent layer reads states along the same tokens, one for each";
        let d = Diagnostic::new(codes::AXIS_MISMATCH, at, message)
            .label(format!("this gives {y}"))
            .also(call.inputs[0].1, format!("it reads {x}"));
        return Err(c.error_in(&call.scope, d.help("name a layer that keeps the token axis")));
    }
    let mut params = cell.params.clone();
    params.push(read_params(c, call, &cell, r)?);
    let list = vec![Attr::Int(cell.width as i64)];
    let ty = Ty::Vector(on.clone(), cell.width.into());
    Ok(c.emit_as(call, "coupled", vec![cell.input, read], attrs([("cells", Attr::List(list))]), params, ty))
}

impl Operation for Coupled {
    fn signature(&self) -> &'static Signature {
        &COUPLED
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        c.node(call, 0).map(Val::Node)
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let Some(rows) = inputs[0].rows() else { return run.wrong_input() };
        let Some(offsets) = rows.inner() else { return run.wrong_input() };
        let count = run.node.params.len() / PARAMS;
        let read = inputs.get(count);
        let (mut pre, mut cells) = (Vec::new(), Vec::new());
        for (k, x) in inputs[..count].iter().enumerate() {
            let p = |i: usize| run.param(k * PARAMS + i);
            pre.push(linear(x.tensor()?, p(0), Some(p(2)), Activation::None)?);
            pre.push(linear(x.tensor()?, p(3), Some(p(5)), Activation::None)?);
            let reads = if read.is_some() { None } else { Some(((k + 1) % count, p(6))) };
            cells.push(coupled::Cell { w_hh: p(1), w_hg: p(4), reads });
        }
        if let Some(read) = read {
            let before = segment::rows_or_zeros(read.tensor()?, super::shift::shifted(offsets, 1))?;
            pre.push(linear(&before, run.param(6), None, Activation::None)?);
        }
        Ok(Value::float(coupled::coupled(&shape::concat_cols(&pre)?, offsets, &cells)?, rows))
    }
}
