//! The tensor code of `parse`.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::heads::by_example;
use crate::backend::exec::{Run, numbers};
use crate::backend::kernels::{choice, segment, simd, tree};
use crate::backend::{NO_LABEL, Rows, Value};

/// `[Σ n (n + 1), 1]`: for each token its candidates, the root first.
pub fn run_arcs(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let ((q, rows), (h, _)) = (inputs[0].as_float()?, inputs[1].as_float()?);
    let Some(offsets) = rows.inner() else { return run.wrong_input() };
    let root = run.param(0).tensor().unsqueeze(0)?;
    let mut below = Rows::clone(rows);
    below.levels.push(tree::candidates(offsets));
    Ok(Value::float(tree::arc_scores(q, h, &root, offsets)?, &below.into()))
}

pub fn run_choice(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let (scores, rows) = inputs[0].as_float()?;
    let (Value::Tree { heads, .. }, Some(offsets)) = (&inputs[1], rows.inner()) else { return run.wrong_input() };
    by_example(&choice::choice_loss(scores, offsets, heads)?, &rows.outer())
}

pub fn run_heads(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let (scores, rows) = inputs[0].as_float()?;
    let rows: Arc<Rows> = rows.outer().into();
    let Some(offsets) = rows.inner() else { return run.wrong_input() };
    let shape = if run.str("decode") == "eisner" { tree::Shape::Projective } else { tree::Shape::Any };
    let heads = tree::best_trees(&numbers(scores)?, offsets, shape);
    let ids = vec![NO_LABEL; heads.len()].into();
    Ok(Value::Tree { heads: heads.into(), ids, space: run.node.width, rows })
}

/// A token whose head is not known reads the root; its loss is 0 whatever it reads.
pub fn run_at_heads(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let (x, rows) = inputs[0].as_float()?;
    let (Value::Tree { heads, .. }, Some(offsets)) = (&inputs[1], rows.inner()) else { return run.wrong_input() };
    let root = x.dim(0)? as u32;
    let mut at = Vec::with_capacity(heads.len());
    for text in offsets.windows(2) {
        let known = |head: u32| (1..=text[1] - text[0]).contains(&head);
        let heads = &heads[text[0] as usize..text[1] as usize];
        at.extend(heads.iter().map(|head| if known(*head) { text[0] + head - 1 } else { root }));
    }
    let all = Tensor::cat(&[x, &run.param(0).tensor().unsqueeze(0)?.to_dtype(x.dtype())?], 0)?;
    Ok(Value::float(segment::gather_rows(&all, &at.into())?, rows))
}

pub fn run_tree(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let (Value::Tree { heads, rows, .. }, (x, _)) = (&inputs[0], inputs[1].as_float()?) else {
        return run.wrong_input();
    };
    let (logits, space) = (numbers(x)?, x.dim(1)?);
    let ids: Vec<u32> = logits.chunks_exact(space.max(1)).map(|row| simd::greatest(row) as u32).collect();
    Ok(Value::Tree { heads: heads.clone(), ids: ids.into(), space, rows: rows.clone() })
}

pub fn run_labels(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let Value::Tree { ids, space, rows, .. } = &inputs[0] else { return run.wrong_input() };
    Ok(Value::Label { ids: ids.clone(), space: *space, rows: rows.clone() })
}
