//! Fields as values: their types, axes and label spaces.

use std::rc::Rc;

use crate::data::spec::FieldType;
use crate::diagnostics::{Diagnostic, codes};
use crate::ops::list_words;
use crate::plan::{Attr, Attrs};
use crate::sema::call::{Checked, Reported, Scope, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::{NodeId, SpaceSource, field_of};
use crate::sema::suggest;
use crate::sema::types::{DataId, Example, GoldKind, On, SpaceId, Ty, Width};
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, Ident, ItemKind};

impl<'a> Checker<'a> {
    /// A field as a value.
    pub(in crate::sema) fn field_value(&mut self, on: &On, name: &'a Ident, s: &Scope<'a>) -> Val<'a> {
        if let Example::Union(members, family) = &on.example {
            let values = members
                .iter()
                .map(|id| {
                    let on = On::of(self.example(*id));
                    self.field_value(&on, name, s)
                })
                .collect();
            return self.union_of(values, &format!("{family}.{}", name.text), name.span, s);
        }
        let Some(&id) = on.example.members().first() else { return Val::Error };
        if self.broken_fields.contains(&(id, name.text.clone())) {
            return Val::Error;
        }
        let spec = &self.datasets[id.0];
        let Some(at) = spec.fields.iter().position(|f| f.name == name.text) else {
            if self.tolerated.contains(&name.text) {
                return Val::Error;
            }
            let data = spec.name.split('.').next().unwrap_or(&spec.name);
            let mut d =
                Diagnostic::new(codes::UNKNOWN_FIELD, name.span, format!("'{data}' has no field '{}'", name.text))
                    .also(spec.span, format!("'{data}' is declared here"));
            let known: Vec<&str> = spec.fields.iter().map(|f| f.name.as_str()).collect();
            d = match suggest::nearest(&name.text, known.iter().copied()) {
                Some(near) => d.fix(name.span, near, format!("did you mean '{near}'?")),
                None => d.help(format!("its fields are {}", list_words(&known))),
            };
            return self.fail(s, d);
        };
        match self.field_ty(id, at, on) {
            Some(ty) => Val::Node(self.field_node(id, at, ty, name.span)),
            None => Val::Error,
        }
    }

    fn field_node(&mut self, id: DataId, at: usize, ty: Ty, span: Span) -> NodeId {
        let attrs = Attrs::from_iter([("data".into(), Attr::Int(id.0 as i64)), ("field".into(), Attr::Int(at as i64))]);
        self.plain("field", vec![], attrs, ty, span)
    }

    fn field_ty(&mut self, id: DataId, at: usize, on: &On) -> Option<Ty> {
        let spec = &self.datasets[id.0].fields[at];
        let (name, ty) = (Rc::<str>::from(spec.name.as_str()), spec.ty.clone());
        let full = format!("{}.{name}", self.datasets[id.0].name);
        let here = SpaceSource::Fields(vec![(id, at)]);
        Some(match &ty {
            FieldType::Text { .. } => Ty::Tokens(On { example: on.example.clone(), axes: [name].into() }),
            FieldType::Texts { of, .. } => {
                let mut axes = match of {
                    Some(of) => self.axes_of(id, of)?,
                    None => vec![name.clone()],
                };
                axes.push(format!("{name}.tokens").into());
                Ty::Tokens(On { example: on.example.clone(), axes: axes.into() })
            }
            FieldType::Class => Ty::Label(on.examples(), self.class_space(id, at, &full)),
            FieldType::Labels { .. } => Ty::Gold(on.examples(), GoldKind::Labels, Some(self.space(&full, here))),
            FieldType::Number => Ty::Vector(on.examples(), 1.into()),
            FieldType::Vector(d) => Ty::Vector(on.examples(), (*d).into()),
            FieldType::Tags(x) => Ty::Label(self.members_of(id, x, on)?, self.space(&full, here)),
            FieldType::Spans(x) => {
                let space = self.space(&full, SpaceSource::Bio(vec![(id, at)]));
                Ty::Gold(self.along_axes(id, x, on)?, GoldKind::Spans, Some(space))
            }
            FieldType::Relations(x) => {
                self.span_types(id, x);
                let under = self.datasets[id.0].fields.iter().find(|f| f.name == *x)?.ty.along()?.to_string();
                Ty::Gold(self.along_axes(id, &under, on)?, GoldKind::Relations, Some(self.space(&full, here)))
            }
            FieldType::Tree(x) => Ty::Gold(self.along_axes(id, x, on)?, GoldKind::Tree, Some(self.space(&full, here))),
            FieldType::Span(x) => Ty::Gold(self.along_axes(id, x, on)?, GoldKind::Span, None),
            FieldType::Clusters(x) => Ty::Gold(self.along_axes(id, x, on)?, GoldKind::Clusters, None),
            FieldType::Choice(x) => Ty::Gold(self.members_of(id, x, on)?, GoldKind::Choice, None),
            FieldType::Ranking(x) => Ty::Gold(self.members_of(id, x, on)?, GoldKind::Ranking, None),
        })
    }

    /// The axis of the members of a field: of a field of texts its texts, of any other what it runs along.
    fn members_of(&mut self, id: DataId, field: &str, on: &On) -> Option<On> {
        let mut axes = self.axes_of(id, field)?;
        let spec = self.datasets[id.0].fields.iter().find(|f| f.name == field)?;
        if matches!(spec.ty, FieldType::Texts { .. }) {
            axes.pop();
        }
        Some(On { example: on.example.clone(), axes: axes.into() })
    }

    /// The space of the types of a field of spans.
    fn span_types(&mut self, id: DataId, field: &str) -> Option<(usize, SpaceId)> {
        let spec = &self.datasets[id.0];
        let at = spec.fields.iter().position(|f| f.name == *field)?;
        let full = format!("{}.{field}", spec.name);
        Some((at, self.space(&full, SpaceSource::Fields(vec![(id, at)]))))
    }

    /// The spans that gold relations are of, and the space of their types.
    pub(crate) fn spans_under(&mut self, gold: NodeId, at: Span) -> Checked<(NodeId, SpaceId)> {
        let node = self.graph.node(gold).clone();
        let Some((id, field)) = field_of(&node).filter(|_| node.op == "field") else {
            let message = "this build relates the spans of one data set, and this is gold of several";
            return Err(self.error(Diagnostic::new(codes::NOT_RUN_YET, at, message)));
        };
        let spans = self.datasets[id.0].fields[field].ty.along().unwrap_or_default().to_string();
        let (Some((spans, types)), Some(on)) = (self.span_types(id, &spans), node.ty.on().cloned()) else {
            return Err(Reported);
        };
        let ty = Ty::Gold(on, GoldKind::Spans, Some(types));
        Ok((self.field_node(id, spans, ty, node.span), types))
    }

    /// Gold spans, with the types themselves as their labels.
    pub(crate) fn typed_spans(&mut self, gold: NodeId, at: Span) -> Checked<(NodeId, SpaceId)> {
        let node = self.graph.node(gold).clone();
        let Some((id, field)) = field_of(&node).filter(|_| node.op == "field") else {
            let message = "this build finds the spans of one data set, and this is gold of several";
            return Err(self.error(Diagnostic::new(codes::NOT_RUN_YET, at, message)));
        };
        let name = self.datasets[id.0].fields[field].name.clone();
        let (Some((_, types)), Some(on)) = (self.span_types(id, &name), node.ty.on().cloned()) else {
            return Err(Reported);
        };
        let ty = Ty::Gold(on, GoldKind::Spans, Some(types));
        Ok((self.field_node(id, field, ty, node.span), types))
    }

    fn along_axes(&self, id: DataId, field: &str, on: &On) -> Option<On> {
        Some(On { example: on.example.clone(), axes: self.axes_of(id, field)?.into() })
    }

    /// The axes below the examples that a field runs along.
    fn axes_of(&self, id: DataId, field: &str) -> Option<Vec<Rc<str>>> {
        let spec = self.datasets[id.0].fields.iter().find(|f| f.name == field)?;
        match &spec.ty {
            FieldType::Text { .. } => Some(vec![spec.name.as_str().into()]),
            FieldType::Texts { of, .. } => {
                let mut axes = match of {
                    Some(of) => self.axes_of(id, of)?,
                    None => vec![spec.name.as_str().into()],
                };
                axes.push(format!("{}.tokens", spec.name).into());
                Some(axes)
            }
            FieldType::Spans(_) | FieldType::Labels { .. } => Some(vec![spec.name.as_str().into()]),
            other => self.axes_of(id, other.along()?),
        }
    }

    /// The label space of a class field, which `as:` may take from another.
    fn class_space(&mut self, id: DataId, at: usize, full: &str) -> SpaceId {
        let mut seen = vec![(id, at)];
        while let Some(&(data, field)) = seen.last()
            && let Some(shared) = self.shared_class(data, field)
            && !seen.contains(&shared)
        {
            seen.push(shared);
        }
        let owner = seen.last().copied().unwrap_or((id, at));
        let spec = &self.datasets[owner.0.0];
        let name =
            if owner == (id, at) { full.to_string() } else { format!("{}.{}", spec.name, spec.fields[owner.1].name) };
        self.space(&name, SpaceSource::Fields(vec![owner]))
    }

    /// The field that `class(as: other.field)` names.
    fn shared_class(&mut self, id: DataId, at: usize) -> Option<(DataId, usize)> {
        let &(name, member, _) = self.declared.get(id.0)?;
        let symbol = self.symbols.by_name.get(name)?;
        let ItemKind::Data(data) = &symbol.item.kind else { return None };
        let spec = &self.datasets[id.0].fields[at].name;
        let shared = super::fields::shared_with(data.fields.iter().find(|f| f.name.text == *spec)?)?;
        let scope = self.item_scope(symbol, member, name);
        let (other, member, field) = self.other_field(shared, &scope).ok()?;
        let other = *self.data_at.get(&(other.name, member))?;
        let field = self.datasets[other.0].fields.iter().position(|f| f.name == field.text)?;
        Some((other, field))
    }

    /// `|atis.intent|`: the number of labels.
    pub(in crate::sema) fn size(&mut self, e: &'a Expr, s: &Scope<'a>) -> Checked<Width> {
        let ExprKind::Size(inner) = &e.kind else { return Err(Reported) };
        let outside = Scope { closed: None, ..s.clone() };
        match self.eval(inner, &outside) {
            Val::Node(node) => match self.graph.ty(node).clone() {
                Ty::Label(_, space) | Ty::Gold(_, _, Some(space)) => Ok(space.into()),
                Ty::Vector(_, width) => Ok(width),
                Ty::Error => Err(Reported),
                other => {
                    let message = format!("this has no label space ({})", self.show(&other));
                    Err(self.error_in(s, Diagnostic::new(codes::WRONG_KIND, inner.span, message)))
                }
            },
            Val::Task(t) => match self.task(t).head.space {
                Some(space) => Ok(space.into()),
                None => {
                    Err(self.error_in(s, Diagnostic::new(codes::WRONG_KIND, inner.span, "this task has no labels")))
                }
            },
            Val::Error => Err(Reported),
            _ => Err(self.error_in(
                s,
                Diagnostic::new(codes::WRONG_KIND, inner.span, "a size is that of a field or task with labels"),
            )),
        }
    }
}
