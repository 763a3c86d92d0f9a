//! The numbers of a checkpoint's tensors, as f32.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use super::{Checkpoint, Misfit, Stored};

/// The numbers of the tensor of this name, without the prefix.
pub fn read(checkpoint: &Checkpoint, name: &str) -> Result<Vec<f32>, Misfit> {
    let help = "copy the checkpoint again";
    let Some(stored) = checkpoint.tensor(name) else {
        return Err(Misfit::new(format!("the weights in '{}' lack '{name}'", checkpoint.from), help));
    };
    let path = checkpoint.path.join(&stored.file);
    let bytes = bytes(&path, stored)
        .map_err(|e| Misfit::new(format!("'{name}' cannot be read from '{}': {e}", checkpoint.from), help))?;
    let numbers = numbers(&stored.dtype, &bytes).ok_or_else(|| {
        let message = format!("'{name}' in '{}' has numbers of type {}", checkpoint.from, stored.dtype);
        Misfit::new(message, "f32, f16 and bf16 are read: convert the checkpoint with the library that wrote it")
    })?;
    if numbers.iter().any(|x| !x.is_finite()) {
        let message = format!("'{name}' in '{}' holds a number that is not finite", checkpoint.from);
        return Err(Misfit::new(message, help));
    }
    Ok(numbers)
}

/// The bytes of a tensor.
pub fn bytes(path: &std::path::Path, stored: &Stored) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(stored.start))?;
    let mut bytes = vec![0; (stored.end - stored.start) as usize];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn numbers(dtype: &str, bytes: &[u8]) -> Option<Vec<f32>> {
    let halves = || bytes.as_chunks::<2>().0.iter().map(|two| u16::from_le_bytes(*two));
    Some(match dtype {
        "F32" => bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect(),
        "BF16" => halves().map(|bits| f32::from_bits(u32::from(bits) << 16)).collect(),
        "F16" => halves().map(half).collect(),
        _ => return None,
    })
}

/// A number of IEEE 754's binary16.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        e => (1.0 + fraction / 1024.0) * 2f32.powi(e - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_what_they_say() {
        let bytes = |bits: [u16; 6]| bits.iter().flat_map(|b| b.to_le_bytes()).collect::<Vec<_>>();
        let numbers = |dtype: &str, bits| numbers(dtype, &bytes(bits)).unwrap();
        let expected = [1.0, -2.0, 0.333_251_95, 65504.0, 5.960_464_5e-8, 0.0];
        assert_eq!(numbers("F16", [0x3C00, 0xC000, 0x3555, 0x7BFF, 1, 0]), expected);
        assert_eq!(numbers("BF16", [0x3F80, 0xC000, 0x3EAB, 0, 0, 0])[..3], [1.0, -2.0, 0.333_984_38]);
    }
}
