//! What the training loop asks of a model. The backend's executor is one; tests bring toys.

use std::sync::Arc;

use candle_core::Tensor;
use candle_core::backprop::GradStore;

use crate::backend::{Grads, Param};
pub use crate::data::value::{Labelled, Node};

/// A loss that one batch gives.
pub struct LossTerm {
    /// Which task or loss item.
    pub source: LossSource,
    /// A scalar, averaged over the examples that have gold, before any weight.
    pub value: Tensor,
    /// How many examples had gold.
    pub examples: usize,
}

/// Where a loss comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LossSource {
    /// Index into [`crate::plan::Plan::tasks`].
    Task(usize),
    /// Index into [`crate::plan::Plan::losses`].
    Item(usize),
}

/// A batch and the losses that are asked of it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a, B> {
    /// Its data set.
    pub data: usize,
    /// The batch.
    pub batch: &'a B,
    /// The tasks and items.
    pub sources: &'a [LossSource],
    /// What random operations draw from.
    pub seed: u64,
}

/// What a task predicted on a batch, beside the gold.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Index into [`crate::plan::Plan::tasks`].
    pub task: usize,
    /// Positions of the examples in the data set's split.
    pub examples: Vec<u32>,
    /// Predictions and gold, example by example; `gold` is `None` where there is none.
    pub items: Vec<Judged>,
    /// Sum of the examples' losses, over those with gold.
    pub loss: f64,
}

/// One example's prediction and gold.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// What was predicted.
    pub predicted: Answer,
    /// What is right.
    pub gold: Option<Answer>,
    /// Probability of the prediction, where the head has one.
    pub confidence: Option<f32>,
}

/// A prediction or gold of one example.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A label.
    Class(u32),
    /// A set of labels, ascending.
    Labels(Vec<u32>),
    /// A label for each place; [`crate::backend::NO_LABEL`] where there is none.
    Tags(Vec<u32>),
    /// A number.
    Number(f32),
    /// Head and label of each token; [`crate::backend::NO_LABEL`] where there is none.
    Tree(Vec<Node>),
    /// Labelled spans.
    Spans(Vec<Labelled>),
    /// Labelled ordered pairs of spans.
    Relations(Vec<Linked>),
    /// A score for each member of a set; as gold its grade, NaN where there is none.
    Scores(Vec<f32>),
    /// A text.
    Text(Written),
}

/// A text that was written, or that should have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The text that its pieces make; of a field with `lower: true`, in lower case.
    pub text: Arc<str>,
    /// How many pieces a decoder is asked for to write it, the end of the text among them.
    pub pieces: usize,
}

/// Two spans and how the one is related to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Linked {
    /// The first span, with its type.
    pub head: Labelled,
    /// The second.
    pub tail: Labelled,
    /// The label.
    pub label: u32,
}

/// A model that can be trained.
pub trait Trainee {
    /// A batch as the model takes it.
    type Batch: Send;

    /// All parameters, in the order of the flat arrays.
    fn params(&self) -> &[Param];

    /// The parameters, to freeze and thaw them.
    fn params_mut(&mut self) -> &mut [Param];

    /// Their gradients.
    fn grads(&self) -> &Arc<Grads>;

    /// The losses of the asked tasks and items on a batch of data set `data`; those without gold
    /// in the batch are left out. Random operations draw from `seed`.
    fn losses(
        &self,
        data: usize,
        batch: &Self::Batch,
        asked: &[LossSource],
        seed: u64,
    ) -> candle_core::Result<Vec<LossTerm>>;

    /// The losses of several batches of a step, for which a model may run what they share once.
    fn joint_losses(&self, parts: &[Asked<'_, Self::Batch>]) -> candle_core::Result<Vec<Vec<LossTerm>>> {
        parts.iter().map(|part| self.losses(part.data, part.batch, part.sources, part.seed)).collect()
    }

    /// Predictions of the asked tasks, without any randomness.
    fn outcomes(&self, data: usize, batch: &Self::Batch, tasks: &[usize]) -> candle_core::Result<Vec<Outcome>>;

    /// Whether a loss reads values that are perturbed against it, and is computed a second time.
    fn is_perturbed(&self, _source: LossSource, _data: usize) -> bool {
        false
    }

    /// Takes what a backward pass says of values that are perturbed.
    fn note_perturbed(&self, _store: &GradStore) -> candle_core::Result<()> {
        Ok(())
    }

    /// A second pass begins, in which losses read the perturbed values, or ends.
    fn second_pass(&self, _begins: bool) {}

    /// An `ordered` turn, or else an epoch, has ended, or a stage: what `snapshot` keeps.
    fn turn_ended(&mut self) -> candle_core::Result<()> {
        Ok(())
    }

    /// Arrays that are no parameters but must survive in checkpoints, by name.
    fn extra(&self) -> candle_core::Result<Vec<(String, Tensor)>> {
        Ok(Vec::new())
    }

    /// Takes up what [`Trainee::extra`] gave; `find` gives the numbers of a name.
    fn set_extra(&mut self, _find: &dyn Fn(&str) -> Option<Vec<f32>>) -> candle_core::Result<()> {
        Ok(())
    }
}
