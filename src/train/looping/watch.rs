//! Are losses and gradients finite, and does every parameter get one?

use std::collections::BTreeSet;

use rayon::prelude::*;

use crate::backend::kernels::simd::square_sum;
use crate::backend::{Param, Written};
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::Plan;
use crate::train::reach::params_on;
use crate::train::trainee::LossSource;

/// Steps in a row with a gradient of zero before a parameter is worth a warning.
pub(super) const ZERO_STEPS: usize = 100;

/// Numbers of one piece of a norm. Pieces are summed in order, so that the norm does not depend
/// on the number of threads.
const CHUNK: usize = 1 << 15;

/// What is known about the gradients of a stage.
pub(super) struct Watch {
    seen: BTreeSet<(LossSource, usize)>,
    zeros: Vec<usize>,
}

impl Watch {
    /// Nothing seen yet.
    pub(super) fn new(params: usize) -> Self {
        Self { seen: BTreeSet::new(), zeros: vec![0; params] }
    }

    /// Where a source is active on a data set for the first time, every trainable parameter that
    /// it reaches there must have got a gradient: gives the source and the parameter that did not.
    pub(super) fn untouched(
        &mut self,
        plan: &Plan,
        active: &BTreeSet<(LossSource, usize)>,
        params: &[Param],
        touched: impl Fn(usize) -> bool,
    ) -> Option<(LossSource, usize)> {
        for (source, data) in active {
            if !self.seen.insert((*source, *data)) {
                continue;
            }
            let missing = params_on(plan, *source, *data).into_iter().find(|p| params[*p].trainable && !touched(*p));
            if let Some(param) = missing {
                return Some((*source, param));
            }
        }
        None
    }

    /// Counts steps in which a touched parameter's gradient was zero; gives those that have
    /// just had too many in a row. `squares` holds `None` for parameters not touched.
    pub(super) fn zeros(&mut self, squares: &[Option<f64>]) -> Vec<usize> {
        let mut idle = Vec::new();
        for (param, square) in squares.iter().enumerate() {
            let Some(square) = square else { continue };
            self.zeros[param] = if *square == 0.0 { self.zeros[param] + 1 } else { 0 };
            if self.zeros[param] == ZERO_STEPS {
                idle.push(param);
            }
        }
        idle
    }
}

/// Σ g² of each parameter that was written to.
pub(super) fn squares(params: &[Param], flat: &[f32], written: &[Written]) -> Vec<Option<f64>> {
    let of = |index: usize| {
        let param = &params[index];
        square(&flat[param.sink.offset()..][..param.len()], &written[index])
    };
    let those: Vec<usize> = (0..params.len()).filter(|index| written[*index] != Written::Nothing).collect();
    let total: usize = those.iter().map(|index| params[*index].len()).sum();
    let sums: Vec<f64> = match total < 2 * CHUNK {
        true => those.iter().map(|index| of(*index)).collect(),
        false => those.par_iter().map(|index| of(*index)).collect(),
    };
    let mut all = vec![None; params.len()];
    those.iter().zip(sums).for_each(|(index, sum)| all[*index] = Some(sum));
    all
}

fn square(grad: &[f32], written: &Written) -> f64 {
    match written {
        Written::Nothing => 0.0,
        Written::Rows { width, rows } => {
            rows.iter().map(|row| square_sum(&grad[*row as usize * width..][..*width])).sum()
        }
        Written::All if grad.len() <= CHUNK => square_sum(grad),
        Written::All => grad.par_chunks(CHUNK).map(square_sum).collect::<Vec<f64>>().into_iter().sum(),
    }
}

/// E0603.
pub(super) fn no_gradient(plan: &Plan, source: LossSource, param: usize) -> Diagnostic {
    let param = &plan.params[param];
    let message = format!("no gradient of {} reaches `{}`", said(plan, source), param.name);
    Diagnostic::new(codes::NO_GRADIENT, param.span, message)
        .label("made here, and trained by it as the program says")
        .also(span_of(plan, source), "its loss")
        .help("leave out what cuts the gradient, or list it under `freeze`")
}

/// W0901.
pub(super) fn zero_gradient(plan: &Plan, param: usize) -> Diagnostic {
    let param = &plan.params[param];
    let message = format!("the gradient of `{}` has been zero for {ZERO_STEPS} steps in a row", param.name);
    Diagnostic::new(codes::ZERO_GRADIENT, param.span, message).label("these parameters stand still")
}

/// `task intent` or `loss apart`, for messages.
pub(super) fn said(plan: &Plan, source: LossSource) -> String {
    match source {
        LossSource::Task(task) => format!("task `{}`", plan.tasks[task].name),
        LossSource::Item(item) => format!("loss `{}`", plan.losses[item].name),
    }
}

/// Its bare name.
pub(super) fn name_of(plan: &Plan, source: LossSource) -> &str {
    match source {
        LossSource::Task(task) => &plan.tasks[task].name,
        LossSource::Item(item) => &plan.losses[item].name,
    }
}

/// Where it is declared.
pub(super) fn span_of(plan: &Plan, source: LossSource) -> crate::source::Span {
    match source {
        LossSource::Task(task) => plan.tasks[task].span,
        LossSource::Item(item) => plan.losses[item].span,
    }
}
