//! Words to vectors: `embed` looks whole words, labels or pieces up in a table.

use super::signature::*;
use super::{Operation, attrs};
use crate::data::spec::FilePath;
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::Init;
use crate::sema::call::{Call, Checked, Func, Reported, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::{NodeId, Vocab};
use crate::sema::types::{On, Ty, Width};
use crate::syntax::ast::Expr;

#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run, kernels};

/// `embed(d)`.
pub struct Embed;

static EMBED: Signature = Signature {
    name: "embed",
    group: Group::Words,
    doc: "A trained vector for each word, or for each label. The vocabulary is the train text of all fields that reach it; other words share one unknown vector.",
    inputs: &[input("x")],
    args: &[
        required("d", Kind::Width, "Width of the vectors."),
        arg("min_count", COUNT, Default::Int(1), "Words that train has less often are unknown."),
        arg(
            "vectors",
            Kind::Str,
            Default::Unset,
            "A GloVe or word2vec text file to begin with; its words join the vocabulary where the data has them.",
        ),
        arg(
            "tied",
            Kind::Any,
            Default::Unset,
            "A layer that begins with `embed`, whose table and vocabulary are read here too (Press & Wolf 2017).",
        ),
    ],
};

impl Operation for Embed {
    fn signature(&self) -> &'static Signature {
        &EMBED
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let d = call.args.width("d").unwrap_or_default();
        if let Some(other) = call.args.any("tied") {
            let other = Call { inputs: call.inputs.clone(), ..tied_to(c, call, other, &d)? };
            return self.apply(c, &other);
        }
        let x = c.node(call, 0)?;
        if let Ty::Label(on, space) = c.graph.ty(x).clone() {
            let table = c.param(call, "weight", vec![Width::from(space), d.clone()], Init::Normal(1.0))?;
            return Ok(Val::Node(c.emit(call, vec![x], attrs([]), vec![table], Ty::Vector(on, d))));
        }
        let (x, on) = c.tokens(call, 0)?;
        let path = c.graph.path(&call.site, "embed").to_string();
        let vectors = call
            .args
            .str("vectors")
            .map(|p| FilePath { path: p.into(), span: call.args.span("vectors").unwrap_or(call.span) });
        let init = if vectors.is_some() { None } else { Some(Init::Normal(1.0)) };
        let min_count = call.args.int("min_count").unwrap_or(1);
        let vocab = Vocab { name: path, fields: vec![], chars: false, min_count, vectors, span: call.span };
        lookup(c, call, vocab, x, on, d, init).map(Val::Node)
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let (ids, rows) = match &inputs[0] {
            Value::Tokens { ids, rows, .. } => (run.vocabulary_rows(ids), rows),
            Value::Label { ids, rows, .. } => (run.label_rows(ids), rows),
            _ => return run.wrong_input(),
        };
        if let Some(looked) = run.looked(&ids, rows) {
            return Ok(looked);
        }
        // A dropout that the plan's passes have moved in here.
        let p = run.float("dropout") as f32;
        let drop = (run.training && p > 0.0).then(|| (p, run.draw()));
        Ok(Value::float(kernels::embedding::lookup_dropped(&ids, run.param(0), drop)?, rows))
    }
}

/// The `embed` that the layer `other` begins with, as wide as this one.
fn tied_to<'a>(c: &mut Checker<'a>, call: &Call<'a>, other: &'a Expr, d: &Width) -> Checked<Call<'a>> {
    let body = match c.eval(other, &call.scope) {
        Val::Error => return Err(Reported),
        Val::Func(f) => c.body_of(&f),
        _ => None,
    };
    let Some(embed) = body.as_deref().and_then(first_call).filter(|call| call.name() == "embed") else {
        let message = "'tied' names a layer that begins with `embed`, and this is none";
        let d = Diagnostic::new(codes::WRONG_KIND, other.span, message);
        return Err(c.error_in(&call.scope, d.help("give the table a layer of its own: `layer words = embed(64)`")));
    };
    let theirs = embed.args.width("d").unwrap_or_default();
    if theirs == *d {
        return Ok(embed.clone());
    }
    let (x, y) = (c.show_width(d), c.show_width(&theirs));
    let message = format!("the table that is read here is {y} wide, not {x}");
    let at = call.args.span("d").unwrap_or(call.span);
    let d = Diagnostic::new(codes::WIDTH_MISMATCH, at, message).also(embed.span, format!("width {y}"));
    Err(c.error_in(&call.scope, d.help("`linear(d)` changes a width after it is read")))
}

/// The built-in that a function applies first.
pub(super) fn first_call<'f, 'a>(f: &'f Func<'a>) -> Option<&'f Call<'a>> {
    match f {
        Func::Builtin(call) => Some(call),
        Func::Compose(first, _) => first_call(first),
        _ => None,
    }
}

/// Registers the vocabulary of an embedding and the fields that reach it.
fn lookup<'a>(
    c: &mut Checker<'a>,
    call: &Call<'a>,
    vocab: Vocab,
    x: NodeId,
    on: On,
    d: Width,
    init: Option<Init>,
) -> Checked<NodeId> {
    let id = c.graph.vocab(vocab);
    for field in c.graph.token_fields(x) {
        if !c.graph.vocabs[id.0].fields.contains(&field) {
            c.graph.vocabs[id.0].fields.push(field);
        }
    }
    let init = init.unwrap_or(Init::Vectors { vocab: id.0 });
    let table = c.param(call, "weight", vec![Width::from(id), d.clone()], init)?;
    let node = c.emit(call, vec![x], attrs([]), vec![table], Ty::Vector(on, d));
    c.graph.nodes[node.0].vocab = Some(id);
    Ok(node)
}

/// Few words have more letters: how long the memories of an LSTM over them begin.
const LETTERS: f32 = 12.0;

/// `chars(d, cnn | lstm)`.
pub struct Chars;

static CHARS: Signature = Signature {
    name: "chars",
    group: Group::Words,
    doc: "A vector for each word from its characters: a convolution of width 3 with the maximum over the word (Ma & Hovy 2016), or the last states of a bidirectional LSTM (Lample et al. 2016).",
    inputs: &[input("x")],
    args: &[
        required("d", COUNT, "Width of the vectors."),
        arg("form", Kind::Word(&["cnn", "lstm"]), Default::Word("cnn"), "How characters become a vector."),
        arg("embed", COUNT, Default::Int(30), "Width of the character embeddings."),
    ],
};

impl Operation for Chars {
    fn signature(&self) -> &'static Signature {
        &CHARS
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on) = c.tokens(call, 0)?;
        let d = call.args.int("d").unwrap_or(1);
        let e = call.args.int("embed").unwrap_or(30);
        let form = call.args.word("form").unwrap_or("cnn");
        let path = c.graph.path(&call.site, "chars").to_string();
        let vocab = c.graph.vocab(Vocab {
            name: path,
            fields: vec![],
            chars: true,
            min_count: 1,
            vectors: None,
            span: call.span,
        });
        for field in c.graph.token_fields(x) {
            if !c.graph.vocabs[vocab.0].fields.contains(&field) {
                c.graph.vocabs[vocab.0].fields.push(field);
            }
        }
        let mut params = vec![c.param(call, "weight", vec![Width::from(vocab), e.into()], Init::Normal(0.5))?];
        if form == "cnn" {
            params.push(c.param(call, "conv", vec![d.into(), (3 * e).into()], Init::FanIn)?);
            params.push(c.param(call, "bias", vec![d.into()], Init::Zeros)?);
        } else {
            super::recurrent::halves(c, call, d)?;
            for direction in ["", "_reverse"] {
                params.extend(super::recurrent::lstm_params(c, call, direction, &e.into(), d / 2, LETTERS)?);
            }
        }
        let attributes = attrs([("form", form.into())]);
        let node = c.emit(call, vec![x], attributes, params, Ty::Vector(on, d.into()));
        c.graph.nodes[node.0].vocab = Some(vocab);
        Ok(Val::Node(node))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let Value::Tokens { ids, rows, lexicon } = &inputs[0] else { return run.wrong_input() };
        // Each distinct word of the batch is computed once, then repeated where it stands.
        let (words, places) = crate::backend::exec::distinct(ids);
        let (chars, offsets) = run.characters(&words, lexicon);
        let x = kernels::embedding::lookup(&chars, run.param(0))?;
        let of_words = if run.str("form") == "cnn" {
            let act = kernels::activation::Activation::Relu;
            kernels::conv::conv_max(&x, &offsets, run.param(1), run.param(2), 3, act)?
        } else {
            let p = |i| run.param(i);
            let h = p(2).var.dims()[1];
            let states = kernels::recurrent::lstm::bi(&x, &offsets, [p(1), p(2), p(3)], [p(4), p(5), p(6)])?;
            let last = kernels::segment::last(&states.narrow(1, 0, h)?.contiguous()?, &offsets)?;
            let first = kernels::segment::first(&states.narrow(1, h, h)?.contiguous()?, &offsets)?;
            kernels::shape::concat_cols(&[last, first])?
        };
        Ok(Value::float(kernels::segment::gather_rows(&of_words, &places)?, rows))
    }
}
