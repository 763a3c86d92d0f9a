//! Makes the nodes and parameters of heads that have layers of their own.

use super::heads::Input;
use crate::ops::attrs;
use crate::plan::{Attr, Attrs, Init};
use crate::sema::call::{Checked, Scope};
use crate::sema::checker::Checker;
use crate::sema::graph::{Node, NodeId, ParamId};
use crate::sema::model::Head;
use crate::sema::types::{Ty, Width};
use crate::source::Span;

/// A head in the making.
pub struct Make<'c, 'a> {
    /// The checker.
    pub c: &'c mut Checker<'a>,
    /// The head.
    pub head: &'c Head<'a>,
    /// Where its input stands.
    pub at: Span,
}

impl Make<'_, '_> {
    /// A parameter of the head.
    pub fn param(&mut self, name: &str, shape: Vec<Width>, init: Init) -> Checked<ParamId> {
        self.c.param_at(format!("{}.{name}", self.head.path), shape, init, self.at, &Scope::default())
    }

    /// A node; `draws` where it is random.
    fn add(&mut self, op: &'static str, inputs: Vec<NodeId>, attrs: Attrs, params: Vec<ParamId>, ty: Ty) -> Node {
        let path = self.head.path.as_str().into();
        Node { op, inputs, attrs, params, ty, span: self.at, path, draw: None, vocab: None }
    }

    /// A node without parameters.
    pub fn plain(&mut self, op: &'static str, inputs: Vec<NodeId>, attrs: Attrs, ty: Ty) -> NodeId {
        self.node(op, inputs, attrs, vec![], ty)
    }

    /// A node.
    pub fn node(
        &mut self,
        op: &'static str,
        inputs: Vec<NodeId>,
        attrs: Attrs,
        params: Vec<ParamId>,
        ty: Ty,
    ) -> NodeId {
        let node = self.add(op, inputs, attrs, params, ty);
        self.c.graph.add(node)
    }

    /// `act(x Wᵀ + b)`, with parameters `NAME.weight` and `NAME.bias`.
    pub fn linear(&mut self, name: &str, x: &Input, d: Width, act: &str) -> Checked<Input> {
        let weight = self.param(&format!("{name}.weight"), vec![d.clone(), x.width.clone()], Init::FanIn)?;
        let bias = self.param(&format!("{name}.bias"), vec![d.clone()], Init::Zeros)?;
        let ty = Ty::Vector(x.on.clone(), d.clone());
        let node = self.node("linear", vec![x.node], attrs([("act", act.into())]), vec![weight, bias], ty);
        Ok(Input { node, on: x.on.clone(), width: d })
    }

    /// Dropout, unless `p` is 0.
    pub fn dropout(&mut self, x: Input, p: f64) -> Input {
        if p == 0.0 {
            return x;
        }
        let ty = self.c.graph.ty(x.node).clone();
        let node = self.add("dropout", vec![x.node], attrs([("p", Attr::Float(p))]), vec![], ty);
        let node = self.c.graph.add(Node { draw: Some(self.head.site.clone()), ..node });
        Input { node, ..x }
    }

    /// The sum of two losses, where both are there.
    pub fn sum(&mut self, a: NodeId, b: NodeId) -> NodeId {
        let ty = self.c.graph.ty(a).clone();
        self.plain("add", vec![a, b], attrs([]), ty)
    }
}
