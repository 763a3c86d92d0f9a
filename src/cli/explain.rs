//! `mtlc explain`.

use super::args::Explain;
use super::{Ended, out};
use crate::diagnostics::{Diagnostic, codes, explain};
use crate::sema::suggest;

/// Prints the page of a code.
pub fn run(args: &Explain) -> Ended {
    let code = args.code.to_uppercase();
    match explain::page(&code) {
        Some(page) => {
            out(page);
            Ok(true)
        }
        None => {
            let d = Diagnostic::placeless(codes::INPUT, format!("there is no diagnostic '{}'", args.code));
            let near = suggest::nearest(&code, codes::ALL.iter().map(|(c, _)| c.0));
            Err(d.help(near.map_or("codes look like `E0201`".into(), |n| format!("did you mean '{n}'?"))).into())
        }
    }
}
