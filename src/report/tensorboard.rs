//! Event files that TensorBoard reads.
//!
//! A file is a row of TFRecords: `u64` length, masked CRC-32C of those 8 bytes, the data, masked
//! CRC-32C of the data, all little-endian. The data is a protobuf `Event`, of which these fields
//! are written (`tensorboard/compat/proto/event.proto` and `summary.proto`):
//!
//! ```text
//! Event      1 wall_time: double   2 step: int64   3 file_version: string
//!            5 summary: Summary    7 session_log: SessionLog { 1 status: START = 1 }
//! Summary    1 value: Value (repeated)
//! Value      1 tag: string         2 simple_value: float
//! ```
//!
//! A resumed run writes a new file that begins with a session log, which makes TensorBoard drop
//! the points of older files from that step on.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::metrics_log::rate;
use super::watch::{Epoch, Finished, Stage, Step, Test, Watch};

/// Seconds after which what was written goes to the disk.
const FLUSH_SECONDS: f32 = 5.0;

/// Writes an event file into a folder as the run goes.
pub struct TensorBoard {
    dir: PathBuf,
    file: Option<BufWriter<File>>,
    flushed: Instant,
    total_step: usize,
}

impl TensorBoard {
    /// Events go to a new file in `dir`, which is made when the first stage begins.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), file: None, flushed: Instant::now(), total_step: 0 }
    }

    fn open(&mut self, step: usize) -> io::Result<()> {
        std::fs::create_dir_all(&self.dir)?;
        self.file = Some(BufWriter::new(new_file(&self.dir, step == 0)?));
        let mut version = Vec::new();
        string(&mut version, 3, "brain.Event:2");
        self.event(0, &version)?;
        if step > 0 {
            let mut session = Vec::new();
            nested(&mut session, 7, &[0x08, 1]);
            self.event(step + 1, &session)?;
        }
        Ok(())
    }

    /// Points of one step.
    fn points(&mut self, step: usize, points: &[(String, f64)]) -> io::Result<()> {
        self.total_step = step;
        let mut summary = Vec::new();
        for (tag, value) in points {
            let mut one = Vec::new();
            string(&mut one, 1, tag);
            one.push(2 << 3 | 5);
            one.extend((*value as f32).to_le_bytes());
            nested(&mut summary, 1, &one);
        }
        let mut event = Vec::new();
        nested(&mut event, 5, &summary);
        self.event(step, &event)?;
        if self.flushed.elapsed().as_secs_f32() > FLUSH_SECONDS {
            self.flush()?;
        }
        Ok(())
    }

    fn event(&mut self, step: usize, rest: &[u8]) -> io::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let mut event = vec![1 << 3 | 1];
        event.extend(now.to_le_bytes());
        event.push(2 << 3);
        varint(&mut event, step as u64);
        event.extend(rest);
        match &mut self.file {
            Some(file) => record(file, &event),
            None => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushed = Instant::now();
        self.file.as_mut().map_or(Ok(()), BufWriter::flush)
    }
}

impl Watch for TensorBoard {
    fn stage(&mut self, stage: &Stage) -> io::Result<()> {
        if self.file.is_none() {
            self.open(stage.total_done)?;
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> io::Result<()> {
        let mut points: Vec<(String, f64)> =
            step.losses.iter().map(|loss| (format!("train/{}.loss", loss.name), loss.value)).collect();
        points.extend(step.losses.iter().map(|loss| (format!("factor/{}", loss.name), loss.factor)));
        points.push(("train/total".into(), step.total));
        points.push(("pace/learning_rate".into(), step.lr));
        points.extend(step.grad_norm.map(|norm| ("pace/grad_norm".into(), norm)));
        points.extend(rate(step.tokens, step.seconds).map(|rate| ("pace/tokens_per_second".into(), rate)));
        self.points(step.total_step, &points)
    }

    fn epoch(&mut self, epoch: &Epoch) -> io::Result<()> {
        let dev: Vec<(String, f64)> = epoch.dev.iter().map(|f| (format!("dev/{}", f.name), f.value)).collect();
        self.points(epoch.total_step, &dev)?;
        self.flush()
    }

    fn finished(&mut self, _: &Finished) -> io::Result<()> {
        self.flush()
    }

    fn test(&mut self, test: &Test) -> io::Result<()> {
        if self.file.is_none() {
            return Ok(());
        }
        let figures: Vec<(String, f64)> = test.figures.iter().map(|f| (format!("test/{}", f.name), f.value)).collect();
        self.points(test.total_step.max(self.total_step), &figures)?;
        self.flush()
    }
}

/// A file of a name that is not taken. A new run removes the event files of an old one.
fn new_file(dir: &Path, anew: bool) -> io::Result<File> {
    let prefix = "events.out.tfevents.";
    if anew {
        for entry in std::fs::read_dir(dir)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                std::fs::remove_file(entry.path())?;
            }
        }
    }
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    for number in 0.. {
        // TensorBoard reads the files of a folder in the order of their names.
        let path = dir.join(format!("{prefix}{seconds:010}.{number:03}.mtlc"));
        match File::create_new(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => return result,
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn record(file: &mut impl Write, data: &[u8]) -> io::Result<()> {
    let length = (data.len() as u64).to_le_bytes();
    file.write_all(&length)?;
    file.write_all(&masked_crc(&length).to_le_bytes())?;
    file.write_all(data)?;
    file.write_all(&masked_crc(data).to_le_bytes())
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A field whose bytes are counted: a message or string.
fn nested(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend(bytes);
}

fn string(out: &mut Vec<u8>, field: u8, text: &str) {
    nested(out, field, text.as_bytes());
}

/// Castagnoli's CRC, reflected, a byte at a time.
const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| CRC_TABLE[((crc ^ u32::from(*byte)) & 0xFF) as usize] ^ crc >> 8)
}

/// TFRecord's form, so that a CRC of data that holds CRCs is no trouble.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xA282_EAD8)
}

#[cfg(test)]
mod tests;
