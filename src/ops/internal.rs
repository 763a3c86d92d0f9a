//! Operations that programs do not call by name: fields, unions, labels as vectors, task outputs.

use super::Operation;
use super::signature::*;
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;

#[cfg(feature = "train")]
use crate::backend::{NO_LABEL, Value, exec::Run, kernels};
#[cfg(feature = "train")]
use candle_core::Tensor;

/// An operation that the checker makes itself.
pub struct Internal {
    signature: &'static Signature,
    #[cfg(feature = "train")]
    run: fn(&Run<'_>, &[Value]) -> candle_core::Result<Value>,
}

macro_rules! internal {
    ($($item:ident, $sig:ident, $name:literal, $run:ident, $doc:literal;)*) => {
        $(static $sig: Signature =
            Signature { name: $name, group: Group::Internal, doc: $doc, inputs: &[many("x")], args: &[] };
        #[doc = $doc]
        pub static $item: Internal = Internal {
            signature: &$sig,
            #[cfg(feature = "train")]
            run: $run,
        };)*
    };
}

internal! {
    FIELD, FIELD_SIGNATURE, "field", field, "A field of the batch.";
    INDEX, INDEX_SIGNATURE, "index", index, "Which member of a family the batch is of.";
    ONE_HOT, ONE_HOT_SIGNATURE, "one_hot", one_hot, "Labels as vectors; a place without a label is zero.";
    REPEAT_ROWS, REPEAT_ROWS_SIGNATURE, "repeat_rows", repeat_rows, "A value repeated along the axes it lacks.";
    READ_GOLD, READ_GOLD_SIGNATURE, "read_gold", same, "A task's gold.";
    FORCED_LABEL, FORCED_LABEL_SIGNATURE, "forced_label", forced_label, "Gold some of the time in training, else the prediction.";
    EXPECTED_EMBEDDING, EXPECTED_EMBEDDING_SIGNATURE, "expected_embedding", expected_embedding, "The expected embedding of a label.";
    UNION, UNION_SIGNATURE, "union", same, "The value of the member that the batch is of.";
}

impl Operation for Internal {
    fn signature(&self) -> &'static Signature {
        self.signature
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        c.node(call, 0).map(Val::Node)
    }

    fn by_example(&self) -> bool {
        self.signature.name == "repeat_rows"
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        (self.run)(run, inputs)
    }
}

#[cfg(feature = "train")]
fn same(_: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
    Ok(inputs[0].clone())
}

#[cfg(feature = "train")]
fn field(run: &Run<'_>, _: &[Value]) -> candle_core::Result<Value> {
    run.field()
}

#[cfg(feature = "train")]
fn index(run: &Run<'_>, _: &[Value]) -> candle_core::Result<Value> {
    let rows = crate::backend::Rows::examples(run.examples());
    let ids = vec![run.int("member") as u32; rows.batch];
    Ok(Value::Label { ids: ids.into(), space: run.int("members"), rows: rows.into() })
}

#[cfg(feature = "train")]
fn one_hot(run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
    let Value::Label { ids, space, rows } = &inputs[0] else { return run.wrong_input() };
    let mut numbers = vec![0f32; ids.len() * space];
    for (row, id) in numbers.chunks_exact_mut((*space).max(1)).zip(ids.iter()) {
        if let Some(x) = row.get_mut(*id as usize) {
            *x = 1.0;
        }
    }
    let tensor = Tensor::from_vec(numbers, (ids.len(), *space), run.device)?;
    Ok(Value::Float { tensor, rows: rows.clone() })
}

#[cfg(feature = "train")]
fn repeat_rows(run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
    let (Some(have), Some(rows)) = (inputs[0].rows(), inputs[1].rows()) else { return run.wrong_input() };
    let parents = rows.parents(have);
    match &inputs[0] {
        Value::Label { ids, space, .. } => {
            let ids: Vec<u32> = parents.iter().map(|p| ids[*p as usize]).collect();
            Ok(Value::Label { ids: ids.into(), space: *space, rows: rows.clone() })
        }
        Value::Tokens { .. } => run.wrong_input(),
        vectors => Ok(Value::float(kernels::segment::gather_rows(vectors.tensor()?, &parents.into())?, rows)),
    }
}

/// Gold or prediction, drawn for each example.
#[cfg(feature = "train")]
fn forced_label(run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
    let (Value::Label { ids, space, rows }, true) = (&inputs[0], run.training) else { return Ok(inputs[0].clone()) };
    let Value::Label { ids: gold, .. } = &inputs[1] else { return run.wrong_input() };
    let (draw, p) = (run.draw(), run.float("gold") as f32);
    let mut ids = ids.to_vec();
    for (example, places) in rows.by_example().windows(2).enumerate() {
        if draw.bernoulli(example as u64, p) {
            for place in places[0] as usize..places[1] as usize {
                if (gold[place] as usize) < *space && gold[place] != NO_LABEL {
                    ids[place] = gold[place];
                }
            }
        }
    }
    Ok(Value::Label { ids: ids.into(), space: *space, rows: rows.clone() })
}

#[cfg(feature = "train")]
fn expected_embedding(run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
    let (p, rows) = inputs[0].as_float()?;
    // The table is [C, d] and the product p E: a linear layer with the transposed table.
    Ok(Value::float(p.matmul(&run.param(0).tensor())?, rows))
}
