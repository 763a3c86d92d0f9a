//! The `mtlc` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    mtlc::cli::main()
}
