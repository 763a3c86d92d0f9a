//! Where and how a run was made: versions, machine, command.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// What `environment.json` holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Environment {
    /// Version of mtlc.
    pub mtlc: String,
    /// Features that it was built with.
    pub features: Vec<String>,
    /// Whether it was built without optimisation.
    pub debug_build: bool,
    /// Operating system.
    pub os: String,
    /// Architecture.
    pub arch: String,
    /// The processor's own name, where the system tells.
    pub cpu: Option<String>,
    /// Processors that the system gives.
    pub cpus: usize,
    /// Memory of the machine in bytes, where the system tells.
    pub memory: Option<u64>,
    /// Threads that tensors are computed with.
    pub threads: usize,
    /// `cpu`, `cuda:0`, …
    pub device: String,
    /// `f32` or `bf16`.
    pub precision: String,
    /// The run's seed.
    pub seed: u64,
    /// The command with its arguments.
    pub command: Vec<String>,
    /// When it began, `2025-01-31T12:00:00Z`.
    pub started: String,
}

impl Environment {
    /// This process, with what it cannot know by itself.
    pub fn capture(device: &str, precision: &str, seed: u64, threads: usize) -> Self {
        Self {
            mtlc: env!("CARGO_PKG_VERSION").into(),
            features: features(),
            debug_build: cfg!(debug_assertions),
            os: std::env::consts::OS.into(),
            arch: std::env::consts::ARCH.into(),
            cpu: proc_line("/proc/cpuinfo", "model name"),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            memory: memory(),
            threads,
            device: device.into(),
            precision: precision.into(),
            seed,
            command: command(),
            started: utc(SystemTime::now()),
        }
    }

    /// Names and values, as the report shows them.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let build = if self.debug_build { " (not optimised)" } else { "" };
        let memory = self.memory.map(|bytes| super::numbers::bytes(bytes as f64));
        let optional = |text: Option<String>| text.unwrap_or_default();
        let rows = [
            ("mtlc", format!("{}{build}", self.mtlc)),
            ("features", self.features.join(", ")),
            ("device", self.device.clone()),
            ("precision", self.precision.clone()),
            ("threads", self.threads.to_string()),
            ("seed", self.seed.to_string()),
            ("system", format!("{} {}", self.os, self.arch)),
            ("processor", optional(self.cpu.clone())),
            ("processors", self.cpus.to_string()),
            ("memory", optional(memory)),
            ("command", self.command.join(" ")),
            ("started", self.started.clone()),
        ];
        rows.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }

    /// Writes it as JSON.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        super::results::write_whole(path, text.as_bytes())
    }

    /// Reads it.
    pub fn read(path: &Path) -> std::io::Result<Self> {
        Ok(serde_json::from_str(&std::fs::read_to_string(path)?)?)
    }
}

fn features() -> Vec<String> {
    let all = [
        ("train", cfg!(feature = "train")),
        ("cuda", cfg!(feature = "cuda")),
        ("metal", cfg!(feature = "metal")),
        ("mkl", cfg!(feature = "mkl")),
        ("accelerate", cfg!(feature = "accelerate")),
    ];
    all.iter().filter(|(_, on)| *on).map(|(name, _)| name.to_string()).collect()
}

/// The arguments; of the program's own path, the name alone.
fn command() -> Vec<String> {
    let mut words: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    if let Some(first) = words.first_mut() {
        let name = Path::new(first).file_name().map(|name| name.to_string_lossy().into_owned());
        *first = name.unwrap_or_default();
    }
    words
}

/// The value of the first line of a file that begins with a key.
fn proc_line(path: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_once(':').map(|(_, value)| value.trim().to_string())
}

/// Bytes of memory that this machine has.
pub fn memory() -> Option<u64> {
    proc_line("/proc/meminfo", "MemTotal").and_then(|kib| kibibytes(&kib))
}

fn kibibytes(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// A time as ISO 8601 in UTC.
pub fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest % 3600 / 60, rest % 60)
}

/// Year, month and day of a day since 1970, after Hinnant's `civil_from_days`: years begin in
/// March, so that the leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, date)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_right() {
        let at = |seconds| utc(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_735_689_599), "2024-12-31T23:59:59Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn there_and_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("environment.json");
        let environment = Environment::capture("cpu", "f32", 7, 2);
        environment.write(&path).unwrap();
        assert_eq!(Environment::read(&path).unwrap(), environment);
        assert!(environment.rows().iter().any(|row| *row == ("seed", "7".to_string())));
    }
}
