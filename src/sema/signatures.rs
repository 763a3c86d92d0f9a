//! Stated types of layers, `layer reader: [T, 64] -> [T, 256]`, against what they take and give.

use std::collections::BTreeMap;

use super::call::{Scope, Val};
use super::checker::Checker;
use super::consts::Const;
use super::symbols::Symbol;
use super::types::Ty;
use crate::diagnostics::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::ast::{self, ExprKind};

impl<'a> Checker<'a> {
    /// Compares a layer's stated type with what it takes and gives.
    pub(super) fn check_signature(
        &mut self,
        sig: &'a ast::Sig,
        symbol: &Symbol<'a>,
        inputs: &[(Val<'a>, Span)],
        output: &Val<'a>,
        s: &Scope<'a>,
    ) {
        let mut axes: BTreeMap<String, String> = BTreeMap::new();
        let ends = sig.inputs.iter().zip(inputs.iter().map(|i| &i.0)).chain([(&sig.output, output)]);
        for (dims, value) in ends {
            let Val::Node(node) = value else { continue };
            let ty = self.graph.ty(*node).clone();
            if ty == Ty::Error || self.fits(dims, &ty, &mut axes, s) {
                continue;
            }
            let shown = self.show(&ty);
            let message = format!("'{}' does not have its stated type: this is {shown}", symbol.name);
            self.error_in(s, Diagnostic::new(codes::SIGNATURE, dims.span, message));
            // What comes out follows from what went in.
            return;
        }
    }

    fn fits(&mut self, dims: &'a ast::Dims, ty: &Ty, axes: &mut BTreeMap<String, String>, s: &Scope<'a>) -> bool {
        let (Some(on), Some((last, outer))) = (ty.on(), dims.dims.split_last()) else { return false };
        if outer.len() != on.axes.len() {
            return matches!(ty, Ty::Tokens(_)) && dims.dims.len() == on.axes.len();
        }
        for (dim, axis) in outer.iter().zip(on.axes.iter()) {
            if let ExprKind::Name(n) = &dim.kind
                && axes.entry(n.text.clone()).or_insert_with(|| axis.to_string()) != &**axis
            {
                return false;
            }
        }
        let Ty::Vector(_, width) = ty else { return true };
        match &last.kind {
            ExprKind::Name(n) if self.symbols.named(&n.text, n.span).is_none() => {
                let shown = self.show_width(width);
                axes.entry(n.text.clone()).or_insert_with(|| shown.clone()) == &shown
            }
            _ => match self.constant(last, s) {
                Ok(Const::Int(d)) => width.known().is_none_or(|w| w as i64 == d),
                _ => true,
            },
        }
    }
}
