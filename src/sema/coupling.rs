//! Layers that read each other one step before: which recurrent cells go through time together.

use std::rc::Rc;

use super::call::{Func, Scope, Val};
use super::checker::Checker;
use super::graph::{NodeId, ParamId};
use crate::diagnostics::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::ast::ItemKind;

/// A declared layer, by name and member, applied to a value.
pub type Applied<'a> = (&'a str, usize, NodeId);

/// A recurrent cell while what it reads is being found.
#[derive(Clone, Debug)]
pub struct Cell<'a> {
    /// The layer that it is the end of.
    pub layer: Option<Applied<'a>>,
    /// What it reads beside the other's state.
    pub input: NodeId,
    /// Its parameters.
    pub params: Vec<ParamId>,
    /// Its width.
    pub width: usize,
    /// Its states, once a cycle of cells was closed.
    pub made: Option<NodeId>,
}

impl<'a> Checker<'a> {
    /// The cells from the one that is the end of this layer on, when that is being applied.
    pub fn open_cells(&self, layer: Applied<'a>) -> Option<usize> {
        self.cells.iter().position(|cell| cell.layer == Some(layer))
    }

    /// Notes the states of a cell of a cycle.
    pub fn close_cell(&mut self, at: usize, states: NodeId) {
        let cell = &mut self.cells[at];
        cell.made = Some(states);
        if let Some(layer) = cell.layer {
            self.coupled.insert(layer, states);
        }
    }

    /// Reports a layer of a cycle that does more after its recurrent cell: the others read the
    /// states of the cell.
    pub(super) fn ends_with_its_cell(
        &mut self,
        layer: Option<Applied<'a>>,
        value: Val<'a>,
        at: Span,
        s: &Scope<'a>,
    ) -> Val<'a> {
        let found = layer.and_then(|layer| Some((layer, *self.coupled.get(&layer)?)));
        let Some((layer, states)) = found else { return value };
        match &value {
            Val::Node(node) if *node == states => value,
            Val::Error => value,
            _ => {
                let message =
                    format!("'{}' reads its own state through another layer, and does not end with it", layer.0);
                let d = Diagnostic::new(codes::CYCLE, at, message)
                    .help("write what comes after the recurrent layer as a layer of its own");
                self.fail(s, d)
            }
        }
    }

    /// The function that a function is: of a layer without named inputs, its body.
    pub(crate) fn body_of(&mut self, f: &Rc<Func<'a>>) -> Option<Rc<Func<'a>>> {
        let Func::Layer { name, member, .. } = &**f else { return Some(f.clone()) };
        let symbol = self.symbols.by_name[*name].clone();
        let ItemKind::Layer(layer) = &symbol.item.kind else { return None };
        if layer.params.is_some() {
            return None;
        }
        let mut scope = self.item_scope(&symbol, *member, name);
        scope.closed = Some(name);
        match self.eval(&layer.body, &scope) {
            Val::Func(body) => self.body_of(&body),
            _ => None,
        }
    }
}
