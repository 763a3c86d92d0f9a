//! What the layout needs of a tree: which statements a text has, and which of them stand inside
//! the block of another.

use crate::source::Span;
use crate::syntax::ast::{Item, ItemKind, Let, Setting, Stage, StageEntry};

/// The kinds of statements that are laid out in ways of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `name: value`.
    Setting,
    /// `field name: type from "column"`.
    Field,
    /// A task, whose head is long.
    Task,
    /// `for d in list { … }`.
    For,
    /// Any other.
    Other,
}

/// A statement, and those in its block.
#[derive(Debug)]
pub struct Node {
    /// The whole.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
    /// What stands in its block, in order.
    pub children: Vec<Node>,
}

impl Node {
    fn new(span: Span, kind: Kind, children: impl IntoIterator<Item = Node>) -> Self {
        let mut children: Vec<Node> = children.into_iter().collect();
        children.sort_by_key(|c| c.span.start);
        Self { span, kind, children }
    }
}

/// The statements of an item.
pub fn item(item: &Item) -> Node {
    let node = |kind, children: Vec<Node>| Node::new(item.span, kind, children);
    match &item.kind {
        ItemKind::Use(_) | ItemKind::Const(_) | ItemKind::Let(_) | ItemKind::Metric(_) => node(Kind::Other, vec![]),
        ItemKind::Data(d) => {
            let fields = d.fields.iter().map(|f| Node::new(f.span, Kind::Field, []));
            node(Kind::Other, settings(&d.settings).chain(fields).collect())
        }
        ItemKind::Layer(l) => node(Kind::Other, lets(&l.lets)),
        ItemKind::Def(d) => node(Kind::Other, lets(&d.lets)),
        ItemKind::Task(t) => node(Kind::Task, settings(&t.settings).collect()),
        ItemKind::Loss(l) => node(Kind::Other, settings(&l.settings).collect()),
        ItemKind::Train(t) => node(Kind::Other, settings(&t.settings).chain(t.stages.iter().map(entry)).collect()),
        ItemKind::For(f) => node(Kind::For, f.items.iter().map(self::item).collect()),
    }
}

fn settings(settings: &[Setting]) -> impl Iterator<Item = Node> {
    settings.iter().map(|s| Node::new(s.span, Kind::Setting, []))
}

fn lets(lets: &[Let]) -> Vec<Node> {
    lets.iter().map(|l| Node::new(l.span, Kind::Other, [])).collect()
}

fn entry(entry: &StageEntry) -> Node {
    match entry {
        StageEntry::Stage(s) => stage(s),
        StageEntry::For { stages, span, .. } => Node::new(*span, Kind::For, stages.iter().map(stage)),
    }
}

fn stage(stage: &Stage) -> Node {
    Node::new(stage.span, Kind::Other, settings(&stage.settings))
}
