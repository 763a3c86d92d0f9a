//! The file format: safetensors, with the state as JSON and a BLAKE3 hash of state and numbers
//! in the metadata, so that one flipped bit is noticed.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{Read, Write};
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::unwritable;
use crate::diagnostics::Diagnostic;
use crate::train::optim::Slot;

/// Arrays by name.
pub type Arrays = BTreeMap<String, Vec<f32>>;

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage(pub String);

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the key [`KEY`] of the metadata holds.
#[derive(Serialize, Deserialize)]
struct Meta {
    blake3: String,
    state: String,
}

const KEY: &str = "mtlc";

/// How the names of files begin that are not yet whole.
pub(super) const PART: &str = ".part-";

/// Writes arrays and a JSON text to `path`: all of it or nothing.
pub fn write_arrays(path: &Path, json: &str, slots: &[Slot]) -> Result<(), Diagnostic> {
    let bytes = encode(json, slots).map_err(|damage| unwritable(path, &damage))?;
    put(path, &bytes).map_err(|error| unwritable(path, &error))
}

fn put(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file =
        tempfile::Builder::new().prefix(PART).tempfile_in(dir).map_err(|error| std::io::Error::from(error.kind()))?;
    file.as_file_mut().write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // The rename itself must reach the disk too; folders cannot be opened everywhere.
    if let Ok(dir) = std::fs::File::open(dir) {
        let _ = dir.sync_all();
    }
    Ok(())
}

fn encode(json: &str, slots: &[Slot]) -> Result<Vec<u8>, Damage> {
    let bytes: Vec<Vec<u8>> = slots.iter().map(|slot| to_bytes(&slot.data)).collect();
    let mut views = BTreeMap::new();
    for (slot, bytes) in slots.iter().zip(&bytes) {
        let view = TensorView::new(Dtype::F32, slot.shape.clone(), bytes);
        let view = view.map_err(|error| Damage(format!("{}: {error}", slot.name)))?;
        if views.insert(slot.name.as_str(), view).is_some() {
            return Err(Damage(format!("two arrays are named `{}`", slot.name)));
        }
    }
    let meta = Meta { blake3: hash(json, views.iter().map(|(n, v)| (*n, v))), state: json.into() };
    let meta = serde_json::to_string(&meta).map_err(|error| Damage(error.to_string()))?;
    let info = HashMap::from([(KEY.to_owned(), meta)]);
    safetensors::serialize(views, Some(info)).map_err(|error| Damage(error.to_string()))
}

/// Reads a file that [`write_arrays`] wrote: its JSON text and its arrays.
pub fn read_arrays(path: &Path) -> Result<(String, Arrays), Damage> {
    let bytes = std::fs::read(path).map_err(|error| Damage(error.to_string()))?;
    let meta = meta_of(&bytes)?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| Damage(error.to_string()))?;
    let views: BTreeMap<String, TensorView> = tensors.tensors().into_iter().collect();
    if hash(&meta.state, views.iter().map(|(n, v)| (n.as_str(), v))) != meta.blake3 {
        return Err(Damage("its checksum does not fit its contents".into()));
    }
    let arrays = views.into_iter().map(|(name, view)| (name, from_bytes(view.data()))).collect();
    Ok((meta.state, arrays))
}

/// Reads the JSON text alone, unchecked.
pub(super) fn read_state(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut size = [0; 8];
    file.read_exact(&mut size)?;
    let mut bytes = size.to_vec();
    file.take(u64::from_le_bytes(size)).read_to_end(&mut bytes)?;
    meta_of(&bytes).map(|meta| meta.state).map_err(std::io::Error::other)
}

impl std::error::Error for Damage {}

fn meta_of(bytes: &[u8]) -> Result<Meta, Damage> {
    let short = || Damage("it ends too early".into());
    let size = bytes.first_chunk::<8>().map(|size| u64::from_le_bytes(*size));
    let size = size.and_then(|size| usize::try_from(size).ok()).ok_or_else(short)?;
    let header = bytes.get(8..size.saturating_add(8)).ok_or_else(short)?;
    let header: serde_json::Value =
        serde_json::from_slice(header).map_err(|_| Damage("its header cannot be read".into()))?;
    let meta = header.get("__metadata__").and_then(|meta| meta.get(KEY)).and_then(|m| m.as_str());
    meta.and_then(|meta| serde_json::from_str(meta).ok())
        .ok_or_else(|| Damage("its header is not that of a checkpoint".into()))
}

/// The hash of the text and of each array's name, shape and bytes.
fn hash<'a>(json: &str, views: impl Iterator<Item = (&'a str, &'a TensorView<'a>)>) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut sized = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    sized(json.as_bytes());
    for (name, view) in views {
        sized(name.as_bytes());
        sized(format!("{:?} {:?}", view.dtype(), view.shape()).as_bytes());
        sized(view.data());
    }
    hasher.finalize().to_hex().to_string()
}

fn to_bytes(numbers: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(numbers.len() * 4);
    numbers.iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
    bytes
}

fn from_bytes(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect()
}
