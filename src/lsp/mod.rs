//! The language server: an editor's requests, answered from checked programs, over stdio.
//!
//! One thread does everything in order. Edits are taken as they come; when typing pauses, the
//! programs that they touch are checked again and what is wrong is published. A request that comes
//! before checks first, so that every answer is of the text as it is.

mod actions;
mod completion;
mod cursor;
mod diagnostics;
mod dispatch;
mod documents;
mod edits;
mod folding;
mod format;
mod goto;
mod highlight;
mod hints;
mod hover;
mod initialize;
mod lens;
mod markup;
mod picture;
mod rename;
mod samples;
mod server;
mod signature;
mod symbols;
mod view;
mod workspace;

use lsp_server::Connection;

pub use server::{PAUSE, serve};

/// Serves an editor over the standard streams; whether it said goodbye as it should.
pub fn stdio() -> std::io::Result<bool> {
    let (connection, threads) = Connection::stdio();
    let well = serve(connection);
    match threads.join() {
        Ok(()) => Ok(well),
        // The editor is gone: nobody reads what is left to say.
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(e) => Err(e),
    }
}
