//! The header of a safetensors file: eight bytes of length, then names, types, shapes and places
//! as JSON. It is all that checking a program reads of the weights.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{INDEX, Misfit, Place, WEIGHTS};

/// Headers longer than this are none: the format's own limit.
const LONGEST: u64 = 100_000_000;

/// Where a tensor is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Its shape.
    pub shape: Vec<usize>,
    /// `F32`, `F16` or `BF16`; others are not read.
    pub dtype: String,
    /// The file in the folder.
    pub file: String,
    /// Its first byte in the file.
    pub start: u64,
    /// One past its last byte.
    pub end: u64,
}

impl Stored {
    /// Numbers in it.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }
}

/// The tensors of a folder by name, from one file or those of its index.
pub fn read(place: &Place<'_>) -> Result<BTreeMap<String, Stored>, Misfit> {
    let mut tensors = BTreeMap::new();
    for file in files(place)? {
        read_file(place, &file, &mut tensors)?;
    }
    Ok(tensors)
}

fn files(place: &Place<'_>) -> Result<Vec<String>, Misfit> {
    let folder = place.folder;
    if folder.join(WEIGHTS).is_file() || !folder.join(INDEX).is_file() {
        if !folder.join(WEIGHTS).exists() && folder.join("pytorch_model.bin").exists() {
            let message = format!("'{}' has its weights as `pytorch_model.bin`, which is not read", place.shown);
            let help = "write them as safetensors: `AutoModel.from_pretrained(DIR).save_pretrained(OTHER)`";
            return Err(Misfit::new(message, help));
        }
        return Ok(vec![WEIGHTS.into()]);
    }
    let text = place.text(INDEX)?;
    let damaged = || Misfit::new(format!("'{}' is damaged", place.named(INDEX)), "copy the checkpoint again");
    let index: Value = serde_json::from_str(&text).map_err(|_| damaged())?;
    let map = index.get("weight_map").and_then(Value::as_object).ok_or_else(damaged)?;
    let mut files: Vec<String> = map.values().filter_map(|file| Some(file.as_str()?.to_owned())).collect();
    files.sort();
    files.dedup();
    // A file of the index is one beside it.
    let inside = |name: &String| Path::new(name).file_name().is_some_and(|n| n == name.as_str());
    if files.is_empty() || !files.iter().all(inside) { Err(damaged()) } else { Ok(files) }
}

fn read_file(place: &Place<'_>, name: &str, tensors: &mut BTreeMap<String, Stored>) -> Result<(), Misfit> {
    let damaged =
        |why: &str| Misfit::new(format!("'{}' is damaged: {why}", place.named(name)), "copy the checkpoint again");
    let mut file = File::open(place.folder.join(name)).map_err(|e| place.unread(name, &e))?;
    let whole = file.metadata().map_err(|e| place.unread(name, &e))?.len();
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|_| damaged("it has no header"))?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST || length + 8 > whole {
        return Err(damaged("its header is cut off"));
    }
    let mut header = vec![0; length as usize];
    file.read_exact(&mut header).map_err(|_| damaged("its header is cut off"))?;
    let header: BTreeMap<String, Value> =
        serde_json::from_slice(&header).map_err(|_| damaged("its header is no JSON"))?;
    for (tensor, value) in header.into_iter().filter(|(name, _)| name != "__metadata__") {
        let entry =
            entry(&value, name, length + 8).ok_or_else(|| damaged(&format!("its entry '{tensor}' is wrong")))?;
        if entry.end > whole {
            return Err(damaged(&format!("it ends before '{tensor}' does")));
        }
        tensors.insert(tensor, entry);
    }
    Ok(())
}

/// A tensor of a header; its places count from `after`.
fn entry(value: &Value, file: &str, after: u64) -> Option<Stored> {
    let shape: Vec<usize> =
        value.get("shape")?.as_array()?.iter().map(|d| Some(d.as_u64()? as usize)).collect::<Option<_>>()?;
    let places = value.get("data_offsets")?.as_array()?;
    let [start, end] = [0, 1].map(|i| places.get(i).and_then(Value::as_u64));
    let (start, end) = (start?.checked_add(after)?, end?.checked_add(after)?);
    let dtype = value.get("dtype")?.as_str()?.to_owned();
    let bytes = match dtype.as_str() {
        "F32" => 4,
        "F16" | "BF16" => 2,
        _ => 0,
    };
    let count = shape.iter().try_fold(1u64, |n, d| n.checked_mul(*d as u64))?;
    let sound = start <= end && (bytes == 0 || count.checked_mul(bytes)? == end - start);
    sound.then(|| Stored { shape, dtype, file: file.into(), start, end })
}
