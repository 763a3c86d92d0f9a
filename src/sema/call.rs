//! Calls whose arguments are bound to a signature.

use litemap::LiteMap;
use std::rc::Rc;

use super::consts::Const;
use super::graph::{NodeId, Site};
use super::types::On;
use crate::ops::{Operation, Signature};
use crate::source::Span;
use crate::syntax::ast;

/// A mistake was reported; nothing more is to be said about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported;

/// A result whose error has been reported already.
pub type Checked<T> = Result<T, Reported>;

/// Index of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub usize);

impl TaskId {
    /// Tasks from here on are those of trained runs.
    pub const OF_RUNS: usize = 1 << 30;

    /// Whether the task is one of a trained run.
    pub fn is_of_run(self) -> bool {
        self.0 >= Self::OF_RUNS
    }
}

/// What an expression means.
#[derive(Clone, Debug)]
pub enum Val<'a> {
    /// A mistake that was reported.
    Error,
    /// Known before training.
    Const(Const),
    /// A value of the graph.
    Node(NodeId),
    /// Several values.
    Tuple(Vec<Val<'a>>),
    /// A function that waits for its first input.
    Func(Rc<Func<'a>>),
    /// A task.
    Task(TaskId),
    /// A family of tasks, by its members.
    Tasks(Vec<TaskId>),
    /// A task's head applied to another value.
    Applied(TaskId, NodeId),
    /// A data set or a family of them.
    Data(On),
    /// Candidates that a task hands on, `retrieve.top(3)`.
    Top(TaskId, On),
}

/// A function of the language.
#[derive(Clone, Debug)]
pub enum Func<'a> {
    /// A built-in with its arguments, waiting for what is missing of its inputs.
    Builtin(Call<'a>),
    /// A declared layer, with inputs given after the first.
    Layer {
        /// Name and member.
        name: &'a str,
        /// Position of the member in its family.
        member: usize,
        /// Arguments after the first.
        rest: Vec<(Val<'a>, Span)>,
        /// Where it is named.
        span: Span,
    },
    /// A recipe with some of its arguments.
    Recipe {
        /// Its declaration.
        def: &'a ast::Def,
        /// The arguments given.
        args: &'a [ast::Arg],
        /// Where it is called.
        span: Span,
        /// The scope of the arguments.
        scope: Scope<'a>,
    },
    /// One after the other.
    Compose(Rc<Func<'a>>, Rc<Func<'a>>),
}

/// A built-in with its arguments.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// The operation.
    pub op: &'static dyn Operation,
    /// The inputs given so far.
    pub inputs: Vec<(Val<'a>, Span)>,
    /// Whether the first input is still to come.
    pub waiting: bool,
    /// The other arguments.
    pub args: Bound<'a>,
    /// Where it is called.
    pub span: Span,
    /// What makes its parameters its own.
    pub site: Site,
    /// The scope it was written in.
    pub scope: Scope<'a>,
}

impl Call<'_> {
    /// Name of the operation.
    pub fn name(&self) -> &'static str {
        self.op.signature().name
    }
}

/// Arguments or settings bound to a signature.
#[derive(Clone, Debug)]
pub struct Bound<'a> {
    /// What they are bound to.
    pub signature: &'static Signature,
    /// Those that were given, with their places.
    pub given: LiteMap<&'static str, (ArgVal<'a>, Span)>,
}

/// An argument's value.
#[derive(Clone, Debug)]
pub enum ArgVal<'a> {
    /// A whole number.
    Int(i64),
    /// A size such as `|atis.intent|`.
    Width(super::types::Width),
    /// A number or share.
    Float(f64),
    /// A flag.
    Bool(bool),
    /// A string.
    Str(String),
    /// One of the words.
    Word(&'static str),
    /// Widths.
    Widths(Vec<usize>),
    /// Steps or a share.
    Length(crate::plan::Length),
    /// A call bound to its own signature.
    Call(Box<Bound<'a>>),
    /// Left to the operation.
    Any(&'a ast::Expr),
}

impl<'a> Bound<'a> {
    /// Nothing given.
    pub fn none(signature: &'static Signature) -> Self {
        Self { signature, given: LiteMap::new() }
    }

    /// The value and place of an argument that was given.
    pub fn get(&self, name: &str) -> Option<&(ArgVal<'a>, Span)> {
        self.given.get(name)
    }

    /// The place of an argument, when it was given.
    pub fn span(&self, name: &str) -> Option<Span> {
        self.get(name).map(|(_, span)| *span)
    }

    fn default(&self, name: &str) -> Option<crate::ops::Default> {
        self.signature.arg(name).map(|a| a.default)
    }

    /// A whole number, or its default.
    pub fn int(&self, name: &str) -> Option<usize> {
        match (self.get(name), self.default(name)) {
            (Some((ArgVal::Int(v), _)), _) => Some(*v as usize),
            (None, Some(crate::ops::Default::Int(v))) => Some(v as usize),
            _ => None,
        }
    }

    /// A width, or its default.
    pub fn width(&self, name: &str) -> Option<super::types::Width> {
        match self.get(name) {
            Some((ArgVal::Width(w), _)) => Some(w.clone()),
            _ => self.int(name).map(super::types::Width::from),
        }
    }

    /// A number or share, or its default.
    pub fn float(&self, name: &str) -> Option<f64> {
        match (self.get(name), self.default(name)) {
            (Some((ArgVal::Float(v), _)), _) => Some(*v),
            (Some((ArgVal::Int(v), _)), _) => Some(*v as f64),
            (None, Some(crate::ops::Default::Float(v))) => Some(v),
            (None, Some(crate::ops::Default::Int(v))) => Some(v as f64),
            _ => None,
        }
    }

    /// A flag, or its default.
    pub fn bool(&self, name: &str) -> bool {
        match (self.get(name), self.default(name)) {
            (Some((ArgVal::Bool(v), _)), _) => *v,
            (None, Some(crate::ops::Default::Bool(v))) => v,
            _ => false,
        }
    }

    /// A word, or its default.
    pub fn word(&self, name: &str) -> Option<&'static str> {
        match (self.get(name), self.default(name)) {
            (Some((ArgVal::Word(v), _)), _) => Some(v),
            (None, Some(crate::ops::Default::Word(v))) => Some(v),
            _ => None,
        }
    }

    /// A string.
    pub fn str(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some((ArgVal::Str(v), _)) => Some(v),
            _ => None,
        }
    }

    /// Widths.
    pub fn widths(&self, name: &str) -> Option<&[usize]> {
        match self.get(name) {
            Some((ArgVal::Widths(v), _)) => Some(v),
            _ => None,
        }
    }

    /// An expression left to the operation.
    pub fn any(&self, name: &str) -> Option<&'a ast::Expr> {
        match self.get(name) {
            Some((ArgVal::Any(e), _)) => Some(e),
            _ => None,
        }
    }

    /// A call, or an empty one.
    pub fn call(&self, name: &str) -> Option<&Bound<'a>> {
        match self.get(name) {
            Some((ArgVal::Call(b), _)) => Some(b),
            _ => None,
        }
    }

    /// A length of time.
    pub fn length(&self, name: &str) -> Option<crate::plan::Length> {
        match self.get(name) {
            Some((ArgVal::Length(v), _)) => Some(*v),
            _ => None,
        }
    }
}

/// What names mean inside a body, beyond the items of the program.
#[derive(Clone, Debug, Default)]
pub struct Scope<'a> {
    /// Parameters and local lets, the later hiding the earlier.
    pub locals: Vec<(&'a str, Val<'a>)>,
    /// Loop names and their words.
    pub loops: LiteMap<String, String>,
    /// Path of the layer, let or task that owns what is written here.
    pub owner: Option<Rc<str>>,
    /// Calls of recipes that led here.
    pub chain: Vec<(u32, u32)>,
    /// The declared layer that is applied here, and to what, when that is one value.
    pub within: Option<super::coupling::Applied<'a>>,
    /// Inside a layer or recipe, where fields and lets may not be read.
    pub closed: Option<&'a str>,
    /// Places to point at when something inside fails: where the layer was applied.
    pub applied: Vec<Span>,
    /// Fewer rules: inside a loss or metric.
    pub in_loss: bool,
}
