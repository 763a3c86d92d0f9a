//! `co_attention(a, b)`: two texts look at each other.

use super::signature::*;
use super::{Operation, attrs, combine};
use crate::diagnostics::{Diagnostic, codes};
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::types::Ty;

#[cfg(feature = "train")]
use crate::backend::{Offsets, Value, exec::Run, kernels::attention::cross_attention, kernels::shape};
#[cfg(feature = "train")]
use candle_core::Tensor;

/// `co_attention(a, b)`.
pub struct CoAttention;

static CO_ATTENTION: Signature = Signature {
    name: "co_attention",
    group: Group::Attention,
    doc: "Two values look at each other (Xiong et al. 2017, eq. 1–4): with L = A Bᵀ, P = softmax(L) over b and Q = softmax(Lᵀ) over a, gives (P [B; Q A], Q [A; P B]), twice as wide as the inputs, as a tuple: what each place sees, and what that has seen of this side.",
    inputs: &[input("a"), input("b")],
    args: &[],
};

impl Operation for CoAttention {
    fn signature(&self) -> &'static Signature {
        &CO_ATTENTION
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (a, on_a, width) = c.vector(call, 0)?;
        let (b, on_b, other) = c.vector(call, 1)?;
        c.axis(call, 0, &on_a)?;
        c.axis(call, 1, &on_b)?;
        if on_a.example != on_b.example || on_a.outer() != on_b.outer() {
            let (x, y) = (c.show(c.graph.ty(a)), c.show(c.graph.ty(b)));
            let message = "'co_attention' takes two values of the same examples, each with one axis of its own";
            let d = Diagnostic::new(codes::AXIS_MISMATCH, call.span, message)
                .also(call.inputs[0].1, format!("this is {x}"))
                .also(call.inputs[1].1, format!("this is {y}"))
                .help("pool an axis that only one of them has");
            return Err(c.error_in(&call.scope, d));
        }
        combine::equal_widths(c, call, &[width.clone(), other])?;
        let depth = attrs([("depth", on_a.outer().axes.len().into())]);
        let wide = width.times(2);
        let seen_by_a = c.emit(call, vec![a, b], depth.clone(), vec![], Ty::Vector(on_a, wide.clone()));
        let seen_by_b = c.emit(call, vec![b, a], depth, vec![], Ty::Vector(on_b, wide));
        Ok(Val::Tuple(vec![Val::Node(seen_by_a), Val::Node(seen_by_b)]))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let ((a, rows), (b, b_rows)) = (inputs[0].as_float()?, inputs[1].as_float()?);
        let depth = run.int("depth");
        Ok(Value::float(seen(a, b, &rows.grouped(depth), &b_rows.grouped(depth))?, rows))
    }
}

/// `P [B; Q A]` for each segment of `a [N, d]` and `b [M, d]`: `[N, 2d]`.
#[cfg(feature = "train")]
fn seen(a: &Tensor, b: &Tensor, of_a: &Offsets, of_b: &Offsets) -> candle_core::Result<Tensor> {
    // The kernel divides scores by √d, which these have not.
    let root = (a.dim(1)? as f64).sqrt();
    let beside = |x: &Tensor, y: &Tensor| shape::concat_cols(&[x.clone(), y.clone()]);
    let back = cross_attention(&shape::scale(b, root)?, &beside(a, a)?, of_b, of_a, 1, None)?;
    let a = shape::scale(a, root)?;
    let first = cross_attention(&a, &beside(b, b)?, of_a, of_b, 1, None)?;
    let second = cross_attention(&a, &beside(b, &back)?, of_a, of_b, 1, None)?;
    beside(&first, &second)
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;
    use crate::backend::rows::offsets_of;
    use candle_core::Device;

    type Matrix = Vec<Vec<f64>>;

    fn times(a: &Matrix, b: &Matrix) -> Matrix {
        let cell = |row: &[f64], j: usize| row.iter().zip(b).map(|(x, r)| x * r[j]).sum();
        a.iter().map(|row| (0..b[0].len()).map(|j| cell(row, j)).collect()).collect()
    }

    fn turned(a: &Matrix) -> Matrix {
        (0..a[0].len()).map(|j| a.iter().map(|row| row[j]).collect()).collect()
    }

    fn softmax(a: &Matrix) -> Matrix {
        let row = |row: &Vec<f64>| {
            let total: f64 = row.iter().map(|x| x.exp()).sum();
            row.iter().map(|x| x.exp() / total).collect()
        };
        a.iter().map(row).collect()
    }

    #[test]
    fn is_the_formula_of_the_paper() {
        let numbers = |n: usize, salt: f64| -> Matrix {
            (0..n).map(|i| (0..3).map(|j| ((i * 3 + j) as f64 * 1.7 + salt).sin()).collect()).collect()
        };
        let (a, b) = (numbers(4, 0.3), numbers(2, 2.1));
        let scores = times(&a, &turned(&b));
        let (p, q) = (softmax(&scores), softmax(&turned(&scores)));
        let expected: Matrix =
            times(&p, &b).into_iter().zip(times(&p, &times(&q, &a))).map(|(x, y)| [x, y].concat()).collect();
        // A text of one word stands before each.
        let tensor = |m: &Matrix| {
            let flat: Vec<f32> = [0.5; 3].into_iter().chain(m.iter().flatten().map(|x| *x as f32)).collect();
            Tensor::from_vec(flat, (m.len() + 1, 3), &Device::Cpu).expect("a matrix")
        };
        let got = seen(&tensor(&a), &tensor(&b), &offsets_of([1, 4]), &offsets_of([1, 2])).expect("a value");
        let got = got.to_vec2::<f32>().expect("numbers");
        assert!(got[0].iter().all(|x| (x - 0.5).abs() < 1e-6), "one word sees the other: {:?}", got[0]);
        for (got, expected) in got[1..].iter().zip(&expected) {
            assert!(got.iter().zip(expected).all(|(x, y)| (f64::from(*x) - y).abs() < 1e-5), "{got:?} {expected:?}");
        }
    }
}
