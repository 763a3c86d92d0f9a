//! In which order examples are seen.

use serde::{Deserialize, Serialize};

use super::random::Random;

/// How large a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchSize {
    /// This many examples.
    Examples(usize),
    /// At most this many tokens (of the longest text field of each example); a longer example
    /// makes a batch of its own.
    Tokens(usize),
}

/// Examples of about this many batches are sorted by length together.
const POOL: usize = 50;

/// The batches of an epoch: examples are shuffled, cut into pools, sorted by length within each
/// (ties at random), cut into batches, and the batches are shuffled. Every example stands in one.
pub fn epoch(lengths: &[u32], size: BatchSize, seed: u64, name: &str, number: u64) -> Vec<Vec<u32>> {
    let mut random = Random::new(seed, &format!("epoch {name}"), number);
    let mut order: Vec<u32> = (0..lengths.len() as u32).collect();
    random.shuffle(&mut order);
    let mut batches = Vec::new();
    for pool in order.chunks_mut(pool_size(lengths, size)) {
        // The order within the pool is random already, so a stable sort breaks ties at random.
        pool.sort_by_key(|&i| lengths[i as usize]);
        cut(pool, lengths, size, &mut batches);
    }
    random.shuffle(&mut batches);
    batches
}

/// The batches for evaluation: the longest first, equal ones in their order.
pub fn evaluation(lengths: &[u32], size: BatchSize) -> Vec<Vec<u32>> {
    let mut order: Vec<u32> = (0..lengths.len() as u32).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(lengths[i as usize]));
    let mut batches = Vec::new();
    cut(&order, lengths, size, &mut batches);
    batches
}

fn pool_size(lengths: &[u32], size: BatchSize) -> usize {
    let examples = match size {
        BatchSize::Examples(n) => n.max(1),
        BatchSize::Tokens(n) => {
            let total: u64 = lengths.iter().map(|&l| u64::from(l)).sum();
            let mean = (total / lengths.len().max(1) as u64).max(1) as usize;
            (n / mean).max(1)
        }
    };
    examples.saturating_mul(POOL)
}

fn cut(order: &[u32], lengths: &[u32], size: BatchSize, out: &mut Vec<Vec<u32>>) {
    let most = match size {
        BatchSize::Examples(n) => {
            out.extend(order.chunks(n.max(1)).map(<[u32]>::to_vec));
            return;
        }
        BatchSize::Tokens(n) => n,
    };
    let mut batch = Vec::new();
    let mut tokens = 0;
    for &i in order {
        let length = lengths[i as usize] as usize;
        if !batch.is_empty() && tokens + length > most {
            out.push(std::mem::take(&mut batch));
            tokens = 0;
        }
        batch.push(i);
        tokens += length;
    }
    if !batch.is_empty() {
        out.push(batch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths() -> Vec<u32> {
        (0..5000u32).map(|i| 1 + i * 7919 % 40).collect()
    }

    #[test]
    fn an_epoch_has_every_example_once_and_repeats_exactly() {
        let lengths = lengths();
        for size in [BatchSize::Examples(32), BatchSize::Tokens(512)] {
            let first = epoch(&lengths, size, 7, "a", 3);
            assert_eq!(first, epoch(&lengths, size, 7, "a", 3));
            assert_ne!(first, epoch(&lengths, size, 7, "a", 4));
            assert_ne!(first, epoch(&lengths, size, 8, "a", 3));
            assert_ne!(first, epoch(&lengths, size, 7, "b", 3));
            let mut all: Vec<u32> = first.into_iter().flatten().collect();
            all.sort_unstable();
            assert_eq!(all, (0..5000).collect::<Vec<_>>());
        }
    }

    #[test]
    fn batches_are_bounded_and_of_similar_length() {
        let lengths = lengths();
        let of = |i: &u32| lengths[*i as usize];
        for batch in epoch(&lengths, BatchSize::Tokens(512), 1, "a", 0) {
            assert!(batch.iter().map(of).sum::<u32>() <= 512);
        }
        let spread = |batch: &Vec<u32>| batch.iter().map(of).max().unwrap() - batch.iter().map(of).min().unwrap();
        let batches = epoch(&lengths, BatchSize::Examples(32), 1, "a", 0);
        assert!(batches.iter().map(spread).sum::<u32>() < 2 * batches.len() as u32);
        assert_eq!(evaluation(&[1, 9, 3], BatchSize::Tokens(4)), [vec![1], vec![2, 0]]);
        assert!(epoch(&[], BatchSize::Examples(0), 1, "a", 0).is_empty());
    }
}
