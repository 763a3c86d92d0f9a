//! What a name is: its documentation, its type, its parameters and who shares them.

use gen_lsp_types as lsp;

use super::dispatch::Answer;
use super::markup::{argument, head, listed, markdown, signature, size};
use super::view::View;
use crate::sema::known::KnownTask;
use crate::sema::references::{Def, DefId, DefKind, Target};
use crate::sema::symbols::SymbolKind;
use crate::sema::walk;
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind};

/// What stands at a byte.
pub fn hover(view: &View<'_>, at: u32) -> Answer<Option<lsp::Hover>> {
    let references = view.references();
    let Some((span, text)) = (match references.use_at(view.file, at) {
        Some(found) => used(view, found.span, &found.target).map(|text| (found.span, text)),
        None => references.def_at(view.file, at).map(|d| (references.def(d).span, declared(view, d, None))),
    }) else {
        return Ok(None);
    };
    let contents = lsp::Contents::MarkupContent(markdown(text));
    Ok(Some(lsp::Hover { contents, range: Some(view.range(span)) }))
}

fn used(view: &View<'_>, span: Span, target: &Target) -> Option<String> {
    let here = value_span(view, span);
    match target {
        Target::Defs(defs) => {
            let texts: Vec<String> = defs.iter().take(3).map(|d| declared(view, *d, here)).collect();
            Some(texts.join("\n\n---\n\n"))
        }
        Target::Signature(s) => Some(with_value(view, signature(s), here)),
        Target::Argument(s, a) => Some(argument(s, a)),
        Target::Metric => Some(format!("The metric `{}` of a task.", view.sources().text(span))),
        Target::File(path) => Some(format!("`{}`", path.display())),
        Target::Word => None,
    }
}

/// What the value at a place is, below what is said of its operation.
fn with_value(view: &View<'_>, text: String, here: Option<Span>) -> String {
    let known = view.known();
    let Some(here) = here else { return text };
    let Some(types) = type_line(view, here) else { return text };
    let params = known.values_at(here).first().map(|n| known.size(known.graph.node(*n).params.iter().copied()));
    match params.filter(|s| !s.0.is_empty()) {
        Some(params) => format!("{text}\n\nHere {types}, with {} parameters.", size(known, &params)),
        None => format!("{text}\n\nHere {types}."),
    }
}

fn type_line(view: &View<'_>, span: Span) -> Option<String> {
    let types = view.known().types_at(span);
    (!types.is_empty()).then(|| listed(&types))
}

/// What is declared, and the value that it has at a place.
fn declared(view: &View<'_>, id: DefId, here: Option<Span>) -> String {
    let def = view.references().def(id);
    let mut text = head(view, def);
    if let Some(docs) = &def.docs {
        text += &format!("\n\n{docs}");
    }
    let more = match def.kind {
        DefKind::Item(SymbolKind::Layer) => vec![sharing(view, &def.name), here.and_then(|h| gives(view, h))],
        DefKind::Item(SymbolKind::Def) => vec![here.and_then(|h| gives(view, h))],
        DefKind::Item(SymbolKind::Let) => vec![of_type(view, here, def), sharing(view, &def.name)],
        DefKind::Item(SymbolKind::Task) => vec![task(view, def)],
        DefKind::Item(SymbolKind::Data) => vec![fields(view, id)],
        DefKind::Field => vec![of_type(view, here, def), labels(view, def)],
        _ => vec![of_type(view, here, def)],
    };
    for line in more.into_iter().flatten() {
        text += &format!("\n\n{line}");
    }
    text
}

fn gives(view: &View<'_>, here: Span) -> Option<String> {
    type_line(view, here).map(|types| format!("Here {types}."))
}

fn of_type(view: &View<'_>, here: Option<Span>, def: &Def) -> Option<String> {
    let types = here.and_then(|h| type_line(view, h)).or_else(|| type_line(view, def.span));
    types.map(|types| format!("Type {types}."))
}

/// The parameters of what is declared, and the tasks that compute with them.
fn sharing(view: &View<'_>, name: &str) -> Option<String> {
    let known = view.known();
    let params = known.params_below(&[name.to_string()]);
    if params.is_empty() {
        return None;
    }
    let count = size(known, &known.size(params.iter().copied()));
    let users: Vec<&str> = known.users(&params).iter().map(|t| t.name.as_str()).collect();
    Some(match users.len() {
        0 => format!("{count} parameters, read by no task."),
        1 => format!("{count} parameters, read by {} alone.", listed(&users)),
        _ => format!("{count} parameters, shared by {}.", listed(&users)),
    })
}

fn task(view: &View<'_>, def: &Def) -> Option<String> {
    let known = view.known();
    let tasks: Vec<&KnownTask> = known.tasks.iter().filter(|t| t.span == def.span).collect();
    let built = tasks.first()?.built.as_ref()?;
    let types = format!("Reads `{}`, gives `{}`.", known.shown(built.hidden), known.shown(built.label));
    Some(format!("{types}\n\n{}.", super::lens::task_costs(view, &tasks, size)?))
}

fn fields(view: &View<'_>, data: DefId) -> Option<String> {
    let fields = view.references().all().filter(|(_, d)| d.owner == Some(data));
    let lines: Vec<String> = fields.map(|(_, d)| format!("- `{}`", view.sources().text(d.head))).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The labels that the data has for a field.
fn labels(view: &View<'_>, def: &Def) -> Option<String> {
    let data = &view.references().def(def.owner?).name;
    let labels = view.workspace.samples.labels(view, data, &def.name);
    match labels.len() {
        0 => None,
        1 => Some(format!("1 label in the data: {}.", listed(&labels))),
        n => Some(format!("{n} labels in the data: {}.", listed(&labels))),
    }
}

/// The expression that a name at a place gives its value to: itself, its call, or the pipe that
/// ends with it.
pub fn value_span(view: &View<'_>, name: Span) -> Option<Span> {
    let mut found: Option<Span> = None;
    for item in view.parse().into_iter().flat_map(|p| &p.ast.items) {
        walk::item(item, &mut |e| {
            if key(e) == Some(name) && found.is_none_or(|f| e.span.to(f) == e.span) {
                found = Some(e.span);
            }
        });
    }
    found
}

/// The name that says what an expression does last.
fn key(e: &Expr) -> Option<Span> {
    match &e.kind {
        ExprKind::Name(name) | ExprKind::Member { name, .. } => Some(name.span),
        ExprKind::Call { callee, .. } => key(callee),
        ExprKind::Pipe { into, .. } => key(into),
        ExprKind::Index { base, .. } => key(base),
        _ => None,
    }
}
