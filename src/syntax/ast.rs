//! The abstract syntax tree of a `.mtl` file. Every node has its span.

use serde::Serialize;

use crate::source::Span;

/// A parsed file.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct File {
    /// The first doc comment, when it stands before everything.
    pub docs: Option<String>,
    /// The items that parsed, in order.
    pub items: Vec<Item>,
}

/// A word with its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Ident {
    /// The word.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// An item with its doc comment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Item {
    /// `///` lines before the item, joined by new lines.
    pub docs: Option<String>,
    /// The whole item.
    pub span: Span,
    /// What it is.
    pub kind: ItemKind,
}

/// The kinds of items.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub enum ItemKind {
    Use(Use),
    Const(Const),
    Data(Data),
    Layer(Layer),
    Def(Def),
    Let(Let),
    Task(Task),
    Loss(Loss),
    Metric(Metric),
    Train(Train),
    For(For),
}

/// `use "encoders.mtl"` or `use run "runs/big" as teacher`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Use {
    /// The path as written.
    pub path: String,
    /// Place of the path.
    pub path_span: Span,
    /// The name of a trained run, for `use run … as NAME`.
    pub run_as: Option<Ident>,
}

/// `const width = 256`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Const {
    /// The name.
    pub name: Ident,
    /// A number, string, list or bool.
    pub value: Expr,
}

/// A declared name, `sentiment` or `sentiment[domain]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decl {
    /// The name.
    pub name: Ident,
    /// Loop names of a family.
    pub index: Vec<Ident>,
    /// Name and index.
    pub span: Span,
}

/// `data atis { … }`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Data {
    /// Its name.
    pub decl: Decl,
    /// `format`, `train`, …
    pub settings: Vec<Setting>,
    /// Its fields.
    pub fields: Vec<Field>,
}

/// `field slots: tags(utterance) from "seq.out"`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Field {
    /// `///` lines before it.
    pub docs: Option<String>,
    /// Its name.
    pub name: Ident,
    /// The word of the type: `text`, `tags`, …
    pub ty: Ident,
    /// The arguments of the type.
    pub args: Vec<Arg>,
    /// The type with its arguments.
    pub ty_span: Span,
    /// `from "a", 1, word`.
    pub sources: Vec<FieldSource>,
    /// `= "<2{tgt}> {source}"`.
    pub template: Option<Expr>,
    /// The whole field.
    pub span: Span,
}

/// Where a field is read from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldSource {
    /// Its place.
    pub span: Span,
    /// What it is.
    pub kind: FieldSourceKind,
}

/// A column by number or name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum FieldSourceKind {
    /// `from 0`.
    Column(u32),
    /// `from "seq.in"` or `from upos`.
    Name(String),
}

/// A parameter of a layer or recipe.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Param {
    /// Its name.
    pub name: Ident,
    /// Its default.
    pub default: Option<Expr>,
}

/// One type of a signature, `[T, 64]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dims {
    /// Axes and widths.
    pub dims: Vec<Expr>,
    /// With the brackets.
    pub span: Span,
}

/// `[T, 64], [T, 64] -> [T, 256]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sig {
    /// Types of the inputs.
    pub inputs: Vec<Dims>,
    /// Type of the output.
    pub output: Dims,
    /// The whole.
    pub span: Span,
}

/// `layer reader(x): sig = body { lets }`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Layer {
    /// Its name.
    pub decl: Decl,
    /// Its inputs; `None` for a composed function.
    pub params: Option<Vec<Param>>,
    /// Its stated type.
    pub sig: Option<Sig>,
    /// What it gives.
    pub body: Expr,
    /// Its own lets.
    pub lets: Vec<Let>,
}

/// `def encoder(width, depth: 1) = body { lets }`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Def {
    /// Its name.
    pub name: Ident,
    /// Its parameters.
    pub params: Vec<Param>,
    /// What it gives.
    pub body: Expr,
    /// Its own lets.
    pub lets: Vec<Let>,
}

/// `let h = …` or `let (a, b) = …`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Let {
    /// One name, or several for a tuple.
    pub names: Vec<Decl>,
    /// Whether a tuple is taken apart.
    pub tuple: bool,
    /// The value.
    pub value: Expr,
    /// The whole.
    pub span: Span,
}

/// `task intent: classify(atis.intent) = h |> attention_pool { … }`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Task {
    /// Its name.
    pub decl: Decl,
    /// `classify`, `tag`, …
    pub kind: Ident,
    /// What it learns.
    pub gold: Vec<Arg>,
    /// The kind with its gold.
    pub head_span: Span,
    /// What it reads.
    pub input: Expr,
    /// Its settings.
    pub settings: Vec<Setting>,
}

/// `loss apart = orthogonal(s, p) { weight: 0.01 }`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Loss {
    /// Its name.
    pub decl: Decl,
    /// A scalar.
    pub value: Expr,
    /// Its settings.
    pub settings: Vec<Setting>,
}

/// `metric sentence = all_correct(intent, slots)`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metric {
    /// Its name.
    pub decl: Decl,
    /// A figure.
    pub value: Expr,
}

/// `train { … stage joint { … } }`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Train {
    /// Place of the word `train`.
    pub keyword: Span,
    /// Its settings.
    pub settings: Vec<Setting>,
    /// Its stages, loops not yet unrolled.
    pub stages: Vec<StageEntry>,
}

/// A stage, or a loop around stages.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub enum StageEntry {
    Stage(Stage),
    For { binder: Binder, list: Expr, stages: Vec<Stage>, span: Span },
}

/// `stage joint { … }`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stage {
    /// Its name.
    pub decl: Decl,
    /// Its settings.
    pub settings: Vec<Setting>,
    /// The whole.
    pub span: Span,
}

/// The loop name or names of a `for`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Binder {
    /// `d`, or `src` and `tgt`.
    pub names: Vec<Ident>,
    /// The whole.
    pub span: Span,
}

/// `for d in [books, dvd] { … }`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct For {
    /// Its loop names.
    pub binder: Binder,
    /// What it runs over.
    pub list: Expr,
    /// What exists once for each member.
    pub items: Vec<Item>,
}

/// `name: value`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// The name.
    pub name: Ident,
    /// The value.
    pub value: Expr,
    /// Both.
    pub span: Span,
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Arg {
    /// `layers:`, where it is named.
    pub name: Option<Ident>,
    /// The value.
    pub value: Expr,
    /// Both.
    pub span: Span,
}

/// An expression.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Expr {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: ExprKind,
}

/// `+ - *`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[allow(missing_docs)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
}

/// The kinds of expressions.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub enum ExprKind {
    /// `1_000`.
    Int(i64),
    /// `1e-3`.
    Float(f64),
    /// `10%`, stored as 0.1.
    Percent(f64),
    /// `10% of train`.
    Share {
        share: f64,
        of: Ident,
    },
    /// `"…"`, escapes resolved.
    Str(String),
    Bool(bool),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Name(Ident),
    /// `f(a, width: 3)`.
    Call {
        callee: Box<Expr>,
        args: Vec<Arg>,
    },
    /// `private[books]`.
    Index {
        base: Box<Expr>,
        indices: Vec<Expr>,
    },
    /// `atis.utterance`.
    Member {
        base: Box<Expr>,
        name: Ident,
    },
    /// `x |> f`.
    Pipe {
        value: Box<Expr>,
        into: Box<Expr>,
    },
    /// `-x`.
    Negate(Box<Expr>),
    Binary {
        op: BinaryOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `|atis.intent|`.
    Size(Box<Expr>),
    /// Something that did not parse and was reported.
    Error,
}
