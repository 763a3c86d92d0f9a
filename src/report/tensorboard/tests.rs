//! Framing, checksums and fields, read back by a small decoder.

use super::super::watch::{Figure, Loss};
use super::*;

/// The records of a file, each with both checksums tested.
fn records(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let crc = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let data = &bytes[12..12 + length];
        assert_eq!(crc(8), masked_crc(&bytes[..8]));
        assert_eq!(crc(12 + length), masked_crc(data));
        records.push(data.to_vec());
        bytes = &bytes[16 + length..];
    }
    records
}

/// The fields of a message: number and bytes.
fn fields(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
        let (head, tail) = bytes.split_at(count);
        *bytes = tail;
        head
    }
    fn number(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = take(bytes, 1)[0];
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = take(&mut bytes, 1)[0];
        let value = match key & 7 {
            0 => number(&mut bytes).to_le_bytes().to_vec(),
            1 => take(&mut bytes, 8).to_vec(),
            5 => take(&mut bytes, 4).to_vec(),
            _ => {
                let length = number(&mut bytes) as usize;
                take(&mut bytes, length).to_vec()
            }
        };
        fields.push((key >> 3, value));
    }
    fields
}

/// Step, tag and value of each point; the version and session as tags of their own.
fn points(path: &Path) -> Vec<(u64, String, f32)> {
    let mut points = Vec::new();
    for record in records(&std::fs::read(path).unwrap()) {
        let fields = fields(&record);
        let step = u64::from_le_bytes(fields[1].1.clone().try_into().unwrap());
        let (field, rest) = &fields[2];
        match field {
            3 => points.push((step, String::from_utf8(rest.clone()).unwrap(), 0.0)),
            7 => points.push((step, "start".into(), 0.0)),
            _ => {
                for (_, value) in self::fields(rest) {
                    let parts = self::fields(&value);
                    let number = f32::from_le_bytes(parts[1].1.clone().try_into().unwrap());
                    points.push((step, String::from_utf8(parts[0].1.clone()).unwrap(), number));
                }
            }
        }
    }
    points
}

fn write(dir: &Path, from: usize) {
    let mut board = TensorBoard::new(dir);
    board.stage(&Stage { total_done: from, ..Stage::default() }).unwrap();
    let loss = Loss { name: "intent".into(), value: 0.5, factor: 2.0, examples: 1 };
    let step = Step {
        total_step: from + 300,
        losses: vec![loss],
        total: 1.0,
        lr: 0.25,
        tokens: 10,
        seconds: 2.0,
        ..Step::default()
    };
    board.step(&step).unwrap();
    let dev = vec![Figure::new("intent.accuracy", 0.75)];
    board.epoch(&Epoch { total_step: from + 300, dev, ..Epoch::default() }).unwrap();
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn crc_of_the_standard_text() {
    assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
}

#[test]
fn events_read_back() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 0);
    let files = files(dir.path());
    let point = |tag: &str, value| (300, tag.to_string(), value);
    assert_eq!(
        points(&files[0]),
        [
            (0, "brain.Event:2".to_string(), 0.0),
            point("train/intent.loss", 0.5),
            point("factor/intent", 2.0),
            point("train/total", 1.0),
            point("pace/learning_rate", 0.25),
            point("pace/tokens_per_second", 5.0),
            point("dev/intent.accuracy", 0.75),
        ]
    );
}

#[test]
fn a_run_that_goes_on_says_so_and_a_new_one_clears() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 0);
    write(dir.path(), 300);
    let both = files(dir.path());
    assert_eq!(both.len(), 2);
    assert_eq!(points(&both[1])[1], (301, "start".to_string(), 0.0));
    write(dir.path(), 0);
    assert_eq!(files(dir.path()).len(), 1);
}
