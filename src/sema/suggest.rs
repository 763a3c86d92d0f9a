//! The name a user probably meant.

/// The candidate nearest to `name`, if one is near enough to be a slip of the fingers.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = match name.chars().count() {
        0..=1 => 0,
        2..=4 => 1,
        5..=7 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .filter(|c| *c != name)
        .map(|c| (strsim::damerau_levenshtein(name, c), c))
        .filter(|(distance, c)| *distance <= limit && *distance < c.chars().count().max(2))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let names = ["utterance", "slots", "intent"];
        assert_eq!(nearest("utterence", names), Some("utterance"));
        assert_eq!(nearest("intnet", names), Some("intent"));
        assert_eq!(nearest("wholly", names), None);
        assert_eq!(nearest("y", ["x", "h"]), None);
        assert_eq!(nearest("lbl", ["label"]), None);
    }
}
