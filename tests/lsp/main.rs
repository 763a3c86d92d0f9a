//! The language server, asked over memory by a client of the test's own, and over its streams by
//! two real ones.

mod answers;
mod behaviour;
mod client;
mod completion;
