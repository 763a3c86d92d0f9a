//! `parse`: a dependency tree over the tokens of a text.

use super::heads::{self, Input};
use super::make::Make;
use crate::ops::dense::ACTIVATIONS;
use crate::ops::part::parts;
use crate::ops::signature::*;
use crate::ops::{HeadRequest, TaskKind, attrs};
use crate::plan::Init;
use crate::sema::call::{Checked, Reported};
use crate::sema::checker::Checker;
use crate::sema::graph::{NodeId, ParamId};
use crate::sema::model::{Built, Head};
use crate::sema::types::{GoldKind, On, SpaceId, Ty, Width};
use crate::source::Span;

#[cfg(feature = "train")]
use super::parse_run::{run_arcs, run_at_heads, run_choice, run_heads, run_labels, run_tree};

/// The kind `parse`.
pub struct Parse;

static PARSE: Signature = Signature {
    name: "parse",
    group: Group::Internal,
    doc: "A dependency tree. With `biaffine`, an arc has the score hᵀ U d + uᵀ h of the layers h of the head and d of the token, and its label a biaffine map of two further layers (Dozat & Manning 2017); with `heads`, an arc has the score hᵀ W d of the values themselves, and its label is read from both end to end (Zhang et al. 2017, Hashimoto et al. 2017). The root is a trained vector. The loss of a token is the cross-entropy of its head, a softmax over the root and all tokens, and that of the label at its gold head. Decoding takes the best tree in which one token hangs on the root. `.logits`, `.probs` and `.embedding(d)` are those of the label at each token's predicted head, and `.label` is that label.",
    inputs: &[input("gold")],
    args: &[
        arg(
            "head",
            Kind::Any,
            Default::Word("biaffine"),
            "`biaffine` or `heads`, or another task whose head it shares.",
        ),
        arg("arc", COUNT, Default::Int(400), "Width of the layers that score arcs, with `biaffine`."),
        arg("label", COUNT, Default::Int(100), "Width of the layers that score labels, with `biaffine`."),
        arg("act", Kind::Word(ACTIVATIONS), Default::Word("relu"), "What follows those layers."),
        arg("inner_dropout", Kind::Share, Default::Float(0.33), "Dropout of those layers."),
        arg(
            "decode",
            Kind::Word(&["mst", "eisner"]),
            Default::Word("mst"),
            "`mst` looks at all trees (Chu & Liu 1965, Edmonds 1967), `eisner` at those without crossing arcs (Eisner 1996).",
        ),
    ],
};

impl TaskKind for Parse {
    fn signature(&self) -> &'static Signature {
        &PARSE
    }

    fn metrics(&self) -> &'static [&'static str] {
        &["las", "uas"]
    }

    fn forms(&self) -> &'static [&'static str] {
        &["biaffine", "heads"]
    }

    fn head<'a>(&self, c: &mut Checker<'a>, task: &mut HeadRequest<'a>) -> Checked<()> {
        task.head.form = heads::form(self, &task.head.settings);
        let Some((gold, span)) = task.head.gold else { return Ok(()) };
        match c.graph.ty(gold).clone() {
            Ty::Gold(_, GoldKind::Tree, space) => task.head.space = space,
            other => return Err(heads::wrong_gold(c, "parse", &other, span, "a tree")),
        }
        Ok(())
    }

    fn build<'a>(
        &self,
        c: &mut Checker<'a>,
        head: &Head<'a>,
        x: NodeId,
        at: Span,
        gold: Option<(NodeId, Span)>,
    ) -> Checked<Built> {
        let input = heads::vector_input(c, "parse", x, at)?;
        heads::token_axis(c, "parse", &input, at)?;
        let Some(space) = head.space else { return Err(Reported) };
        let gold = heads::same_places(c, gold, &input, at)?;
        let mut make = Make { c, head, at };
        let parser = Parser::new(&mut make, &input)?;
        let on = input.on.clone();
        let tree = Ty::Gold(on.clone(), GoldKind::Tree, Some(space));
        let decode = attrs([("decode", head.settings.word("decode").unwrap_or("mst").into())]);
        let heads = make.plain("tree_heads", vec![parser.scores], decode, tree.clone());
        let logits = parser.labels(&mut make, heads, space)?;
        let label = make.plain("tree", vec![heads, logits], attrs([]), tree);
        let of_labels = make.c.graph.ty(logits).clone();
        let probs = make.plain("softmax", vec![logits], attrs([]), of_labels);
        let loss = gold.map(|gold| parser.loss(&mut make, gold, space)).transpose()?;
        let (hidden, width) = (input.node, input.width);
        Ok(Built { on, hidden, width, logits, probs: Some(probs), label, gold, loss })
    }
}

/// What arcs and labels are scored from.
struct Parser {
    /// The score of each candidate for each token's head.
    scores: NodeId,
    /// What labels read of a token as the lower end of an arc.
    token: Input,
    /// And as its upper end.
    head: Input,
    /// The root as an upper end.
    root: ParamId,
    biaffine: bool,
}

impl Parser {
    fn new(make: &mut Make<'_, '_>, x: &Input) -> Checked<Self> {
        if make.head.form == "heads" {
            return Self::selection(make, x);
        }
        let p = make.head.settings.float("inner_dropout").unwrap_or_default();
        let act = make.head.settings.word("act").unwrap_or("relu");
        let width = |name| Width::from(make.head.settings.int(name).unwrap_or(1));
        let (arc, label) = (width("arc"), width("label"));
        let mut layer = |name: &str, d: &Width| {
            let made = make.linear(name, x, d.clone(), act)?;
            Ok(make.dropout(made, p))
        };
        let (arc_token, arc_head) = (layer("arc_token", &arc)?, layer("arc_head", &arc)?);
        let (token, head) = (layer("label_token", &label)?, layer("label_head", &label)?);
        // U d + u, so that the product with h is hᵀ U d + hᵀ u.
        let query = make.linear("arc", &arc_token, arc.clone(), "none")?;
        let scores = scores(make, &query, &arc_head, "arc_root")?;
        let root = make.param("label_root", vec![label], Init::Normal(1.0))?;
        Ok(Self { scores, token, head, root, biaffine: true })
    }

    /// Head selection: arcs and labels are read from the values themselves.
    fn selection(make: &mut Make<'_, '_>, x: &Input) -> Checked<Self> {
        let weight = make.param("arc.weight", vec![x.width.clone(); 2], Init::FanIn)?;
        let ty = Ty::Vector(x.on.clone(), x.width.clone());
        let query = make.node("linear", vec![x.node], attrs([("act", "none".into())]), vec![weight], ty);
        let same = || Input { node: x.node, on: x.on.clone(), width: x.width.clone() };
        let scores = scores(make, &Input { node: query, ..same() }, x, "root")?;
        let root = make.param("root", vec![x.width.clone()], Init::Normal(1.0))?;
        Ok(Self { scores, token: same(), head: same(), root, biaffine: false })
    }

    /// Logits of the labels at the heads of a tree.
    fn labels(&self, make: &mut Make<'_, '_>, tree: NodeId, space: SpaceId) -> Checked<NodeId> {
        let ty = Ty::Vector(self.head.on.clone(), self.head.width.clone());
        let above = make.node("at_heads", vec![self.head.node, tree], attrs([]), vec![self.root], ty);
        let (labels, both) = (Width::from(space), self.head.width.plus(&self.token.width));
        let inputs = vec![above, self.token.node];
        if self.biaffine {
            let shape = vec![labels.clone(), self.head.width.clone(), self.token.width.clone()];
            let params = vec![
                make.param("label.both", shape, Init::FanIn)?,
                make.param("label.weight", vec![labels.clone(), both], Init::FanIn)?,
                make.param("label.bias", vec![labels.clone()], Init::Zeros)?,
            ];
            let ty = Ty::Vector(self.token.on.clone(), labels);
            return Ok(make.node("biaffine", inputs, attrs([]), params, ty));
        }
        let ty = Ty::Vector(self.token.on.clone(), both.clone());
        let node = make.plain("concat", inputs, attrs([]), ty);
        let joined = Input { node, on: self.token.on.clone(), width: both };
        Ok(make.linear("label", &joined, labels, "none")?.node)
    }

    /// Cross-entropy of the heads, and of the labels at the gold heads.
    fn loss(&self, make: &mut Make<'_, '_>, gold: NodeId, space: SpaceId) -> Checked<NodeId> {
        let (on, each) = (self.token.on.clone(), Ty::Vector(self.token.on.examples(), 1.into()));
        let arcs = make.plain("head_loss", vec![self.scores, gold], attrs([]), each);
        let logits = self.labels(make, gold, space)?;
        let labels = make.plain("tree_labels", vec![gold], attrs([]), Ty::Label(on.clone(), space));
        let labels = heads::softmax_loss(make.c, make.head, logits, labels, &on, make.at)?;
        Ok(make.sum(arcs, labels))
    }
}

/// The scores of all arcs, the root's vector being the parameter `root`.
fn scores(make: &mut Make<'_, '_>, query: &Input, head: &Input, root: &str) -> Checked<NodeId> {
    let root = make.param(root, vec![head.width.clone()], Init::Normal(1.0))?;
    let mut axes = query.on.axes.to_vec();
    axes.push(format!("{}.head", query.on.inner().map_or("", |axis| axis)).into());
    let on = On { example: query.on.example.clone(), axes: axes.into() };
    let inputs = vec![query.node, head.node];
    Ok(make.node("arc_scores", inputs, attrs([]), vec![root], Ty::Vector(on, 1.into())))
}

parts! {
    ARCS, ARCS_S, "arc_scores", run_arcs, "The score of each token's arc from the root and from every token.";
    CHOICE, CHOICE_S, "head_loss", run_choice, "Cross-entropy of the heads, summed over the tokens of each example.";
    HEADS, HEADS_S, "tree_heads", run_heads, "The heads of the best tree.";
    AT_HEADS, AT_HEADS_S, "at_heads", run_at_heads, "The value at each token's head.";
    TREE, TREE_S, "tree", run_tree, "A tree with the best label of each arc.";
    LABELS, LABELS_S, "tree_labels", run_labels, "The labels of a tree's arcs.";
}
