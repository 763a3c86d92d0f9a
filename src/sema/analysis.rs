//! A program, checked: files are brought together, every item is evaluated, lints are run.

use rustc_hash::{FxHashMap, FxHashSet};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use super::call::{Scope, TaskId, Val};
use super::checker::Checker;
use super::consts::Const;
use super::graph::{NodeId, field_of};
use super::known::Known;
use super::lints;
use super::model::{LossData, Model, ModelLoss, ModelTask};
use super::runs::{self, UsedRun};
use super::symbols::{Collector, Family, Symbol, SymbolKind, Symbols};
use super::types::{Ty, Width};
use super::{excuse, expand};
use crate::data::pretrained::Find;
use crate::diagnostics::{Diagnostic, codes};
use crate::ops;
use crate::ops::tasks::generate;
use crate::plan::{MetricPlan, RunPlan};
use crate::source::{FileId, Loader, SourceMap, Span};
use crate::syntax::{
    self, Parse,
    ast::{ExprKind, ItemKind, Use},
};

/// What checking a program gives.
#[derive(Debug)]
pub struct Analysis {
    /// The program, when nothing in it is an error.
    pub model: Option<Model>,
    /// What is known of it, also when something is.
    pub known: Known,
    /// Everything there is to say, sorted by place.
    pub diagnostics: Vec<Diagnostic>,
    /// Warnings of what is often meant, for those who ask for more.
    pub notes: Vec<Diagnostic>,
    /// The files as they were parsed.
    pub files: Vec<Parse>,
}

/// The files of a program: the one asked for and those it uses.
#[derive(Debug)]
pub struct Program {
    /// Stem of the entry file.
    pub name: String,
    /// The trees, the entry file's last.
    pub files: Vec<Parse>,
    /// The trained runs that they use.
    pub runs: Vec<UsedRun>,
    /// Mistakes of reading and parsing.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads and parses a file and all that it uses.
pub fn read(entry: &Path, loader: &dyn Loader, sources: &mut SourceMap) -> Program {
    let name = entry.file_stem().map_or_else(|| "program".into(), |s| s.to_string_lossy().into_owned());
    let mut reader = Reader::new(loader, sources);
    reader.file(&plain(entry), None);
    let Reader { files, used, diagnostics, .. } = reader;
    let mut program = Program { name, files, runs: Vec::new(), diagnostics };
    used.iter().for_each(|(from, u)| used_run(&mut program, from, u, loader, sources));
    program
}

/// Reads the program of a trained run.
fn used_run(program: &mut Program, from: &Path, u: &Use, loader: &dyn Loader, sources: &mut SourceMap) {
    let Some(name) = &u.run_as else { return };
    let (folder, entry) = match runs::program_of(u, from, loader) {
        Ok(found) => found,
        Err(d) => return program.diagnostics.push(d),
    };
    let mut reader = Reader::new(loader, sources);
    reader.file(&entry, Some(u.path_span));
    let Reader { mut files, diagnostics, .. } = reader;
    program.diagnostics.extend(diagnostics);
    files.iter_mut().for_each(|file| runs::rename(&mut file.ast.items, &name.text));
    let plan = RunPlan { name: name.text.clone(), folder, spaces: Vec::new(), span: u.path_span };
    program.runs.push(UsedRun { plan, files });
}

/// Whether two paths name one file, one of them perhaps from the working directory on.
fn same_file(a: &Path, b: &Path) -> bool {
    let whole = |p: &Path| std::path::absolute(p).map(|p| plain(&p));
    a == b || matches!((whole(a), whole(b)), (Ok(a), Ok(b)) if a == b)
}

struct Reader<'r> {
    loader: &'r dyn Loader,
    sources: &'r mut SourceMap,
    open: Vec<(PathBuf, Option<Span>)>,
    done: FxHashSet<PathBuf>,
    files: Vec<Parse>,
    /// Trained runs, with the files that use them.
    used: Vec<(PathBuf, Use)>,
    diagnostics: Vec<Diagnostic>,
}

impl<'r> Reader<'r> {
    fn new(loader: &'r dyn Loader, sources: &'r mut SourceMap) -> Self {
        let (open, done, files) = Default::default();
        Self { loader, sources, open, done, files, used: Vec::new(), diagnostics: Vec::new() }
    }

    fn file(&mut self, path: &Path, used_at: Option<Span>) {
        if let Some(start) = self.open.iter().position(|(p, _)| same_file(p, path)) {
            return self.cycle(start, used_at);
        }
        if self.done.iter().any(|p| same_file(p, path)) {
            return;
        }
        let text = match self.loader.load(path) {
            Ok(text) => text,
            Err(e) => return self.unreadable(path, &e, used_at),
        };
        let id: FileId = self.sources.add(path, &text);
        let text = self.sources.file(id).text.clone();
        let mut parse = syntax::parse(id, &text);
        self.diagnostics.append(&mut parse.diagnostics);
        self.open.push((path.to_path_buf(), used_at));
        for item in &parse.ast.items {
            let ItemKind::Use(u) = &item.kind else { continue };
            if u.run_as.is_some() {
                self.used.push((path.to_path_buf(), u.clone()));
                continue;
            }
            let target = plain(&path.parent().unwrap_or(Path::new("")).join(&u.path));
            self.file(&target, Some(u.path_span));
        }
        self.open.pop();
        self.done.insert(path.to_path_buf());
        self.files.push(parse);
    }

    fn unreadable(&mut self, path: &Path, e: &std::io::Error, used_at: Option<Span>) {
        let message = match e.kind() {
            std::io::ErrorKind::NotFound => format!("there is no file '{}'", path.display()),
            _ => format!("cannot read '{}': {e}", path.display()),
        };
        self.diagnostics.push(match used_at {
            Some(span) => {
                Diagnostic::new(codes::BAD_USE, span, message).help("paths are relative to the file that says `use`")
            }
            None => Diagnostic::placeless(codes::INPUT, message).help("name a `.mtl` file that exists"),
        });
    }

    fn cycle(&mut self, start: usize, used_at: Option<Span>) {
        let mut edges: Vec<Span> = self.open[start + 1..].iter().filter_map(|(_, at)| *at).collect();
        edges.extend(used_at);
        let Some((first, rest)) = edges.split_first() else { return };
        let mut d = Diagnostic::new(codes::CYCLE, *first, "a cycle of files: each uses the next").label("used here");
        for at in rest {
            d = d.also(*at, "and used here");
        }
        self.diagnostics.push(d);
    }
}

/// A path without `.` and without `a/..`, so that a file has one name however it is reached.
pub fn plain(path: &Path) -> PathBuf {
    let mut parts: Vec<Component<'_>> = Vec::new();
    for part in path.components() {
        match (part, parts.last()) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.into_iter().collect()
}

/// Checks a program. `overrides` are the `--set` values of consts, and `find` finds the pretrained
/// encoders that it names.
pub fn check(program: Program, sources: &SourceMap, overrides: FxHashMap<String, Const>, find: &dyn Find) -> Analysis {
    let Program { name, files, runs, diagnostics } = program;
    let mut c = Checker {
        sources,
        find,
        run_folders: runs.iter().map(|run| (run.plan.name.clone(), run.plan.folder.clone())).collect(),
        symbols: Symbols::default(),
        tolerated: files.iter().flat_map(|f| f.tolerated.iter().cloned()).collect(),
        graph: Default::default(),
        spaces: Default::default(),
        datasets: Vec::new(),
        declared: Vec::new(),
        data_at: FxHashMap::default(),
        broken_fields: FxHashSet::default(),
        tasks: Vec::new(),
        taught: Vec::new(),
        losses: Vec::new(),
        memo: FxHashMap::default(),
        expanding: None,
        stack: Vec::new(),
        applied: FxHashMap::default(),
        cells: Vec::new(),
        coupled: FxHashMap::default(),
        visited: FxHashSet::default(),
        balances: Vec::new(),
        stage_places: Vec::new(),
        not_yet: 0,
        noted: Vec::new(),
        rewarded: None,
        params_made: false,
        overrides,
        diagnostics,
    };
    collect(&mut c, &files, &runs);
    let metrics = items(&mut c);
    let train = c.training(&metrics);
    lints::names(&mut c, &files);
    lints::gold_leaks(&mut c);
    let reads = lints::reads(&c);
    let (mut model, mut notes) = (None, Vec::new());
    let errors = c.diagnostics.iter().filter(|d| d.is_error()).count();
    if errors == c.not_yet
        && let Some(train) = train
    {
        let used = runs.iter().map(|run| brought(&c, &run.plan)).collect();
        let m = finish(&mut c, name, metrics, train, &reads, used);
        lints::graph(&mut c.diagnostics, &m);
        notes = lints::notes(&m);
        model = Some(m);
    }
    let known = Known::of(&mut c, model.as_ref(), reads);
    let mut diagnostics = std::mem::take(&mut c.diagnostics);
    expand::once_for_all_members(&mut diagnostics);
    excuse::all(&mut diagnostics, sources);
    for said in [&mut diagnostics, &mut notes] {
        lints::allow(said, &files, sources);
        crate::diagnostics::sort(said);
    }
    if diagnostics.iter().any(Diagnostic::is_error) {
        model = None;
    }
    drop(c);
    Analysis { model, known, diagnostics, notes, files }
}

/// Declares the names of all files; lists of loops may name consts of any file.
fn collect<'a>(c: &mut Checker<'a>, files: &'a [Parse], runs: &'a [UsedRun]) {
    let all = || files.iter().chain(runs.iter().flat_map(|run| &run.files));
    for file in all() {
        for item in &file.ast.items {
            if let ItemKind::Const(k) = &item.kind {
                c.symbols.by_name.entry(k.name.text.as_str()).or_insert(Symbol {
                    name: &k.name.text,
                    kind: SymbolKind::Const,
                    span: k.name.span,
                    item,
                    part: 0,
                    index: Vec::new(),
                    family: Family::alone(),
                });
            }
        }
    }
    c.symbols.runs = run_of_files(runs);
    let mut lists: FxHashMap<Span, Result<Const, Diagnostic>> = FxHashMap::default();
    for file in all() {
        loops(c, &file.ast.items, &mut lists);
    }
    let consts =
        |e: &'a crate::syntax::ast::Expr| lists.get(&e.span).cloned().unwrap_or_else(|| Ok(Const::List(Vec::new())));
    let mut found = Vec::new();
    let tolerated = FxHashSet::default();
    let (symbols, alone) = (Symbols::default(), Family::alone());
    let mut collector = Collector { symbols, consts: &consts, alone, diagnostics: &mut found, tolerated };
    for file in all() {
        collector.items(&file.ast.items, &Rc::default());
    }
    c.symbols = collector.symbols;
    c.symbols.runs = run_of_files(runs);
    c.tolerated.extend(collector.tolerated);
    c.diagnostics.append(&mut found);
}

/// The run that each file of a run belongs to.
fn run_of_files(runs: &[UsedRun]) -> FxHashMap<FileId, String> {
    runs.iter().flat_map(|run| run.files.iter().map(|file| (file.file, run.plan.name.clone()))).collect()
}

fn loops<'a>(
    c: &mut Checker<'a>,
    items: &'a [crate::syntax::ast::Item],
    lists: &mut FxHashMap<Span, Result<Const, Diagnostic>>,
) {
    for item in items {
        if let ItemKind::For(f) = &item.kind {
            let before = c.diagnostics.len();
            let value = c.constant(&f.list, &Scope::default());
            let value = match (value, &f.list.kind) {
                (Ok(Const::Word(word)), ExprKind::Name(name)) if c.symbols.named(&word, name.span).is_none() => {
                    Err(c.unknown_const(name, &Scope::default()))
                }
                (value, _) => value,
            };
            let value = match value {
                Ok(value) => Ok(value),
                Err(_) => match c.diagnostics.drain(before..).next() {
                    Some(d) => Err(d),
                    None => Ok(Const::List(Vec::new())),
                },
            };
            lists.insert(f.list.span, value);
            loops(c, &f.items, lists);
        }
    }
}

/// Evaluates every item, whether another one names it or not.
fn items(c: &mut Checker<'_>) -> Vec<MetricPlan> {
    let symbols: Vec<Symbol<'_>> = c.symbols.own().cloned().collect();
    for symbol in symbols.iter().filter(|s| s.kind == SymbolKind::Data) {
        for member in symbol.distinct() {
            c.as_member(symbol, member, |c| c.data_item(symbol, member));
        }
    }
    for symbol in &symbols {
        for member in symbol.distinct() {
            c.as_member(symbol, member, |c| item(c, symbol, member));
        }
    }
    for symbol in &symbols {
        if matches!(symbol.kind, SymbolKind::Layer | SymbolKind::Def) && !c.visited.contains(symbol.name) {
            unapplied(c, symbol);
        }
    }
    let metrics = symbols.iter().filter(|s| s.kind == SymbolKind::Metric);
    metrics
        .flat_map(|s| s.distinct().into_iter().map(move |m| (s, m)))
        .filter_map(|(s, m)| c.as_member(s, m, |c| c.metric_item(s, m)))
        .collect()
}

fn item<'a>(c: &mut Checker<'a>, symbol: &Symbol<'a>, member: usize) {
    let scope = Scope::default();
    match symbol.kind {
        SymbolKind::Const | SymbolKind::Let => {
            c.item(symbol.name, Some(member), symbol.span, &scope);
        }
        SymbolKind::Task => {
            if let Ok(id) = c.task_head(symbol, member, symbol.span) {
                let _ = c.built(id, symbol.span);
            } else if let ItemKind::Task(task) = &symbol.item.kind {
                let scope = c.item_scope(symbol, member, symbol.name);
                c.eval(&task.input, &scope);
            }
        }
        SymbolKind::Loss => loss(c, symbol, member),
        _ => {}
    }
}

/// Checks the body of a layer that nothing applies, as far as that can be done without an input.
fn unapplied<'a>(c: &mut Checker<'a>, symbol: &Symbol<'a>) {
    match &symbol.item.kind {
        ItemKind::Layer(layer) => {
            let mut scope = c.item_scope(symbol, 0, symbol.name);
            scope.closed = Some(symbol.name);
            for p in layer.params.iter().flatten() {
                scope.locals.push((&p.name.text, Val::Error));
            }
            for l in &layer.lets {
                c.eval(&l.value, &scope);
                scope.locals.extend(l.names.iter().map(|n| (n.name.text.as_str(), Val::Error)));
            }
            c.eval(&layer.body, &scope);
        }
        ItemKind::Def(def) => {
            let mut scope = Scope { closed: Some(symbol.name), ..Scope::default() };
            scope.locals = def.params.iter().map(|p| (p.name.text.as_str(), Val::Error)).collect();
            for l in &def.lets {
                c.eval(&l.value, &scope);
                scope.locals.extend(l.names.iter().map(|n| (n.name.text.as_str(), Val::Error)));
            }
            c.eval(&def.body, &scope);
        }
        _ => {}
    }
}

fn loss<'a>(c: &mut Checker<'a>, symbol: &Symbol<'a>, member: usize) {
    let ItemKind::Loss(item) = &symbol.item.kind else { return };
    let mut scope = c.item_scope(symbol, member, symbol.name);
    scope.in_loss = true;
    let settings = c.bind_settings(&ops::training::LOSS, &item.settings, &scope);
    let weight = settings.any("weight").map_or(Ok(1.0), |e| c.weight(e, &scope));
    let value = c.eval(&item.value, &scope);
    let Ok(node) = c.value_node(&value, item.value.span, &scope) else { return };
    let scalar = match c.graph.ty(node) {
        Ty::Scalar => true,
        Ty::Vector(_, width) => *width == Width::from(1),
        _ => false,
    };
    if !scalar {
        let shown = c.show(&c.graph.ty(node).clone());
        let message = format!("a loss is one number for each example, and this is {shown}");
        let d = Diagnostic::new(codes::NOT_SCALAR, item.value.span, message)
            .help("use a task's `.loss`, or compare two values with `kl`, `mse` or `cosine`");
        c.error(d);
        return;
    }
    let Ok(weight) = weight else { return };
    let name = scope.owner.clone().unwrap_or_default().to_string();
    c.losses.push(LossData { name, node, weight, settings, scope, span: symbol.span });
}

/// A run with the label spaces of those of its tasks that the program uses.
fn brought(c: &Checker<'_>, run: &RunPlan) -> RunPlan {
    let tasks = c.taught.iter().filter(|task| run.own(&task.name).is_some());
    let mut spaces: Vec<usize> = tasks.filter_map(|task| Some(task.head.space?.0)).collect();
    spaces.sort_unstable();
    spaces.dedup();
    RunPlan { spaces, ..run.clone() }
}

/// The model of a program without mistakes.
fn finish(
    c: &mut Checker<'_>,
    name: String,
    metrics: Vec<MetricPlan>,
    train: crate::plan::TrainPlan,
    reads: &[Vec<TaskId>],
    runs: Vec<RunPlan>,
) -> Model {
    let mut tasks = Vec::with_capacity(reads.len());
    for (i, reads) in reads.iter().enumerate() {
        if let Some(task) = model_task(c, i, reads.clone()) {
            tasks.push(task);
        }
    }
    let losses = (0..c.losses.len())
        .map(|i| {
            let l = c.losses[i].clone();
            let updates = l.settings.any("updates").and_then(|e| c.paths(e, &l.scope).ok());
            ModelLoss { name: l.name, node: l.node, weight: l.weight, updates, span: l.span }
        })
        .collect();
    let not_run = not_run(c);
    optional_texts(c);
    Model {
        name,
        datasets: std::mem::take(&mut c.datasets),
        spaces: c.spaces.all.clone(),
        graph: Rc::new(std::mem::take(&mut c.graph)),
        tasks,
        losses,
        metrics,
        train,
        stage_places: std::mem::take(&mut c.stage_places),
        balances: std::mem::take(&mut c.balances),
        runs,
        not_run,
    }
}

/// Marks the texts that are gold and nothing else: an example without one trains other tasks.
fn optional_texts(c: &mut Checker<'_>) {
    // A head that shares the table of an `embed` looks at its gold for that, and at no number of it.
    let used: FxHashSet<_> = c.graph.nodes.iter().flat_map(|node| node.inputs.iter().copied()).collect();
    let mut read = FxHashSet::default();
    for (at, node) in c.graph.nodes.iter().enumerate() {
        if node.op == "embed" && !used.contains(&NodeId(at)) {
            continue;
        }
        let count = node.inputs.len();
        let inputs = node.inputs.iter().enumerate().filter(|(i, _)| !generate::reads_as_gold(node.op, *i, count));
        let fields = inputs.map(|(_, input)| c.graph.node(*input)).filter(|input| input.op == "field");
        read.extend(fields.filter_map(field_of));
    }
    let written = c.tasks.iter().filter(|task| generate::handed::writes(&task.head));
    let golds = written.filter_map(|task| Some(c.graph.token_fields(task.head.gold?.0))).flatten();
    let only: Vec<_> = golds.filter(|field| !read.contains(field)).collect();
    only.into_iter().for_each(|(data, field)| c.datasets[data.0].fields[field].optional = true);
}

fn model_task(c: &mut Checker<'_>, i: usize, reads: Vec<TaskId>) -> Option<ModelTask> {
    let built = c.tasks[i].built.clone()?;
    let updates = c.tasks[i].settings.any("updates").and_then(|e| {
        let scope = c.tasks[i].scope.clone();
        c.paths(e, &scope).ok()
    });
    let t = &c.tasks[i];
    let mut metrics: Vec<String> = t.kind.metrics().iter().map(|m| m.to_string()).collect();
    let chosen = match t.settings.any("metric").map(|e| &e.kind) {
        Some(crate::syntax::ast::ExprKind::Name(n)) => n.text.clone(),
        _ => t.kind.main_metric(c, &t.head).to_string(),
    };
    metrics.sort_by_key(|m| *m != chosen);
    Some(ModelTask {
        reads,
        vote: t.settings.bool("vote"),
        head: t.head.form.to_string(),
        main_is_auto: chosen == "auto",
        threshold: t.head.settings.float("threshold").unwrap_or(0.5),
        k: t.head.settings.int("k").unwrap_or(0),
        lr: t.settings.float("lr"),
        space: t.head.space,
        kind: t.kind.signature().name,
        name: t.name.clone(),
        family: t.family.clone(),
        built,
        weight: t.weight,
        updates,
        metrics,
        span: t.span,
    })
}

/// Operations and tasks in the program that this build does not run.
fn not_run(c: &Checker<'_>) -> Vec<(String, Span)> {
    let mut found: Vec<(String, Span)> = Vec::new();
    for node in &c.graph.nodes {
        // What stands in for the head of such a task is named by the task itself.
        if node.op != "generated" && ops::operation(node.op).is_some_and(|op| !op.runs()) {
            found.push((node.op.to_string(), node.span));
        }
    }
    for task in &c.tasks {
        if !task.kind.runs() {
            found.push((task.kind.signature().name.to_string(), task.span));
        }
    }
    found.sort_by_key(|f| f.1);
    found.dedup();
    found
}
