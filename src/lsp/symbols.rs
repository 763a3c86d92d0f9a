//! The outline of a file.

use gen_lsp_types as lsp;

use super::view::View;
use crate::source::Span;
use crate::syntax::ast::{Data, Item, ItemKind, Let, StageEntry, Train};

/// The items of a file, with what stands in them.
pub fn symbols(view: &View<'_>) -> Vec<lsp::DocumentSymbol> {
    let items = view.parse().into_iter().flat_map(|p| &p.ast.items);
    items.flat_map(|i| item(view, i)).collect()
}

struct Entry<'n> {
    name: &'n str,
    detail: String,
    kind: lsp::SymbolKind,
    whole: Span,
    at: Span,
}

fn symbol(view: &View<'_>, entry: Entry<'_>, children: Vec<lsp::DocumentSymbol>) -> lsp::DocumentSymbol {
    #[allow(deprecated)] // The protocol's own field, which has no other name.
    lsp::DocumentSymbol {
        name: entry.name.to_string(),
        detail: (!entry.detail.is_empty()).then_some(entry.detail),
        kind: entry.kind,
        tags: None,
        deprecated: None,
        range: view.range(entry.whole.to(entry.at)),
        selection_range: view.range(entry.at),
        children: (!children.is_empty()).then_some(children),
    }
}

fn item(view: &View<'_>, i: &Item) -> Vec<lsp::DocumentSymbol> {
    use lsp::SymbolKind as K;
    let entry = |name: &str, at: Span, kind: K, detail: &str, children| {
        let entry = Entry { name, detail: detail.into(), kind, whole: i.span, at };
        vec![symbol(view, entry, children)]
    };
    let text = |span: Span| view.sources().text(span).to_string();
    match &i.kind {
        ItemKind::Use(u) => match &u.run_as {
            Some(name) => entry(&name.text, name.span, K::Module, "run", vec![]),
            None => entry(&u.path, u.path_span, K::Module, "use", vec![]),
        },
        ItemKind::Const(c) => entry(&c.name.text, c.name.span, K::Constant, "const", vec![]),
        ItemKind::Data(d) => entry(&text(d.decl.span), d.decl.span, K::Struct, "data", fields(view, d)),
        ItemKind::Layer(l) => entry(&text(l.decl.span), l.decl.span, K::Function, "layer", lets(view, &l.lets)),
        ItemKind::Def(d) => entry(&d.name.text, d.name.span, K::Function, "def", lets(view, &d.lets)),
        ItemKind::Let(l) => lets(view, std::slice::from_ref(l)),
        ItemKind::Task(t) => entry(&text(t.decl.span), t.decl.span, K::Class, &t.kind.text, vec![]),
        ItemKind::Loss(l) => entry(&text(l.decl.span), l.decl.span, K::Number, "loss", vec![]),
        ItemKind::Metric(m) => entry(&text(m.decl.span), m.decl.span, K::Number, "metric", vec![]),
        ItemKind::Train(t) => entry("train", t.keyword, K::Module, "", stages(view, t)),
        ItemKind::For(f) => {
            let at = f.binder.span.to(f.list.span);
            let name = format!("for {}", text(at));
            let inside = f.items.iter().flat_map(|i| item(view, i)).collect();
            entry(&name, at, K::Namespace, "", inside)
        }
    }
}

fn fields(view: &View<'_>, d: &Data) -> Vec<lsp::DocumentSymbol> {
    let field = |f: &crate::syntax::ast::Field| {
        let detail = view.sources().text(f.ty_span).to_string();
        let entry = Entry { name: &f.name.text, detail, kind: lsp::SymbolKind::Field, whole: f.span, at: f.name.span };
        symbol(view, entry, vec![])
    };
    d.fields.iter().map(field).collect()
}

fn lets(view: &View<'_>, lets: &[Let]) -> Vec<lsp::DocumentSymbol> {
    let names = lets.iter().flat_map(|l| l.names.iter().map(move |d| (l, d)));
    let one = |(l, d): (&Let, &crate::syntax::ast::Decl)| {
        let name = view.sources().text(d.span);
        let detail = view.known().types_at(d.name.span).into_iter().next().unwrap_or_default();
        symbol(view, Entry { name, detail, kind: lsp::SymbolKind::Variable, whole: l.span, at: d.span }, vec![])
    };
    names.map(one).collect()
}

fn stages(view: &View<'_>, t: &Train) -> Vec<lsp::DocumentSymbol> {
    let all = t.stages.iter().flat_map(|entry| match entry {
        StageEntry::Stage(stage) => std::slice::from_ref(stage),
        StageEntry::For { stages, .. } => stages,
    });
    let one = |s: &crate::syntax::ast::Stage| {
        let name = view.sources().text(s.decl.span);
        let entry =
            Entry { name, detail: "stage".into(), kind: lsp::SymbolKind::Event, whole: s.span, at: s.decl.span };
        symbol(view, entry, vec![])
    };
    all.map(one).collect()
}
