//! Runs the nodes of a plan on a batch.
use super::Value;
/// What an operation sees while it computes a node.
pub struct Run<'a> { _x: &'a () }
impl Run<'_> {
    /// Says that the operation has no tensor code in this build.
    pub fn not_computed(&self, op: &str) -> candle_core::Result<Value> {
        candle_core::bail!("this build does not run '{op}' yet")
    }
}
