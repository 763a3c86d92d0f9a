//! Numbers that mostly rise by little, such as the places of examples in a file, in two bytes each.

/// After this many numbers one is kept as it is, so that none is far from one that is known.
const EVERY: usize = 64;

/// Stands for a step that is kept elsewhere.
const FAR: u16 = u16::MAX;

/// A list of numbers, of which each is kept as its distance from the one before.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Every 64th number.
    marks: Vec<u64>,
    steps: Vec<u16>,
    /// The steps that two bytes cannot hold, by their places.
    far: Vec<(usize, u64)>,
    last: u64,
}

impl Places {
    /// Appends a number.
    pub fn push(&mut self, place: u64) {
        let at = self.steps.len();
        // A step backwards wraps around, here and when it is added.
        let step = place.wrapping_sub(self.last);
        let short = u16::try_from(step).unwrap_or(FAR);
        if at.is_multiple_of(EVERY) {
            self.marks.push(place);
        } else if short == FAR {
            self.far.push((at, step));
        }
        self.steps.push(short);
        self.last = place;
    }

    /// The number at `at`, which must be there.
    pub fn get(&self, at: usize) -> u64 {
        let mark = at / EVERY;
        let steps = (mark * EVERY + 1..=at).map(|i| self.step(i));
        steps.fold(self.marks[mark], u64::wrapping_add)
    }

    fn step(&self, at: usize) -> u64 {
        match self.steps[at] {
            FAR => self.far.binary_search_by_key(&at, |far| far.0).map_or(0, |i| self.far[i].1),
            step => step.into(),
        }
    }

    /// Gives back what room is left.
    pub fn shrink(&mut self) {
        self.marks.shrink_to_fit();
        self.steps.shrink_to_fit();
        self.far.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_back() {
        let small = (0..1000u64).map(|i| i * 61 + i % 7);
        let large = (0..300u64).map(|i| i * 70_000);
        let edges = [0, 65_534, 131_069, 196_605, u64::MAX, 3, 3, u64::MAX - 1, 0].into_iter();
        let numbers: Vec<u64> = small.chain(large).chain((0..20).flat_map(|_| edges.clone())).collect();
        let mut places = Places::default();
        numbers.iter().for_each(|n| places.push(*n));
        places.shrink();
        (0..numbers.len()).rev().for_each(|i| assert_eq!(places.get(i), numbers[i], "{i}"));
    }

    #[test]
    fn a_number_takes_little() {
        let mut places = Places::default();
        (0..100_000u64).for_each(|i| places.push(i * 65));
        places.shrink();
        assert!(places.far.is_empty());
        assert!(places.marks.capacity() * 8 + places.steps.capacity() * 2 < 220_000);
    }
}
