//! What the places of an example agree on.

/// The most frequent label; of equals, the one that comes first.
pub fn vote(places: &[u32]) -> u32 {
    let mut best = (0, super::NO_LABEL);
    for (i, label) in places.iter().enumerate() {
        if places[..i].contains(label) {
            continue;
        }
        let count = places.iter().filter(|l| *l == label).count();
        if count > best.0 {
            best = (count, *label);
        }
    }
    best.1
}

/// The labels that more than half of the places of each example have, ascending: `rows` are 0 and
/// 1 for each of `width` labels.
pub fn labels_voted(rows: &[f32], width: usize, by_example: &[u32]) -> Vec<Vec<u32>> {
    let of = |range: &[u32]| {
        let places = &rows[range[0] as usize * width..range[1] as usize * width];
        let votes = |label: usize| places.iter().skip(label).step_by(width.max(1)).filter(|x| **x > 0.5).count();
        let most = |label: &u32| 2 * votes(*label as usize) > (range[1] - range[0]) as usize;
        (0..width as u32).filter(most).collect()
    };
    by_example.windows(2).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_votes_win_and_the_first_of_equals() {
        assert_eq!(vote(&[3, 1, 1]), 1);
        assert_eq!(vote(&[2, 5, 5, 2]), 2);
        assert_eq!(vote(&[]), crate::backend::NO_LABEL);
    }

    #[test]
    fn more_than_half_of_the_places_make_a_label() {
        let rows = [1., 0., 0., 1., 1., 0., 0., 0., 1., 0., 1., 1.];
        let sets = labels_voted(&rows, 3, &[0, 2, 2, 3, 4]);
        assert_eq!(sets, [vec![0], vec![], vec![2], vec![1, 2]], "half is not enough");
    }
}
