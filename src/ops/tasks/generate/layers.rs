//! The layers of a decoder: an `lstm` or `transformer` that gets attention to a memory.

use std::rc::Rc;

use crate::diagnostics::{Diagnostic, codes};
use crate::ops::attrs;
use crate::ops::dense::heads_divide;
use crate::ops::recurrent::lstm_params;
use crate::ops::tasks::heads::Input;
use crate::plan::{Attrs, Init};
use crate::sema::call::{ArgVal, Bound, Call, Checked, Func, Reported, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::{ParamId, Site};
use crate::sema::model::Head;
use crate::sema::types::{Ty, Width};
use crate::source::Span;

/// A decoder's layers, still without their parameters.
pub struct Layers<'a> {
    /// The `lstm` or `transformer`.
    pub call: Call<'a>,
    /// Its width.
    pub width: usize,
    /// How it looks at the memory.
    look: Look,
}

/// How a decoder looks at the memory.
#[derive(Clone, Copy, PartialEq)]
enum Look {
    /// By attention.
    Places,
    /// At the only place that there is.
    One,
    /// Only copying looks.
    Copying,
}

/// Where the decoder of a task that names none stands among what the task makes.
const OWN_SITE: (u32, u32) = (u32::MAX, 1);

impl<'a> Layers<'a> {
    /// Those that a task names, or its own.
    pub fn new(c: &mut Checker<'a>, head: &Head<'a>, memories: &[Input], at: Span) -> Checked<Self> {
        let call = match head.settings.any("decoder") {
            Some(_) => named(c, head)?,
            None => own(c, head, memories, at)?,
        };
        let width = call.args.int("d").unwrap_or(1);
        if call.name() == "transformer" {
            heads_divide(c, &call, &width.into(), call.args.int("heads").unwrap_or(4))?;
        }
        let one = matches!(memories, [memory] if memory.on.axes.is_empty());
        let look = match (one, call.name(), head.settings.get("copy").is_some()) {
            (true, ..) => Look::One,
            (_, "lstm", true) => Look::Copying,
            _ => Look::Places,
        };
        Ok(Self { call, width, look })
    }

    /// What the nodes that compute with these layers have to know of them.
    pub fn attrs(&self) -> Attrs {
        let args = &self.call.args;
        attrs([
            ("cell", self.call.name().into()),
            ("layers", args.int("layers").unwrap_or(1).into()),
            ("heads", args.int("heads").unwrap_or(1).into()),
            ("dropout", args.float("dropout").unwrap_or(0.0).into()),
            ("one", (self.look == Look::One).into()),
            ("bare", (self.look == Look::Copying).into()),
        ])
    }

    /// A memory in the width of the decoder.
    pub fn memory(&self, c: &mut Checker<'a>, index: usize, input: Input) -> Checked<Input> {
        if input.width == Width::from(self.width) {
            return Ok(input);
        }
        let name = if index == 0 { "memory_in".to_string() } else { format!("memory_in_{}", index + 1) };
        let params = self.dense(c, &name, self.width.into(), input.width, Init::Xavier)?;
        let ty = Ty::Vector(input.on.clone(), self.width.into());
        let node =
            c.emit_as(&self.call, "linear", vec![input.node], attrs([("act", "none".into())]), params.to_vec(), ty);
        Ok(Input { node, on: input.on, width: self.width.into() })
    }

    /// All parameters, in the order of the backend's layers.
    pub fn params(&self, c: &mut Checker<'a>) -> Checked<Vec<ParamId>> {
        match self.call.name() {
            "transformer" => self.transformer(c),
            _ => self.lstm(c),
        }
    }

    fn transformer(&self, c: &mut Checker<'a>) -> Checked<Vec<ParamId>> {
        let d = Width::from(self.width);
        let ff = Width::from(self.call.args.int("ff").unwrap_or(4 * self.width));
        let mut params = Vec::new();
        for layer in 0..self.call.args.int("layers").unwrap_or(2) {
            let name = |part: &str| format!("l{layer}.{part}");
            params.extend(self.norm(c, &name("norm1"))?);
            params.extend(self.dense(c, &name("qkv"), d.times(3), d.clone(), Init::Xavier)?);
            params.extend(self.dense(c, &name("out"), d.clone(), d.clone(), Init::Xavier)?);
            if self.look != Look::One {
                params.extend(self.norm(c, &name("cross_norm"))?);
            }
            params.extend(self.cross(c, &name("cross"))?);
            params.extend(self.dense(c, &name("cross_out"), d.clone(), d.clone(), Init::Xavier)?);
            params.extend(self.norm(c, &name("norm2"))?);
            params.extend(self.dense(c, &name("ff_in"), ff.clone(), d.clone(), Init::Xavier)?);
            params.extend(self.dense(c, &name("ff_out"), d.clone(), ff.clone(), Init::Xavier)?);
        }
        params.extend(self.norm(c, "norm")?);
        Ok(params)
    }

    fn lstm(&self, c: &mut Checker<'a>) -> Checked<Vec<ParamId>> {
        let d = Width::from(self.width);
        let mut params = Vec::new();
        for layer in 0..self.call.args.int("layers").unwrap_or(1) {
            let suffix = if layer == 0 { String::new() } else { format!("_l{layer}") };
            params.extend(lstm_params(c, &self.call, &suffix, &d, self.width, 0.0)?);
        }
        params.extend(self.dense(c, "start", d.clone(), d.clone(), Init::Xavier)?);
        if self.look != Look::Copying {
            params.extend(self.cross(c, "attention")?);
            params.extend(self.dense(c, "attention_out", d.clone(), d.times(2), Init::Xavier)?);
        }
        Ok(params)
    }

    /// Queries, and keys and values; of a memory of one place its value alone.
    fn cross(&self, c: &mut Checker<'a>, name: &str) -> Checked<Vec<ParamId>> {
        let d = Width::from(self.width);
        if self.look == Look::One {
            return Ok(self.dense(c, &format!("{name}_value"), d.clone(), d, Init::Xavier)?.to_vec());
        }
        let mut params = self.dense(c, &format!("{name}_query"), d.clone(), d.clone(), Init::Xavier)?.to_vec();
        params.extend(self.dense(c, &format!("{name}_memory"), d.times(2), d, Init::Xavier)?);
        Ok(params)
    }

    fn norm(&self, c: &mut Checker<'a>, name: &str) -> Checked<[ParamId; 2]> {
        let d = || vec![self.width.into()];
        Ok([
            c.param(&self.call, &format!("{name}_gain"), d(), Init::Ones)?,
            c.param(&self.call, &format!("{name}_bias"), d(), Init::Zeros)?,
        ])
    }

    fn dense(&self, c: &mut Checker<'a>, name: &str, to: Width, from: Width, init: Init) -> Checked<[ParamId; 2]> {
        Ok([
            c.param(&self.call, &format!("{name}_weight"), vec![to.clone(), from], init)?,
            c.param(&self.call, &format!("{name}_bias"), vec![to], Init::Zeros)?,
        ])
    }
}

/// What a decoder has to be, for messages.
const ONE_CALL: &str =
    "write `decoder: transformer(128, layers: 3)` or `decoder: lstm(256)`, or name a layer that is such a call alone";

/// The call that `decoder` names.
fn named<'a>(c: &mut Checker<'a>, head: &Head<'a>) -> Checked<Call<'a>> {
    let Some(e) = head.settings.any("decoder") else { return Err(Reported) };
    let body = match c.eval(e, &head.scope) {
        Val::Error => return Err(Reported),
        Val::Func(f) => c.body_of(&f),
        _ => None,
    };
    let call = match body.as_deref() {
        Some(Func::Builtin(call)) if matches!(call.name(), "lstm" | "transformer") => call.clone(),
        _ => {
            let d = Diagnostic::new(
                codes::BAD_SETTING,
                e.span,
                "a decoder is one `lstm` or `transformer`, and this is none",
            );
            return Err(c.error(d.help(ONE_CALL)));
        }
    };
    if let Some(at) = call.args.span("reads") {
        let d = Diagnostic::new(codes::BAD_SETTING, at, "the `lstm` of a decoder reads no other layer")
            .also(e.span, "it is a decoder here");
        return Err(c.error(d.help("leave `reads` out")));
    }
    Ok(call)
}

/// An `lstm` as wide as the first memory.
fn own<'a>(c: &mut Checker<'a>, head: &Head<'a>, memories: &[Input], at: Span) -> Checked<Call<'a>> {
    let width = memories.first().and_then(|m| m.width.known());
    let Some((op, width)) = crate::ops::find("lstm").zip(width) else {
        let d = Diagnostic::new(codes::MISSING_ARGUMENT, at, "the decoder has no width of its own to begin with");
        return Err(c.error(d.help(ONE_CALL)));
    };
    let mut args = Bound::none(op.signature());
    args.given.insert("d", (ArgVal::Int(width as i64), at));
    let owner: Rc<str> = head.scope.owner.clone().unwrap_or_default();
    let chain = head.site.chain.iter().copied().chain([OWN_SITE]).collect();
    let site = Site { owner, chain };
    Ok(Call { op, inputs: vec![], waiting: true, args, span: at, site, scope: head.scope.clone() })
}
