//! The tensor code of heads with feedback.

use candle_core::Result;

use crate::backend::kernels::crf::{Rules, greedy};
use crate::backend::kernels::feedback::{self, Head};
use crate::backend::kernels::recurrent::{Labels, gru, lstm};
use crate::backend::{Param, Value, exec::Run};

/// The node's parameters: the table of labels, then, for a recurrent layer, how its gates read
/// them and its own; in a path also those of the projection and of a CRF.
fn params<'a>(run: &'a Run<'_>) -> Vec<&'a Param> {
    (0..run.node.params.len()).map(|i| run.param(i)).collect()
}

fn labels(table: &Param, weight: &Param) -> Labels {
    Labels { table: table.clone(), weight: weight.clone() }
}

/// What may follow what: by the label space, and by a CRF whose parameters stand last.
fn rules(run: &Run<'_>, classes: usize) -> Result<Rules> {
    let params = params(run);
    let crf = params.last_chunk::<3>().filter(|_| run.bool("crf")).copied();
    Rules::new(classes, crf, run.constraint())
}

pub fn run_feedback(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let (x, rows) = inputs[0].as_float()?;
    let (Value::Label { ids, .. }, Some(offsets)) = (&inputs[1], rows.inner()) else { return run.wrong_input() };
    let p = params(run);
    let before = feedback::previous(ids, offsets, p[0].var.dims()[0] - 1);
    let y = match (run.str("cell"), &p[..]) {
        ("lstm", [table, w, i, h, b, ..]) => lstm::fed(x, offsets, [i, h, b], labels(table, w), &before)?,
        ("gru", [table, w, i, h, b, c, ..]) => gru::fed(x, offsets, [i, h, b, c], labels(table, w), &before)?,
        _ => feedback::beside(x, &before, p[0])?,
    };
    Ok(Value::float(y, rows))
}

pub fn run_path(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    if let (true, Some(gold)) = (run.training, inputs.get(1)) {
        return Ok(gold.clone());
    }
    let (x, rows) = inputs[0].as_float()?;
    let Some(offsets) = rows.inner() else { return run.wrong_input() };
    let p = params(run);
    let classes = p[0].var.dims()[0] - 1;
    let head = |weight, bias| Ok::<_, candle_core::Error>(Head { weight, bias, rules: rules(run, classes)? });
    let ids = match (run.str("cell"), &p[..]) {
        ("lstm", [table, w, i, h, b, weight, bias, ..]) => {
            lstm::greedy(x, offsets, [i, h, b], &labels(table, w), &head(weight, bias)?)?
        }
        ("gru", [table, w, i, h, b, c, weight, bias, ..]) => {
            gru::greedy(x, offsets, [i, h, b, c], &labels(table, w), &head(weight, bias)?)?
        }
        (_, [table, weight, bias, ..]) => feedback::greedy(x, table, &head(weight, bias)?, offsets)?,
        _ => return run.wrong_input(),
    };
    Ok(Value::Label { ids: ids.into(), space: classes, rows: rows.clone() })
}

/// At prediction what was read; in training, where that was gold, what is best given it.
pub fn run_label(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    if !run.training {
        return Ok(inputs[0].clone());
    }
    let (x, rows) = inputs[1].as_float()?;
    let Some(offsets) = rows.inner() else { return run.wrong_input() };
    let space = x.dim(1)?;
    let ids = greedy(x, &rules(run, space)?, offsets)?;
    Ok(Value::Label { ids: ids.into(), space, rows: rows.clone() })
}
