//! Seeds of everything random in training: hashes of the run's seed and of what is drawn, so
//! that a draw depends on where training stands and on nothing else.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The seed of the draw that `what` and `path` name.
pub fn seed_of(seed: u64, what: &str, path: &[u64]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(what.as_bytes()).update(&[0]);
    path.iter().for_each(|number| {
        hasher.update(&number.to_le_bytes());
    });
    let hash = hasher.finalize();
    hash.as_bytes()[..8].iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte))
}

/// A generator for the draw that `what` and `path` name.
pub fn rng_of(seed: u64, what: &str, path: &[u64]) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed_of(seed, what, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_differ_with_everything_and_stay() {
        let all = [
            seed_of(1, "a", &[0]),
            seed_of(2, "a", &[0]),
            seed_of(1, "b", &[0]),
            seed_of(1, "a", &[1]),
            seed_of(1, "a", &[0, 0]),
        ];
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(all[0], seed_of(1, "a", &[0]));
    }
}
