//! The page of each code, compiled in: what it means, a program that gives it, and that program
//! mended. The pages are files in `docs/errors/`.

macro_rules! pages {
    ($($code:literal)*) => {
        const PAGES: &[(&str, &str)] =
            &[$(($code, include_str!(concat!("../../docs/errors/", $code, ".md")))),*];
    };
}

pages! {
    "E0101" "E0102" "E0103" "E0104" "E0201" "E0202" "E0203" "E0204" "E0205" "E0206"
    "E0207" "E0301" "E0302" "E0303" "E0304" "E0305" "E0306" "E0307" "E0401" "E0402"
    "E0403" "E0404" "E0405" "E0406" "E0407" "E0501" "E0502" "E0503" "E0504" "E0505"
    "E0601" "E0602" "E0603" "E0701" "E0702" "E0703" "E0801" "E0802" "E0803" "E0804"
    "E0805" "E0806" "E0807" "E0808" "E0809" "E0901" "E0902" "E0903" "E0904" "E0905" "E0906" "E0907"
    "E0908" "E0909" "E0910" "E0999" "W0201" "W0402" "W0601" "W0602" "W0603" "W0604" "W0701"
    "W0702" "W0801" "W0802" "W0803" "W0804" "W0805" "W0901" "W0902" "W0903"
}

/// The page of a code such as `E0201`, in Markdown; upper and lower case are one.
pub fn page(code: &str) -> Option<&'static str> {
    PAGES.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)).map(|(_, page)| *page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::codes;

    #[test]
    fn each_code_has_a_page_and_each_page_a_code() {
        for (code, _) in codes::ALL {
            let page = page(code.0).unwrap_or_else(|| panic!("{code} has no page"));
            assert!(page.starts_with(&format!("# {code}: ")), "{code}: {}", page.lines().next().unwrap_or(""));
            assert!(page.contains("```"), "{code} shows no example");
            assert!((8..=80).contains(&page.lines().count()), "{code} has {} lines", page.lines().count());
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors");
        let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        for file in &files {
            let name = file.to_string_lossy();
            let code = name.strip_suffix(".md").unwrap_or_else(|| panic!("{name} is no page"));
            assert!(codes::ALL.iter().any(|(known, _)| known.0 == code), "{name} belongs to no code");
        }
        assert_eq!(PAGES.len(), codes::ALL.len());
    }

    #[test]
    fn examples_of_syntax_errors_give_them_and_all_others_parse() {
        for (code, page) in PAGES {
            for (nth, example) in page.split("```mtl\n").skip(1).enumerate() {
                let text = example.split("```").next().unwrap_or("");
                let given = crate::syntax::parse(crate::source::FileId(0), text).diagnostics;
                let wanted = code.starts_with("E01") && nth == 0;
                let fits = if wanted { given.iter().any(|d| d.code.0 == *code) } else { given.is_empty() };
                assert!(fits, "{code}, example {nth}: {given:?}");
            }
        }
    }

    #[test]
    fn codes_are_found_in_any_case() {
        assert_eq!(page("e0101"), page("E0101"));
        assert_eq!(page("E0000"), None);
    }
}
