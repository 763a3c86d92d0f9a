//! The reference pages, made from the tables of signatures.

use std::fmt::Write;

use super::{FORMAT_NOTE, Group, Signature, TASKS, all, fields, formats, training};

/// All pages as one Markdown text.
pub fn pages() -> String {
    let mut text =
        String::from("# Reference\n\nMade from the table of operations by `mtlc reference`; not edited by hand.\n");
    section(&mut text, "Layers and operations");
    let groups = [
        Group::Words,
        Group::Recurrent,
        Group::Attention,
        Group::Dense,
        Group::Combine,
        Group::Pooling,
        Group::Noise,
        Group::Gradient,
        Group::Sharing,
        Group::Structure,
        Group::Loss,
    ];
    for group in groups {
        let _ = writeln!(text, "\n### {group:?}");
        for op in all().filter(|op| op.signature().group == group) {
            entry(&mut text, op.signature(), op.runs());
        }
    }
    section(&mut text, "Kinds of tasks");
    for kind in TASKS {
        entry(&mut text, kind.signature(), kind.runs());
        let _ = writeln!(text, "\nMetrics: {}.", super::list_words(kind.metrics()));
    }
    entry(&mut text, &super::tasks::COMMON, true);
    section(&mut text, "Data");
    entry(&mut text, &fields::DATA, true);
    let _ = writeln!(text, "\n{FORMAT_NOTE}");
    formats::FORMATS.iter().for_each(|s| entry(&mut text, s, formats::runs(s.name)));
    fields::FIELD_TYPES.iter().for_each(|s| entry(&mut text, s, true));
    section(&mut text, "Training");
    entry(&mut text, &training::TRAIN, true);
    entry(&mut text, &training::STAGE, true);
    for table in [training::OPTIMIZERS, training::SCHEDULES, training::BATCHES, training::SAMPLES, training::BALANCES] {
        table.iter().for_each(|s| entry(&mut text, s, training::runs(s.name)));
    }
    text
}

fn section(text: &mut String, title: &str) {
    let _ = writeln!(text, "\n## {title}");
}

fn entry(text: &mut String, s: &Signature, runs: bool) {
    let _ = writeln!(text, "\n#### `{}`\n\n{}", s.usage(), s.doc);
    if !runs {
        let _ = writeln!(text, "\n*Checked, but not run by this build yet.*");
    }
    if s.args.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n| argument | is | does |\n|---|---|---|");
    for a in s.args {
        let _ =
            writeln!(text, "| `{}` | {} | {} |", a.name, a.kind.words().replace('|', "\\|"), a.doc.replace('|', "\\|"));
    }
}
