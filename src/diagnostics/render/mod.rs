//! Renderings of diagnostics: text for people, JSON and SARIF for programs.
//!
//! All take diagnostics in the order they are to be shown; [`super::sort`] gives the usual one.

mod files;
mod json;
mod sarif;
mod text;

pub use json::json;
pub use sarif::sarif;
pub use text::{human, short};

use super::Severity;

/// The word for a severity in all renderings.
pub fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::{Diagnostic, codes};
    use crate::source::{SourceMap, Span};

    fn example() -> (SourceMap, Vec<Diagnostic>) {
        let mut map = SourceMap::new();
        let file = map.add("dir a/b.mtl", "const s = \"感情 😀\" x\nlet y = x\n");
        let text = map.file(file).text.clone();
        let at = text.find('x').unwrap();
        let second = text.rfind('x').unwrap();
        let near = Diagnostic::new(codes::SYNTAX, Span::new(file, at, at + 1), "unexpected `x` after `s`")
            .label("found here")
            .also(Span::new(file, second, second + 1), "used here")
            .fix(Span::new(file, at, at + 1), "", "remove it");
        let unused = Diagnostic::new(codes::UNUSED, Span::new(file, second - 4, second - 3), "nothing uses 'y'");
        let lost = Diagnostic::placeless(codes::RUN_DIR, "there is no run in 'runs/a'").help("train first");
        (map, vec![near, unused, lost])
    }

    #[test]
    fn short_counts_characters_from_one() {
        let (map, list) = example();
        let text = short(&map, &list);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "dir a/b.mtl:1:18: error[E0101]: unexpected `x` after `s`");
        assert_eq!(lines[1], "dir a/b.mtl:2:5: warning[W0201]: nothing uses 'y'");
        assert_eq!(lines[2], "error[E0901]: there is no run in 'runs/a'");
    }

    #[test]
    fn human_shows_all_places_and_help() {
        let (map, list) = example();
        let text = human(&map, &list, false);
        let wanted = "error[E0101]: unexpected `x` after `s`\n  ┌─ dir a/b.mtl:1:18\n  │\n\
            1 │ const s = \"感情 😀\" x\n  │                     ^ found here\n\
            2 │ let y = x\n  │         - used here\n  │\n  = help: remove it\n";
        assert!(text.starts_with(wanted), "{text}");
        assert!(text.contains("error[E0901]: there is no run in 'runs/a'\n = help: train first\n"), "{text}");
        assert!(!text.contains('\u{1b}'));
        assert!(human(&map, &list, true).contains('\u{1b}'));
    }

    #[test]
    fn json_has_places_and_fixes() {
        let (map, list) = example();
        let value = json(&map, &list);
        let first = &value[0];
        assert_eq!(first["code"], "E0101");
        assert_eq!(first["severity"], "error");
        assert_eq!(first["file"], "dir a/b.mtl");
        assert_eq!(first["start"], serde_json::json!({"line": 1, "column": 18, "offset": 24}));
        assert_eq!(first["end"]["column"], 19);
        assert_eq!(first["labels"][0]["start"]["line"], 2);
        assert_eq!(first["fix"]["replacement"], "");
        assert!(value[2]["file"].is_null() && value[2]["start"].is_null());
        assert_eq!(value[2]["help"], "train first");
    }

    #[test]
    fn sarif_has_what_readers_need() {
        let (map, list) = example();
        let value = sarif(&map, &list);
        assert_eq!(value["version"], "2.1.0");
        let run = &value["runs"][0];
        let results = run["results"].as_array().unwrap();
        assert_eq!(results.len(), 3);
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        for result in results {
            let index = result["ruleIndex"].as_u64().unwrap() as usize;
            assert_eq!(rules[index]["id"], result["ruleId"]);
            assert!(result["message"]["text"].is_string());
        }
        let place = &results[0]["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "dir%20a/b.mtl");
        assert_eq!(place["region"]["startColumn"], 18);
        assert_eq!(run["columnKind"], "unicodeCodePoints");
        assert!(results[2].get("locations").is_none());
    }
}
