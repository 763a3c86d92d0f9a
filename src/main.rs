//! The `mtlc` command.
fn main() {}
