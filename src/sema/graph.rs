//! The typed graph that a program means, and the builder that makes each value once.

use rustc_hash::{FxHashMap, FxHasher};
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;

use super::types::{DataId, EncoderId, SpaceId, Ty, VocabId, Width};
use crate::data::pretrained::Checkpoint;
use crate::plan::{Attr, Attrs, Init};
use crate::source::Span;

/// Index of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

/// Index of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParamId(pub usize);

/// Where an operation is written, and through which recipes it was expanded: what makes its
/// parameters and its draws its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Site {
    /// The layer, let or task that owns it: `private.books`.
    pub owner: Rc<str>,
    /// Starts of the calls, from the outermost recipe in.
    pub chain: Rc<[(u32, u32)]>,
}

/// A value of the program.
#[derive(Clone, Debug)]
pub struct Node {
    /// Name in the table of operations.
    pub op: &'static str,
    /// Its inputs.
    pub inputs: Vec<NodeId>,
    /// Its attributes.
    pub attrs: Attrs,
    /// Its parameters.
    pub params: Vec<ParamId>,
    /// Its type.
    pub ty: Ty,
    /// The place that asks for it.
    pub span: Span,
    /// Owner path, for people.
    pub path: Rc<str>,
    /// Where its draw is written, for random operations.
    pub draw: Option<Site>,
    /// The vocabulary it maps words to.
    pub vocab: Option<VocabId>,
}

impl Node {
    /// Equal for nodes that compute the same.
    fn digest(&self) -> u64 {
        let mut h = FxHasher::default();
        (self.op, &self.inputs, &self.params, &self.draw, self.vocab, &self.ty).hash(&mut h);
        for (name, value) in &self.attrs {
            name.hash(&mut h);
            digest(value, &mut h);
        }
        h.finish()
    }

    fn computes_as(&self, other: &Node) -> bool {
        self.op == other.op
            && self.inputs == other.inputs
            && self.attrs == other.attrs
            && self.params == other.params
            && self.draw == other.draw
            && self.vocab == other.vocab
            && self.ty == other.ty
    }
}

fn digest(value: &Attr, h: &mut FxHasher) {
    match value {
        Attr::Bool(v) => v.hash(h),
        Attr::Int(v) => v.hash(h),
        Attr::Float(v) => v.to_bits().hash(h),
        Attr::Str(v) => v.hash(h),
        Attr::List(parts) => parts.iter().for_each(|p| digest(p, h)),
    }
}

/// A parameter.
#[derive(Clone, Debug)]
pub struct Param {
    /// Its path.
    pub name: Rc<str>,
    /// Its shape.
    pub shape: Vec<Width>,
    /// Its first values.
    pub init: Init,
    /// How fast it learns, where that is its own.
    pub rate: Option<Rate>,
    /// The place that makes it.
    pub span: Span,
}

/// How fast a parameter learns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// A learning rate of its own.
    pub lr: Option<f64>,
    /// What the learning rate is multiplied by.
    pub scale: f64,
}

impl Rate {
    /// The factor of a learning rate that gives it.
    pub fn factor(self, lr: f64) -> f64 {
        self.lr.map_or(1.0, |own| own / lr.max(f64::MIN_POSITIVE)) * self.scale
    }
}

/// A pretrained encoder.
#[derive(Clone, Debug)]
pub struct Encoder {
    /// The layer that it is.
    pub name: Rc<str>,
    /// What was published; `None` where it is not at hand.
    pub checkpoint: Option<Arc<Checkpoint>>,
    /// Where it is named.
    pub span: Span,
}

/// A vocabulary in the making.
#[derive(Clone, Debug)]
pub struct Vocab {
    /// Path of the layer that owns it.
    pub name: String,
    /// Fields that reach it.
    pub fields: Vec<(DataId, usize)>,
    /// Of characters.
    pub chars: bool,
    /// Least count.
    pub min_count: usize,
    /// Word vectors.
    pub vectors: Option<crate::data::spec::FilePath>,
    /// Where it is made.
    pub span: Span,
}

/// All values, parameters and vocabularies.
#[derive(Debug, Default)]
pub struct Graph {
    /// Nodes; inputs come first.
    pub nodes: Vec<Node>,
    /// Parameters in the order made.
    pub params: Vec<Param>,
    /// Vocabularies.
    pub vocabs: Vec<Vocab>,
    /// Pretrained encoders.
    pub encoders: Vec<Encoder>,
    known: FxHashMap<u64, NodeId>,
    sites: FxHashMap<Site, Rc<str>>,
    taken: FxHashMap<Rc<str>, usize>,
    param_at: FxHashMap<Rc<str>, ParamId>,
    vocab_at: FxHashMap<String, VocabId>,
}

impl Graph {
    /// The node with this id.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// The type of a node.
    pub fn ty(&self, id: NodeId) -> &Ty {
        &self.nodes[id.0].ty
    }

    /// Adds a node, or finds the one that computes the same.
    pub fn add(&mut self, node: Node) -> NodeId {
        let mut digest = node.digest();
        // Other nodes of the same digest stand at those after it.
        while let Some(&id) = self.known.get(&digest) {
            if self.nodes[id.0].computes_as(&node) {
                return id;
            }
            digest = digest.wrapping_add(1);
        }
        let id = NodeId(self.nodes.len());
        self.known.insert(digest, id);
        self.nodes.push(node);
        id
    }

    /// The path of what is written at `site`: its owner and the operation's name, numbered when
    /// the owner has several.
    pub fn path(&mut self, site: &Site, op: &str) -> Rc<str> {
        if let Some(path) = self.sites.get(site) {
            return path.clone();
        }
        let base: Rc<str> = if site.owner.is_empty() { op.into() } else { format!("{}.{op}", site.owner).into() };
        let count = self.taken.entry(base.clone()).or_default();
        *count += 1;
        let path = if *count == 1 { base } else { format!("{base}_{count}").into() };
        self.sites.insert(site.clone(), path.clone());
        path
    }

    /// The parameter of this path, made on first use. `Err` gives the one made with another shape,
    /// and the shape.
    pub fn param(
        &mut self,
        name: &str,
        shape: Vec<Width>,
        init: Init,
        span: Span,
    ) -> Result<ParamId, (Param, Vec<Width>)> {
        if let Some(&id) = self.param_at.get(name) {
            let known = &self.params[id.0];
            return if known.shape == shape { Ok(id) } else { Err((known.clone(), shape)) };
        }
        let name: Rc<str> = name.into();
        let id = ParamId(self.params.len());
        self.param_at.insert(name.clone(), id);
        self.params.push(Param { name, shape, init, rate: None, span });
        Ok(id)
    }

    /// The vocabulary of this path, made on first use.
    pub fn vocab(&mut self, vocab: Vocab) -> VocabId {
        if let Some(&id) = self.vocab_at.get(&vocab.name) {
            return id;
        }
        let id = VocabId(self.vocabs.len());
        self.vocab_at.insert(vocab.name.clone(), id);
        self.vocabs.push(vocab);
        id
    }

    /// The encoder of the layer `name`, found on first use.
    pub fn encoder(&self, name: &str) -> Option<EncoderId> {
        self.encoders.iter().position(|e| &*e.name == name).map(EncoderId)
    }

    /// The fields whose words reach a node of tokens.
    pub fn token_fields(&self, id: NodeId) -> Vec<(DataId, usize)> {
        let node = self.node(id);
        if node.op == "field" {
            return field_of(node).into_iter().collect();
        }
        if let Some(Attr::List(fields)) = node.attrs.get("fields") {
            return fields.iter().filter_map(pair_of).collect();
        }
        if node.op == "rewritten" {
            return self.token_fields(node.inputs[0]);
        }
        node.inputs.iter().flat_map(|i| self.token_fields(*i)).collect()
    }
}

/// A data set and the position of a field, as attributes have them.
fn pair_of(pair: &Attr) -> Option<(DataId, usize)> {
    let Attr::List(pair) = pair else { return None };
    let [Attr::Int(data), Attr::Int(field)] = pair[..] else { return None };
    Some((DataId(data as usize), field as usize))
}

/// The data set and position of a `field` node.
pub fn field_of(node: &Node) -> Option<(DataId, usize)> {
    let at = |name: &str| match node.attrs.get(name) {
        Some(crate::plan::Attr::Int(v)) => Some(*v as usize),
        _ => None,
    };
    Some((DataId(at("data")?), at("field")?))
}

/// The labels of a space.
#[derive(Clone, Debug)]
pub struct Space {
    /// `atis.intent`.
    pub name: String,
    /// Where the labels come from.
    pub from: SpaceSource,
}

/// Where the labels of a space come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum SpaceSource {
    Fields(Vec<(DataId, usize)>),
    Bio(Vec<(DataId, usize)>),
    Grades(Vec<(DataId, usize)>),
    List(Vec<String>),
    Words(Vec<(DataId, usize)>, usize),
}

/// Label spaces, each once.
#[derive(Debug, Default)]
pub struct Spaces {
    /// The spaces.
    pub all: Vec<Space>,
    known: FxHashMap<SpaceSource, SpaceId>,
}

impl Spaces {
    /// The space with these labels.
    pub fn get(&mut self, name: &str, from: SpaceSource) -> SpaceId {
        if let Some(&id) = self.known.get(&from) {
            return id;
        }
        let id = SpaceId(self.all.len());
        self.known.insert(from.clone(), id);
        self.all.push(Space { name: name.into(), from });
        id
    }
}
