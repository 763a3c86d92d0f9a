//! Signatures of the `train` block.
use super::signature::{Group, Signature};
/// Settings of the `train` block.
pub static TRAIN: Signature = Signature { name: "train", group: Group::Internal, doc: "", inputs: &[], args: &[] };
/// Settings of a loss item.
pub static LOSS: Signature = Signature { name: "loss", group: Group::Internal, doc: "", inputs: &[], args: &[] };
