//! `mtlc predict` and `mtlc generate`.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::Path;

use super::Ended;
use super::args::{Generate, InputFormat, Predict};
use crate::data::{Inputs, Stream};
use crate::diagnostics::{Diagnostic, codes};
use crate::driver::run::Folder;
use crate::driver::{predict, training};
use crate::report::run_dir::unwritable;

/// `mtlc predict`.
pub fn run(args: &Predict) -> Ended {
    let folder = Folder::open(&args.run)?;
    let input = Input::open(&args.input)?;
    training::on_large_stack(|| {
        let program = folder.load()?.settled();
        let Input { stream, shown, live } = input;
        let inputs = inputs(args.format);
        let request = predict::Request { tasks: &args.tasks, inputs, shown: &shown, batch: args.batch as usize, live };
        let mut write = printed(|answers, text| {
            for line in answers.lines() {
                serde_json::to_writer(&mut *text, &line)?;
                text.push(b'\n');
            }
            Ok(())
        });
        predict::predict(&program, stream, &request, &mut write).map(|_| ())
    })?;
    Ok(true)
}

/// `mtlc generate`.
pub fn generate(args: &Generate) -> Ended {
    let folder = Folder::open(&args.run)?;
    let input = Input::open(&args.input)?;
    training::on_large_stack(|| {
        let mut program = folder.load()?;
        let task = predict::writer(&program, args.task.as_deref())?;
        predict::write_by(&mut program, &task, &writing(args));
        let program = program.settled();
        let Input { stream, shown, live } = input;
        let (tasks, inputs) = ([task], inputs(args.format));
        let request = predict::Request { tasks: &tasks, inputs, shown: &shown, batch: args.batch as usize, live };
        let mut write = printed(|answers, text| {
            for written in answers.texts() {
                // A text is a line, whatever is in it.
                text.extend(written.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
                text.push(b'\n');
            }
            Ok(())
        });
        predict::predict(&program, stream, &request, &mut write).map(|_| ())
    })?;
    Ok(true)
}

fn writing(args: &Generate) -> predict::Writing {
    let whole = |n: Option<u64>| n.and_then(|n| usize::try_from(n).ok());
    predict::Writing {
        beam: whole(args.beam),
        length_penalty: args.length_penalty,
        max_length: whole(args.max_length),
        sample: args.sample,
        temperature: args.temperature,
        top_k: whole(args.top_k),
        top_p: args.top_p,
        seed: args.seed,
    }
}

fn inputs(format: InputFormat) -> Inputs {
    match format {
        InputFormat::Text => Inputs::Lines,
        InputFormat::Jsonl => Inputs::Jsonl,
        InputFormat::Conll => Inputs::Conll,
    }
}

/// What is predicted from.
struct Input {
    stream: Stream,
    shown: String,
    /// Somebody may wait for an answer.
    live: bool,
}

impl Input {
    /// A file, or the standard input for `-`.
    fn open(name: &str) -> Result<Self, Diagnostic> {
        if name == "-" {
            let stream = Box::new(BufReader::new(std::io::stdin()));
            return Ok(Self { stream, shown: "<stdin>".into(), live: !stdin_is_file() });
        }
        let file =
            File::open(name).map_err(|e| Diagnostic::placeless(codes::INPUT, format!("cannot read '{name}': {e}")))?;
        let live = !is_file(&file);
        Ok(Self { stream: Box::new(BufReader::new(file)), shown: name.into(), live })
    }
}

/// Prints what `form` makes of answers, all at once: somebody may be waiting for them.
fn printed(
    form: impl Fn(&predict::Answers<'_>, &mut Vec<u8>) -> std::io::Result<()>,
) -> impl FnMut(&predict::Answers<'_>) -> Result<(), Diagnostic> {
    let mut text = Vec::new();
    move |answers| {
        text.clear();
        let mut stdout = std::io::stdout().lock();
        let print = form(answers, &mut text).and_then(|()| stdout.write_all(&text)).and_then(|()| stdout.flush());
        match print {
            Ok(()) => Ok(()),
            // A reader that has seen enough is no mistake.
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
            Err(e) => Err(unwritable(Path::new("<stdout>"), &e)),
        }
    }
}

/// Whether a file is on the disk, where all of it can be read at once, and no pipe.
fn is_file(file: &File) -> bool {
    file.metadata().is_ok_and(|m| m.is_file())
}

/// The same of the standard input.
#[cfg(unix)]
fn stdin_is_file() -> bool {
    use std::os::fd::AsFd;
    std::io::stdin().as_fd().try_clone_to_owned().is_ok_and(|fd| is_file(&fd.into()))
}

/// The same of the standard input, where nobody says.
#[cfg(not(unix))]
fn stdin_is_file() -> bool {
    false
}
