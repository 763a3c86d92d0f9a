//! A report is well-formed, escapes everything, and fetches nothing.

use super::*;
use crate::report::picture::tests::plan;

/// Elements that have no end.
const VOID: [&str; 4] = ["meta", "br", "link", "img"];

/// Checks that tags nest.
pub(crate) fn balanced(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').unwrap_or_else(|| panic!("a tag without end: {}", &rest[..rest.len().min(80)]));
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap();
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "near {}", &rest[..rest.floor_char_boundary(80)]);
        } else if !tag.starts_with('!') && !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
            if matches!(name, "script" | "style") {
                rest = &rest[rest.find(&format!("</{name}>")).unwrap()..];
            }
        }
    }
    assert!(open.is_empty(), "{open:?} stay open");
}

fn values(pairs: &[(&str, f64)]) -> crate::report::metrics_log::Values {
    pairs.iter().map(|(name, value)| (name.to_string(), value.is_finite().then_some(*value))).collect()
}

fn report() -> Report {
    let evil = "</script><b>\"'&";
    let mut report = Report::of(&plan());
    report.name = evil.into();
    report.sources = vec![(evil.into(), format!("// {evil}\nlayer words = embed(8)"))];
    report.test = vec![
        Figure::new("intent.accuracy", 0.96),
        Figure::new(format!("{evil}.f1"), f64::NAN),
        Figure::new("sentence", 0.5),
    ];
    report.environment = Environment::capture(evil, "f32", 1, 2);
    report.confusions = vec![Confusion {
        task: evil.into(),
        labels: vec![evil.into(), "B-感情".into()],
        counts: vec![5, 2, 1, 7, 1, 0],
        first_right: vec![],
    }];
    for epoch in 1..=3 {
        let step = epoch * 10;
        let loss = 1.0 / epoch as f64;
        report.lines.push(Line::Step {
            stage: evil.into(),
            epoch,
            step,
            losses: values(&[("intent", loss), (evil, f64::NAN)]),
            total: Some(loss),
            lr: 1e-3,
            grad_norm: None,
            tokens_per_second: Some(100.0),
            seconds: 1.0,
        });
        report.lines.push(Line::Epoch {
            stage: evil.into(),
            epoch,
            step,
            losses: values(&[("intent", loss)]),
            figures: values(&[("intent.accuracy", 1.0 - loss), ("intent.loss", loss), ("sentence", 0.5)]),
            right: indexmap::IndexMap::from([(evil.to_string(), if epoch > 1 { vec![0] } else { vec![] })]),
            best: epoch == 2,
            tokens_per_second: Some(100.0),
            seconds: 1.0,
            dev_seconds: 0.5,
        });
    }
    report
}

#[test]
fn pages_are_well_formed() {
    balanced(&report().render());
    balanced(&Report::default().render());
}

#[test]
fn everything_is_escaped() {
    let page = report().render();
    assert!(!page.contains("</script><b>"));
    assert_eq!(page.matches("</script>").count(), 1);
    assert!(page.contains("&lt;/script&gt;&lt;b&gt;&quot;&#39;&amp;"));
}

#[test]
fn nothing_is_fetched() {
    let page = report().render();
    let bare = page.replace("http://www.w3.org/2000/svg", "");
    for word in ["http:", "https:", "src=", "url(", "@import", "<link"] {
        assert!(!bare.contains(word), "{word}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn sections_without_content_are_left_out() {
    let page = Report::default().render();
    assert!(!page.contains("<section"));
    let page = report().render();
    for id in ["figures", "curves", "labels", "graph", "layers", "epochs", "environment", "source"] {
        assert!(page.contains(&format!("<section id=\"{id}\">")), "{id}");
    }
}
