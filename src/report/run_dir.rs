//! The folder of a run.
//!
//! ```text
//! runs/atis/
//!   version.json        versions of mtlc, of this layout and of the plan
//!   environment.json    machine, device, seed, command
//!   source/             the program as trained, with the files that it uses
//!   plan.json           the compiled program
//!   vocabularies.json   labels, words and tokenizers
//!   data.json           checksums of the data files
//!   model.safetensors   the weights of the best epoch
//!   pretrained/         for each pretrained encoder its configuration, tokenizer and unused weights
//!   checkpoints/        everything needed to go on
//!   metrics.jsonl       losses and figures as the run went
//!   results.json        test figures; there when the run is finished
//!   tensorboard/        the same for TensorBoard
//!   report.html         the same to look at
//! ```

use std::io;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::results::{is_unfinished, write_whole};
use crate::diagnostics::{Diagnostic, codes};
use crate::source::SourceMap;

/// The version of this layout.
pub const LAYOUT: u32 = 1;

/// The folder that runs go to when nobody says otherwise.
pub const RUNS: &str = "runs";

/// A run's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir {
    root: PathBuf,
}

/// What `version.json` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Of mtlc.
    pub mtlc: String,
    /// [`LAYOUT`].
    pub layout: u32,
    /// [`crate::plan::VERSION`].
    pub plan: u32,
}

impl Version {
    /// What this build writes.
    pub fn current() -> Self {
        Self { mtlc: env!("CARGO_PKG_VERSION").into(), layout: LAYOUT, plan: crate::plan::VERSION }
    }
}

macro_rules! files {
    ($($method:ident = $name:literal, $doc:literal;)*) => {
        $(#[doc = $doc] pub fn $method(&self) -> PathBuf { self.root.join($name) })*
    };
}

impl RunDir {
    files! {
        version = "version.json", "Versions.";
        environment = "environment.json", "Machine, device, seed, command.";
        source = "source", "The folder of the program as trained.";
        plan = "plan.json", "The compiled program.";
        vocabularies = "vocabularies.json", "Labels, words and tokenizers.";
        data = "data.json", "Checksums of the data files.";
        model = "model.safetensors", "The weights.";
        pretrained = "pretrained", "The folder of what pretrained encoders have beside weights.";
        checkpoints = "checkpoints", "The folder of checkpoints.";
        metrics = "metrics.jsonl", "Losses and figures as the run went.";
        results = "results.json", "Test figures.";
        tensorboard = "tensorboard", "The folder of TensorBoard's events.";
        report = "report.html", "The report.";
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A folder for a new run: `out` when the user named one, which must not exist or be empty,
    /// else the first of `runs/NAME`, `runs/NAME-2`, … that is not there.
    pub fn create(name: &str, out: Option<&Path>) -> Result<Self, Diagnostic> {
        Self::create_in(Path::new(RUNS), name, out)
    }

    /// [`RunDir::create`] with another folder of runs.
    pub fn create_in(runs: &Path, name: &str, out: Option<&Path>) -> Result<Self, Diagnostic> {
        let root = match out {
            Some(out) => take(out)?,
            None => next_free(runs, name)?,
        };
        let run = Self { root };
        run.write_version()?;
        Ok(run)
    }

    /// The folder of a run that goes on: it must be of this very mtlc, since another may compute
    /// other bits.
    pub fn resume(root: &Path) -> Result<Self, Diagnostic> {
        let (run, version) = Self::read(root)?;
        let current = Version::current().mtlc;
        if version.mtlc != current {
            let message = format!("the run `{}` was begun by mtlc {}, not {current}", root.display(), version.mtlc);
            return Err(Diagnostic::placeless(codes::VERSION, message)
                .help("resume it with the mtlc that began it, or begin a new run"));
        }
        run.sweep();
        Ok(run)
    }

    /// The folder of a run that is there, of a version that this build reads.
    pub fn open(root: &Path) -> Result<Self, Diagnostic> {
        Self::read(root).map(|(run, _)| run)
    }

    fn read(root: &Path) -> Result<(Self, Version), Diagnostic> {
        let run = Self { root: root.to_path_buf() };
        let shown = root.display();
        let text = std::fs::read_to_string(run.version()).map_err(|error| {
            let found = error.kind() == io::ErrorKind::NotFound;
            let unread = || format!("its `version.json` cannot be read: {error}");
            let why = if found { "it has no `version.json`".into() } else { unread() };
            Diagnostic::placeless(codes::RUN_DIR, format!("`{shown}` is no run: {why}"))
                .help("name a folder that `mtlc run` has made, such as `runs/atis`")
        })?;
        let version: Version = serde_json::from_str(&text).map_err(|error| {
            Diagnostic::placeless(codes::RUN_DIR, format!("`{shown}/version.json` is damaged: {error}"))
        })?;
        if version.layout != LAYOUT || version.plan != crate::plan::VERSION {
            let message = format!("the run `{shown}` was made by mtlc {}, whose format is another", version.mtlc);
            return Err(
                Diagnostic::placeless(codes::VERSION, message).help("train it again with this mtlc, or use that one")
            );
        }
        Ok((run, version))
    }

    /// Removes what a killed process was about to write; what cannot be removed stays.
    fn sweep(&self) {
        let mut open = vec![self.root.clone()];
        while let Some(folder) = open.pop() {
            for path in std::fs::read_dir(folder).into_iter().flatten().filter_map(|e| Some(e.ok()?.path())) {
                if is_unfinished(&path) {
                    let _ = std::fs::remove_file(path);
                } else if path.starts_with(self.source()) && path.is_dir() {
                    open.push(path);
                }
            }
        }
    }

    /// Whether the run came to its end: it has results.
    pub fn is_finished(&self) -> bool {
        self.results().exists()
    }

    /// Notes down the versions.
    fn write_version(&self) -> Result<(), Diagnostic> {
        let mut text = serde_json::to_string_pretty(&Version::current()).unwrap_or_default();
        text.push('\n');
        self.write(&self.version(), text.as_bytes())
    }

    /// Writes a file of the run, whole or not at all.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Diagnostic> {
        write_whole(path, bytes).map_err(|error| unwritable(path, &error))
    }

    /// Writes the program with the files that it uses, whose places relative to each other stay,
    /// and returns the main file's path.
    pub fn write_sources(&self, sources: &SourceMap) -> Result<PathBuf, Diagnostic> {
        let paths: Vec<PathBuf> = sources.files().map(|(_, file)| plain(&file.path)).collect();
        let base = common_folder(&paths);
        let mut main = None;
        for ((_, file), path) in sources.files().zip(&paths) {
            let place = self.source().join(path.strip_prefix(&base).unwrap_or(path));
            if let Some(folder) = place.parent() {
                std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
            }
            self.write(&place, file.text.as_bytes())?;
            main.get_or_insert(place);
        }
        Ok(main.unwrap_or_else(|| self.source()))
    }
}

/// The folder that the user named, made if need be.
fn take(out: &Path) -> Result<PathBuf, Diagnostic> {
    std::fs::create_dir_all(out).map_err(|error| unwritable(out, &error))?;
    let mut entries = std::fs::read_dir(out).map_err(|error| unwritable(out, &error))?;
    if entries.all(|entry| entry.is_ok_and(|entry| is_unfinished(&entry.path()))) {
        return Ok(out.to_path_buf());
    }
    let shown = out.display();
    let help = match RunDir::open(out) {
        Ok(run) if !run.is_finished() => format!("go on with it by `--out {shown} --resume`, or name another folder"),
        _ => "name another folder; without `--out` a new one is made".into(),
    };
    Err(Diagnostic::placeless(codes::OUTPUT, format!("`{shown}` is not empty, and a run overwrites nothing"))
        .help(help))
}

/// `runs/NAME`, `runs/NAME-2`, …: made here, so that two runs that begin at once differ.
fn next_free(runs: &Path, name: &str) -> Result<PathBuf, Diagnostic> {
    std::fs::create_dir_all(runs).map_err(|error| unwritable(runs, &error))?;
    for number in 1.. {
        let path = runs.join(if number == 1 { name.to_string() } else { format!("{name}-{number}") });
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(unwritable(&path, &error)),
        }
    }
    Err(unwritable(runs, &io::ErrorKind::AlreadyExists.into()))
}

/// E0904.
pub fn unwritable(path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::placeless(codes::OUTPUT, format!("`{}` cannot be written: {error}", path.display()))
        .help("make room, or choose another folder with `--out`")
}

/// A path from the root without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            other => plain.push(other),
        }
    }
    plain
}

fn common_folder(paths: &[PathBuf]) -> PathBuf {
    let mut base = paths.first().and_then(|path| path.parent()).unwrap_or(Path::new("")).to_path_buf();
    while !paths.iter().all(|path| path.starts_with(&base)) && base.pop() {}
    base
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_runs_are_numbered() {
        let dir = tempfile::tempdir().unwrap();
        let runs = dir.path().join("runs");
        let names: Vec<PathBuf> =
            (0..3).map(|_| RunDir::create_in(&runs, "atis", None).unwrap().root().to_owned()).collect();
        assert_eq!(names, [runs.join("atis"), runs.join("atis-2"), runs.join("atis-3")]);
        assert_eq!(RunDir::open(&names[1]).unwrap().model(), runs.join("atis-2/model.safetensors"));
    }

    #[test]
    fn a_named_folder_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("mine");
        let run = RunDir::create("atis", Some(&out)).unwrap();
        let refused = RunDir::create("atis", Some(&out)).unwrap_err();
        assert_eq!(refused.code, codes::OUTPUT);
        assert!(refused.help.unwrap().contains("--resume"));
        run.write(&run.results(), b"{}").unwrap();
        assert!(run.is_finished());
        assert!(!RunDir::create("atis", Some(&out)).unwrap_err().help.unwrap().contains("--resume"));
    }

    #[test]
    fn what_is_no_run_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(RunDir::open(dir.path()).unwrap_err().code, codes::RUN_DIR);
        let version = Version { layout: LAYOUT + 1, ..Version::current() };
        std::fs::write(dir.path().join("version.json"), serde_json::to_string(&version).unwrap()).unwrap();
        assert_eq!(RunDir::open(dir.path()).unwrap_err().code, codes::VERSION);
    }

    #[test]
    fn used_files_keep_their_places() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::create("x", Some(&dir.path().join("run"))).unwrap();
        let mut sources = SourceMap::new();
        sources.add("a/programs/main.mtl", "use \"../encoders.mtl\"");
        sources.add("a/programs/../encoders.mtl", "layer e = embed(4)");
        let main = run.write_sources(&sources).unwrap();
        assert_eq!(main, run.source().join("programs/main.mtl"));
        assert_eq!(
            std::fs::read_to_string(main.parent().unwrap().join("../encoders.mtl")).unwrap(),
            "layer e = embed(4)"
        );
    }
}
