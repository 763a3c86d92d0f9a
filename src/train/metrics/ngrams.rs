//! Runs of words or characters that two texts have in common.

/// How many n-grams of `a` are found in `b`, each as often as `b` has it.
pub fn common<T: Ord>(a: &[T], b: &[T], n: usize) -> usize {
    let sorted = |text: &[T]| -> Vec<usize> {
        let mut starts: Vec<usize> = (0..count(text, n)).collect();
        starts.sort_unstable_by(|x, y| text[*x..*x + n].cmp(&text[*y..*y + n]));
        starts
    };
    let (left, right) = (sorted(a), sorted(b));
    let (mut i, mut j, mut found) = (0, 0, 0);
    while let (Some(&x), Some(&y)) = (left.get(i), right.get(j)) {
        let order = a[x..x + n].cmp(&b[y..y + n]);
        found += usize::from(order.is_eq());
        i += usize::from(order.is_le());
        j += usize::from(order.is_ge());
    }
    found
}

/// How many n-grams a text has; `n` is at least 1.
pub fn count<T>(text: &[T], n: usize) -> usize {
    (text.len() + 1).saturating_sub(n)
}

/// White space as the reference packages take it: that of Unicode and the four separators of ASCII.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}
