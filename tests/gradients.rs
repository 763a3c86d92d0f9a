//! Gradients of whole programs: every operation that runs, against finite differences; and what
//! is said when one is cut. The kernels alone are held to tighter bounds in the backend's tests.
#![cfg(feature = "train")]

use std::collections::BTreeSet;
use std::path::Path;

use candle_core::Tensor;
use mtlc::backend::exec::Program;
use mtlc::backend::kernels::plainly;
use mtlc::data::{Batch, Corpus};
use mtlc::diagnostics::codes;
use mtlc::driver::compile::{Compiled, base_of, compile};
use mtlc::driver::feed::CorpusFeed;
use mtlc::driver::{self, Settings, training};
use mtlc::source::Disk;
use mtlc::train::events::Silent;
use mtlc::train::feed::{Feed, Portion};
use mtlc::train::looping;
use mtlc::train::trainee::{LossSource, Trainee};

/// What every case begins with: sentences, word labels, classes, numbers, sets of labels, trees,
/// relations and sets of texts.
const DATA: &str = r#"
data d {
  format: jsonl  train: "d.jsonl"
  field a: text     from "a"
  field b: text     from "b"
  field g: tags(a)  from "g"
  field c: class    from "c"
  field n: number   from "n"
  field l: labels   from "l"
  field t: tree(a)  from "t"
  field s: spans(a) from "s"
  field r: relations(s) from "r"
  field u: tree(a)  from "t"
  field v: relations(s) from "r"
  field m: texts    from "m"
  field o: choice(m) from "o"
  field w: ranking(m) from "w"
}
layer words = embed(6)
let h = d.a |> words
let k = d.b |> words
"#;

const EXAMPLES: &str = r#"{"a": "the cat sat", "b": "a dog", "g": ["O", "B-x", "I-x"], "c": "p", "n": 1.5, "l": ["u"], "t": [[2, "det"], [3, "nsubj"], [0, "root"]], "s": [[0, 2, "A"], [2, 3, "B"]], "r": [[1, 0, "x"]], "m": ["a cat", "the dog", "run"], "o": 1, "w": [2, 0, 1]}
{"a": "run", "b": "the dog sat there", "g": ["B-y"], "c": "q", "n": 0, "l": [], "t": [[0, "root"]], "s": [], "r": [], "m": ["dogs", "cats run"], "o": 0, "w": [1, null]}
{"a": "a dog sat on the mat", "b": "cat", "g": ["O", "B-x", "O", "O", "B-y", "I-y"], "c": "r", "n": 3, "l": ["u", "v"], "t": [[2, "det"], [3, "nsubj"], [0, "root"], [6, "case"], [6, "det"], [3, "obl"]], "s": [[0, 2, "A"], [2, 3, "B"], [5, 6, "A"]], "r": [[1, 0, "x"], [1, 2, "y"], [0, 2, "x"]], "m": ["a"], "o": null}
{"a": "dogs run fast", "b": "cats and dogs run", "g": ["B-x", "B-x", "O"], "c": "p", "n": 2.25, "l": ["w"], "m": ["fast", "the mat"], "w": [0, 3]}
"#;

/// Programs whose gradients must be those of the loss.
const SMOOTH: &[(&str, &str)] = &[
    ("recurrent", "task t: tag(d.g) = h |> lstm(4) |> gru(4) |> bilstm(6, layers: 2) |> bigru(4)"),
    (
        "states read",
        "layer one = lstm(4, reads: two)\nlayer two = lstm(3, reads: one)\nlayer three = linear(4) |> lstm(5, reads: wide)\n\
         layer wide = bilstm(6) |> shift(-1)\ntask t: tag(d.g) = concat(h |> one, h |> three)\ntask u: classify(d.c) = h |> two |> last",
    ),
    ("tied", "layer other = embed(6, tied: words) |> linear(3)\ntask t: tag(d.g) = concat(h, d.a |> other)"),
    (
        "pretrained",
        concat!(
            "let (p, v) = d.a |> pretrained(\"",
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/pretrained/bert\", whole: pooled, dropout: 0.2, layers: [0, 2], mix: true)\n\
             task t: tag(d.g) = p\ntask u: classify(d.c) = v\n\
             let (q, w) = d.b |> pretrained(\"",
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/pretrained/modernbert\", whole: mean, pool: mean, dropout: 10%)\n\
             task s: classify(d.c) = concat(w, q |> mean_pool)\n\
             task r: regress(d.n) = d.b |> pretrained(\"",
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/pretrained/electra\") |> mean_pool\n\
             task z: regress(d.n) = d.b |> pretrained(\"",
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/pretrained/distilbert\", layers: [1, 2]) |> mean_pool\n\
             task y: regress(d.n) = d.m |> pretrained(\"",
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/pretrained/roberta\") |> mean_pool |> max_pool",
        ),
    ),
    ("chars", "task t: tag(d.g) = concat(h, d.a |> chars(4), d.a |> chars(4, lstm))"),
    ("conv", "task t: classify(d.c) = concat(h |> conv(5, 3) |> gelu |> mean_pool, h |> max_pool)"),
    ("transformer", "task t: classify(d.c) = h |> transformer(8, layers: 2, heads: 2, ff: 12) |> first"),
    ("attention", "task t: tag(d.g) = concat(h |> self_attention(4, heads: 2), attend(h, k, heads: 2))"),
    ("dense", "task t: classify(d.c) = h |> linear(5) |> mlp([7, 4], tanh) |> norm |> mean_pool"),
    (
        "fused",
        "task t: tag(d.g) = (h + (h |> linear(6) |> tanh)) |> norm\ntask u: classify(d.c) = h |> conv(4, 3, none) |> gelu |> last",
    ),
    ("dropped words", "task t: classify(d.c) = d.a |> embed(5) |> dropout(0.3) |> mean_pool"),
    ("gates", "task t: tag(d.g) = mix(gate(h, h |> tanh), h |> linear(6), h |> sigmoid)"),
    (
        "biaffine",
        "task t: tag(d.g) = biaffine(h |> linear(4), k |> mean_pool, 5)\ntask u: classify(d.c) = biaffine(h |> last, k |> last, 3)",
    ),
    ("highway", "task t: tag(d.g) = h |> highway |> highway"),
    ("co-attention", "let (p, q) = co_attention(h, k)\ntask t: tag(d.g) = p\ntask u: classify(d.c) = q |> max_pool"),
    (
        "label attention",
        "layer low = linear(5)\nlet e = h |> low\n\
         task t: tag(d.g) = label_attention(e, t) + label_attention(e, u) { head: crf }\n\
         task u: classify(d.c) = e |> label_attention(u) |> mean_pool",
    ),
    (
        "stitched",
        "layer one = linear(6)\nlayer two = linear(6)\nlayer three = linear(6) |> tanh\n\
         let (p, q) = cross_stitch(h |> one, h |> two)\nlet (r, s, v) = sluice(p, q, p |> three, subspaces: 3)\n\
         task t: tag(d.g) = concat(p, r)\ntask u: classify(d.c) = concat(q, s, v) |> mean_pool",
    ),
    (
        "joined",
        "let both = join(h, k, h |> last) |> bilstm(6)\nlet texts = join(d.a, d.b)\n\
         task t: tag(d.g) = concat(part(both, h), h |> shift(1), h |> shift(-2))\n\
         task u: classify(d.c) = concat(part(both, k) |> max_pool, part(both, h |> last), texts |> words |> lstm(3) |> last)",
    ),
    ("memory", "task t: tag(d.g) = h |> linear(4) |> memory(3, 5)"),
    (
        "experts",
        "layer pool = experts(3, 4)\ntask t: tag(d.g) = h |> route(pool)\n\
         task u: classify(d.c) = route(h, h |> pool |> linear(5)) |> mean_pool",
    ),
    (
        "graph",
        "let both = join(h, k) |> graph_attention([window(1), across], heads: 2)\n\
         task t: tag(d.g) = concat(part(both, h), h |> graph_attention(all))\n\
         task u: classify(d.c) = part(both, k) |> max_pool",
    ),
    ("sparse", "task t: tag(d.g) = h\nloss few = h |> sparsity"),
    ("arithmetic", "task t: tag(d.g) = (h |> softmax) * 2.0 + -h - (h * h |> exp |> log) * 0.5"),
    ("activations", "task t: regress(d.n) = concat(h |> relu |> last, h |> abs |> mean_pool, h |> attention_pool)"),
    ("noise", "task t: classify(d.c) = h |> linear(6) |> dropout(0.3) |> word_dropout(0.2) |> noise(0.1) |> mean_pool"),
    ("edges of trees and relations", "task t: tag(d.g) = h |> graph_attention([d.u, d.v])"),
    ("listwise", "task r: rank(d.o) = d.m |> words |> tanh |> mean_pool"),
    (
        "margin",
        "task r: rank(d.w) = d.m |> words |> mean_pool { query: h |> mean_pool  scale: 2.0  loss: margin }\n\
         task s: rank(d.w) = d.m |> words |> mean_pool |> tanh\n\
         task t: classify(d.c) = concat(d.m |> words |> mean_pool, r.label, s.probs) |> mean_pool",
    ),
    (
        "in batch",
        "let v = d.m |> words |> tanh |> mean_pool\n\
         task r: rank(d.o) = v { query: h |> mean_pool |> linear(3)  score: bilinear  loss: in_batch }\n\
         task s: rank(d.o) = v { query: h |> max_pool  score: cosine  scale: 2.0  loss: in_batch }",
    ),
    (
        "latent choice",
        "let v = d.m |> words |> mean_pool\ntask z: rank() = v\ntask t: classify(d.c) = v { over: z.probs }",
    ),
    ("letters out", "task t: classify(d.c) = d.a |> word_dropout(0.4) |> chars(4, cnn, embed: 3) |> mean_pool"),
    (
        "states of letters out",
        "task t: classify(d.c) = d.a |> word_dropout(0.4) |> chars(4, lstm, embed: 3) |> mean_pool",
    ),
    ("words out", "task t: classify(d.c) = d.a |> word_dropout(0.4) |> words |> mean_pool"),
    (
        "directions",
        "let s = h |> bilstm(6) |> dropout(0.2)\ntask t: tag(d.g) = s |> forward\ntask u: tag(d.g) = s |> backward",
    ),
    (
        "views",
        "task t: classify(d.c) = h |> cutoff(token, 30%) |> cutoff(span, 30%) |> cutoff(feature, 30%) |> mean_pool\n\
         task u: classify(d.c) = d.a |> corrupt(mask: 50%) |> words |> mean_pool",
    ),
    (
        "drawn",
        "let z = h |> gaussian(4)\ntask t: tag(d.g) = z |> gumbel(0.7)\nloss near = unit_kl(z)\n\
         task u: classify(d.c) = h |> mean_pool\ntask v: regress(d.n) = concat(h |> last, u.sample)",
    ),
    (
        "language models",
        "let s = h |> bilstm(6)\ntask t: lm(d.a) = s |> forward\ntask u: lm(d.a) = s |> backward { min_count: 2 }\n\
         task v: mlm(d.a) = d.a |> corrupt(mask: 60%) |> words |> lstm(5)",
    ),
    (
        "figures",
        "task t: tag(d.g) = h\ntask u: classify(d.c) = h |> mean_pool\nloss weighed = t.span_f1 * u.loss + u.accuracy * t.loss",
    ),
    (
        "rewarded",
        "task t: classify(d.c) = h |> mean_pool\ntask m: multilabel(d.l) = h |> max_pool\n\
         task u: tag(d.g) = concat(h, t.sample, m.sample)\nloss earn = reinforce(t, u.accuracy) + reinforce(m, u.span_f1, baseline: none)\n\
         loss own = reinforce(u, u.accuracy, baseline: t.accuracy)",
    ),
    (
        "written and rewarded",
        "task t: generate(d.b) = h { decoder: lstm(5)  max_length: 3 }\n\
         task s: generate(d.b) = h { decoder: transformer(6, layers: 1, heads: 2, ff: 8)  head: words  max_length: 3 }\n\
         loss earn = reinforce(t, t.rouge) + reinforce(s, s.rouge, baseline: none)",
    ),
    (
        "words drawn",
        "task t: generate(d.b) = h { decoder: lstm(5)  head: words }\n\
         task u: classify(d.c) = t.words(gumbel: 0.7) |> lstm(4) |> last",
    ),
    ("perturbed", "task t: classify(d.c) = h |> perturb(0.1) |> mean_pool"),
    ("repeat", "layer f = linear(6) |> tanh\ntask t: tag(d.g) = h |> repeat(2, f)"),
    (
        "repeat both",
        "layer f(x, y) = (attend(x, y) |> linear(6), attend(y, x) |> linear(6))\nlet (p, q) = (h, k) |> repeat(2, f)\n\
         task t: tag(d.g) = p\ntask u: classify(d.c) = q |> mean_pool",
    ),
    ("train_only", "task t: classify(d.c) = train_only(h |> linear(6), else: h) |> mean_pool"),
    ("multilabel", "task t: multilabel(d.l) = h |> mean_pool"),
    ("regress", "task t: regress(d.n) = h |> mean_pool\ntask s: regress(d.n) = h |> last { loss: huber }"),
    ("grades", "task t: regress(d.n) = h |> mean_pool { loss: kl }"),
    ("crf", "task t: tag(d.g) = h |> lstm(5) { head: crf }"),
    (
        "crf marginals",
        "task t: tag(d.g) = h |> lstm(5) { head: crf }\ntask u: classify(d.c) = t.probs |> lstm(3) |> last",
    ),
    (
        "feedback",
        "task t: tag(d.g) = h |> lstm(4) { feedback: 3 }\ntask u: tag(d.g) = h |> gru(4) { feedback: 3  head: crf }\n\
         task v: tag(d.g) = concat(h, t.probs, t.hidden) |> bilstm(4) { feedback: 3  dropout: 0.2 }\n\
         task w: tag(d.g) = h |> lstm(4, layers: 2, dropout: 0.2) { feedback: 2  dropout: 0.2 }",
    ),
    ("parse", "task p: parse(d.t) = h |> bilstm(4) { arc: 4  label: 3  act: tanh  inner_dropout: 0.2 }"),
    ("head selection", "task p: parse(d.t) = h |> linear(3) { head: heads  decode: eisner }"),
    ("pairs", "task p: relate(d.r) = h |> lstm(4) { hidden: 5 }"),
    ("selected heads", "task p: relate(d.r) = h |> lstm(4) { head: heads  hidden: 3 }"),
    ("tagged objects", "task p: relate(d.r) = h |> lstm(4) { head: tags  hidden: 5 }"),
    (
        "related",
        "task e: tag(d.s) = h |> lstm(4)\n\
         task p: relate(d.r) = concat(h, e.label(gold: 100%) |> embed(2)) { entities: e  hidden: 4 }",
    ),
    (
        "spans",
        "let v = h |> lstm(4) |> spans_of(max: 3, width: 2)\ntask e: spans(d.s) = v\n\
         task p: relate(d.r) = v { entities: e  hidden: 4 }",
    ),
    ("all pairs", "task t: classify(d.c) = pairs(h |> linear(3), k |> tanh) |> linear(3) |> mean_pool |> mean_pool"),
    (
        "detected",
        "task g: mlm(d.a) = d.a |> corrupt(mask: 50%) |> words |> lstm(4)\ntask t: detect(g.replaced) = g.sample |> words |> lstm(4)",
    ),
    ("over an axis", "task t: classify(d.c) = h |> lstm(4) { over: h |> linear(1) |> sigmoid }"),
    ("votes", "task t: classify(d.c) = h |> lstm(4) { vote: true }"),
    (
        "outputs",
        "task t: classify(d.c) = h |> mean_pool\ntask u: tag(d.g) = concat(h, t.probs, t.logits, t.hidden, t.embedding(3))",
    ),
    (
        "applied",
        "task t: tag(d.g) = h |> linear(4)\ntask u: tag(d.g) = h |> lstm(5)\n\
         task v: classify(d.c) = concat(t(k |> linear(4)).probs, k) |> mean_pool",
    ),
    (
        "labels",
        "task t: classify(d.c) = h |> mean_pool\ntask u: tag(d.g) = concat(h, t.label(gold: 50%), t.label |> embed(3))",
    ),
    ("marginal labels", "task t: multilabel(d.l) = h |> mean_pool\ntask u: tag(d.g) = concat(h, t.probs)"),
    (
        "voted labels",
        "task t: multilabel(d.l) = h |> linear(4) { vote: true  threshold: 40% }\n\
         let both = join(h, t.voted |> embed(6)) |> graph_attention([window(2), across])\n\
         task u: tag(d.g) = concat(part(both, h), t.logits)",
    ),
    ("gold", "task t: classify(d.c) = h |> mean_pool\ntask u: tag(d.g) = concat(h, train_only(t.gold, else: t.probs))"),
    (
        "comparisons",
        "task t: classify(d.c) = h |> mean_pool\ntask u: classify(d.c) = k |> mean_pool\n\
         loss agree = js(t.probs, u.probs) + kl(t.probs, u.probs) + cross_entropy(u.probs, t.probs)\n\
         loss near = mse(h |> mean_pool, k |> mean_pool) + cosine(h |> last, k |> last)\n\
         loss least = min(t.loss, u.loss)",
    ),
    (
        "distances",
        "layer one = linear(4)\nlayer two = linear(4)\n\
         task t: tag(d.g) = concat(h |> one, h |> two)\n\
         loss near = l2(one, two)\nloss small = l2(one)\nloss apart = orthogonal(h |> one, h |> two)",
    ),
    (
        "written by an lstm",
        "task t: generate(d.b) = h |> lstm(5) { decoder: lstm(4, layers: 2, dropout: 0.2)  smoothing: 0.1 }\n\
         task u: generate(d.b) = h |> mean_pool { head: words  dropout: 0.2 }\n\
         task v: generate(d.b) = h { decoder: lstm(4)  head: words  min_count: 2 }",
    ),
    (
        "written by a transformer",
        "layer writer = transformer(6, layers: 2, heads: 2, ff: 8, dropout: 0.2)\n\
         task t: generate(d.b) = h { decoder: writer  head: words }\n\
         task u: generate(d.b) = (h |> lstm(5), h |> mean_pool, h) { decoder: writer  head: t  smoothing: 0.1 }\n\
         task v: generate(d.b) = concat(h, h) { decoder: transformer(4, layers: 1, heads: 2, ff: 8) }",
    ),
    (
        "words that are copied",
        "task t: generate(d.b) = h |> lstm(5) { decoder: lstm(4)  copy: d.a  coverage: true  head: words }\n\
         task u: generate(d.b) = (h |> last, h) { decoder: transformer(6, layers: 1, heads: 2, ff: 8)  copy: d.a  min_count: 2 }\n\
         task v: classify(d.c) = concat(t.states |> last, u.label |> words |> last)",
    ),
    (
        "sampled before",
        "task t: generate(d.b) = h { decoder: lstm(4)  gold: 50%  head: words }\n\
         task u: generate(d.b) = h { decoder: transformer(6, layers: 1, heads: 2, ff: 8)  gold: 50%  copy: d.a }",
    ),
    (
        "handed on by a writer",
        "task t: generate(d.b) = h { decoder: lstm(4)  head: words }\n\
         task u: classify(d.c) = concat(t.words |> mean_pool, t.states |> last, t.probs |> mean_pool, t.logits |> max_pool)\n\
         task v: generate(d.b) = (t.states, t.label(gold: 50%) |> words, t.sample |> words) { decoder: transformer(4, heads: 2) }\n\
         loss near = t.loss * 0.5 + t(h |> linear(6)).loss",
    ),
    (
        "families",
        "for m in [x, y] {\n data e[m] { format: jsonl  train: \"d.jsonl\"\n field a: text from \"a\"  field c: class from \"c\" }\n\
         let r[m] = e[m].a |> words |> lstm(4)\n task f[m]: classify(e[m].c) = r[m] |> last\n}\n\
         task which: classify(index(e)) = r |> mean_pool\ntask t: classify(d.c) = h |> mean_pool",
    ),
];

struct Case {
    _folder: tempfile::TempDir,
    compiled: Compiled,
}

fn read(program: &Path) -> Compiled {
    let checked = driver::check(program, &Disk, &Settings::default());
    let said: Vec<_> = checked.diagnostics.iter().filter(|d| d.is_error()).collect();
    assert!(said.is_empty(), "{}: {said:?}", program.display());
    let model = checked.model.expect("a model");
    compile(&model, &base_of(program, None)).unwrap_or_else(|e| panic!("{}: {e:?}", program.display()))
}

fn case(body: &str) -> Case {
    whole(&format!("{DATA}{body}\n"))
}

/// A program of its own over the same examples.
fn whole(text: &str) -> Case {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("d.jsonl"), EXAMPLES).expect("written");
    let program = folder.path().join("case.mtl");
    std::fs::write(&program, text).expect("written");
    Case { compiled: read(&program), _folder: folder }
}

fn feed(compiled: &Compiled) -> CorpusFeed<'_> {
    CorpusFeed { corpus: &compiled.corpus, schema: &compiled.schema }
}

fn program(compiled: &Compiled) -> Program {
    training::program(compiled).expect("a program")
}

/// The first examples of each data set.
fn batches(compiled: &Compiled) -> Vec<(usize, Batch)> {
    let corpus: &Corpus = &compiled.corpus;
    let first = |data: usize| {
        let ids: Vec<u32> = (0..feed(compiled).size(data, Portion::Train).min(24) as u32).collect();
        (data, feed(compiled).fetch(data, Portion::Train, &ids).expect("a batch"))
    };
    (0..corpus.datasets.len()).map(first).collect()
}

fn sources(program: &Program) -> Vec<LossSource> {
    let tasks = (0..program.plan.tasks.len()).map(LossSource::Task);
    tasks.chain((0..program.plan.losses.len()).map(LossSource::Item)).collect()
}

/// The sum of the asked losses over the batches.
fn total(program: &Program, batches: &[(usize, Batch)], asked: &[LossSource]) -> Tensor {
    let terms = batches.iter().flat_map(|(data, batch)| program.losses(*data, batch, asked, 5).expect("losses"));
    terms.map(|term| term.value).reduce(|a, b| (a + b).expect("a sum")).expect("a loss")
}

fn gradient(program: &Program, batches: &[(usize, Batch)], asked: &[LossSource]) -> Vec<Vec<f64>> {
    program.grads.clear();
    let store = total(program, batches, asked).backward().expect("a backward pass");
    program.grads.collect(&program.params, &store).expect("collected");
    let flat = program.grads.lock();
    let of = |p: &mtlc::backend::Param| flat[p.sink.offset()..p.sink.offset() + p.len()].to_vec();
    program.params.iter().map(|p| of(p).iter().map(|g| f64::from(*g)).collect()).collect()
}

/// dL/ds of the parameter `at` moved by `s` times `way`, by a central difference.
fn slope(program: &Program, batches: &[(usize, Batch)], asked: &[LossSource], at: usize, way: &[f64]) -> f64 {
    const STEP: f64 = 4e-3;
    let var = &program.params[at].var;
    let start = var.as_tensor().copy().expect("a copy");
    let shift: Vec<f32> = way.iter().map(|w| *w as f32).collect();
    let shift = Tensor::from_vec(shift, start.shape(), start.device()).expect("a shift");
    let loss = |s: f64| {
        var.set(&(&start + (&shift * s).expect("scaled")).expect("moved")).expect("set");
        f64::from(total(program, batches, asked).to_scalar::<f32>().expect("a number"))
    };
    let slope = (loss(STEP) - loss(-STEP)) / (2.0 * STEP);
    var.set(&start).expect("set back");
    slope
}

fn unit(v: &[f64]) -> Vec<f64> {
    let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
    v.iter().map(|x| x / length.max(1e-12)).collect()
}

/// A direction that has nothing to do with the gradient: ±1, then of length 1.
fn aside(count: usize, salt: usize) -> Vec<f64> {
    let bit = |i: usize| (i + 1).wrapping_mul(2_654_435_761).wrapping_add(salt * 40_503) >> 13 & 1;
    unit(&(0..count).map(|i| bit(i) as f64 * 2.0 - 1.0).collect::<Vec<_>>())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Compares the gradient of each parameter with finite differences along itself and aside.
/// `factor` says how the gradient of a parameter differs from the loss's on purpose.
fn compare(name: &str, compiled: &Compiled, asked: &[LossSource], factor: impl Fn(&str) -> f64) -> Vec<String> {
    let (program, batches) = (program(compiled), batches(compiled));
    let gradients = gradient(&program, &batches, asked);
    let mut wrong = Vec::new();
    for (at, gradient) in gradients.iter().enumerate() {
        let param = &program.params[at].name;
        let size = dot(gradient, gradient).sqrt();
        // A bias of all keys moves the scores of a place alike, which a softmax does not see.
        let unseen = ["self.key.bias", "k_lin.bias"].iter().any(|end| param.ends_with(end));
        if unseen && size < 1e-5 {
            continue;
        }
        if size < 1e-7 {
            wrong.push(format!("{name}: `{param}` has no gradient"));
            continue;
        }
        for (which, way) in [("along", unit(gradient)), ("aside", aside(gradient.len(), at))] {
            let expected = factor(param) * slope(&program, &batches, asked, at, &way);
            let got = dot(gradient, &way);
            // Losses are f32 numbers near 10, whose last bits a central difference magnifies.
            if (got - expected).abs() > 0.01 * size + 1.5e-3 {
                wrong.push(format!("{name}: `{param}` {which}: {got:.5} for {expected:.5} (length {size:.5})"));
            }
        }
    }
    wrong
}

#[test]
fn every_operation_has_the_gradient_of_its_loss() {
    let mut wrong = Vec::new();
    let mut met = BTreeSet::new();
    for (name, body) in SMOOTH {
        let case = case(body);
        met.extend(case.compiled.plan.nodes.iter().map(|n| n.op.clone()));
        let asked = sources(&program(&case.compiled));
        wrong.extend(compare(name, &case.compiled, &asked, |_| 1.0));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // These have tests of their own below,
    met.extend(["detach", "reverse_gradient", "distill_loss", "likeness", "snapshot"].map(String::from));
    // and these become others before a plan is made.
    met.extend(["mlp", "repeat", "union", "pretrained"].map(String::from));
    let running = mtlc::ops::all().filter(|op| op.runs()).map(|op| op.signature().name);
    let missing: Vec<&str> = running.filter(|name| !met.contains(*name)).collect();
    assert!(missing.is_empty(), "no program here uses {missing:?}");
}

/// What other devices run, here on the CPU.
#[test]
fn plain_forms_compute_the_same() {
    let mut wrong = Vec::new();
    for (name, body) in SMOOTH {
        let case = case(body);
        let (program, batches) = (program(&case.compiled), batches(&case.compiled));
        let asked = sources(&program);
        let loss = || f64::from(total(&program, &batches, &asked).to_scalar::<f32>().expect("a number"));
        let both = || (loss(), gradient(&program, &batches, &asked));
        let (fused, plain) = (both(), plainly(both));
        if (fused.0 - plain.0).abs() > 1e-5 * fused.0.abs() {
            wrong.push(format!("{name}: a loss of {} for {}", plain.0, fused.0));
        }
        for ((param, fused), plain) in program.params.iter().zip(&fused.1).zip(&plain.1) {
            let apart: Vec<f64> = fused.iter().zip(plain).map(|(a, b)| a - b).collect();
            let (apart, size) = (dot(&apart, &apart).sqrt(), dot(fused, fused).sqrt());
            if apart.is_nan() || apart > 1e-5 + 1e-4 * size {
                wrong.push(format!("{name}: `{}` is {apart:.2e} apart (length {size:.2e})", param.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_reversed_gradient_is_minus_lambda_times_it() {
    let case = case("task t: classify(d.c) = h |> mean_pool |> reverse_gradient(0.25) |> linear(4) |> tanh");
    let factor = |param: &str| if param.starts_with("words") { -0.25 } else { 1.0 };
    let wrong = compare("reversed", &case.compiled, &[LossSource::Task(0)], factor);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_student_has_the_gradient_of_its_loss_and_the_teacher_none() {
    let case = case(
        "layer wise = embed(7)\ntask teacher: tag(d.g) = d.a |> wise |> lstm(4) |> linear(5)\n\
         task t: distill(teacher) = h |> lstm(5) { temperature: 2.0 }\ntask u: distill(teacher.hidden) = h |> linear(4) { loss: cosine }\n\
         task v: distill(teacher) = attend(h, k |> linear(4)) { loss: mse }",
    );
    let asked: Vec<LossSource> = (1..4).map(LossSource::Task).collect();
    let program = program(&case.compiled);
    gradient(&program, &batches(&case.compiled), &asked);
    let of_teacher = |name: &str| name.starts_with("wise") || name.starts_with("teacher");
    for (index, param) in program.params.iter().enumerate() {
        assert_eq!(program.grads.touched(index), !of_teacher(&param.name), "{}", param.name);
    }
    let mut wrong = compare("distilled", &case.compiled, &asked, |_| 1.0);
    wrong.retain(|said| !said.contains("`wise") && !said.contains("`teacher"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_passes_a_detach() {
    let case = case("task t: classify(d.c) = h |> mean_pool |> detach |> linear(4)\ntask u: tag(d.g) = h");
    let program = program(&case.compiled);
    gradient(&program, &batches(&case.compiled), &[LossSource::Task(0)]);
    for (index, param) in program.params.iter().enumerate() {
        assert_eq!(program.grads.touched(index), param.name.starts_with("t."), "{}", param.name);
    }
}

/// Hashimoto et al. 2017: δ ‖θ - θ'‖², with θ' as a turn left it.
#[test]
fn a_snapshot_is_the_distance_from_where_the_last_turn_ended() {
    let case = case("task t: classify(d.c) = h |> mean_pool\nloss keep = snapshot([words, t]) { weight: 0.1 }");
    let mut program = program(&case.compiled);
    let batches = batches(&case.compiled);
    let keep = [LossSource::Item(0)];
    let value = |program: &Program| total(program, &batches, &keep).to_scalar::<f32>().expect("a number");
    assert_eq!(value(&program), 0.0, "no turn has ended");
    program.turn_ended().expect("kept");
    let kept = program.extra().expect("arrays");
    let mut moved = 0;
    for param in &program.params {
        moved += param.len();
        param.var.set(&param.var.affine(1.0, 0.5).expect("moved")).expect("set");
    }
    assert!((value(&program) - 0.25 * moved as f32).abs() < 1e-3 * moved as f32, "{} of {moved}", value(&program));
    let gradients = gradient(&program, &batches, &keep);
    assert!(gradients.iter().flatten().all(|g| (g - 1.0).abs() < 1e-5), "twice the way: {gradients:?}");
    // A checkpoint holds it.
    program.turn_ended().expect("kept");
    let find = |name: &str| {
        let found = kept.iter().find(|(known, _)| known == name)?;
        found.1.flatten_all().and_then(|t| t.to_vec1()).ok()
    };
    program.set_extra(&find).expect("taken up");
    assert!((value(&program) - 0.25 * moved as f32).abs() < 1e-3 * moved as f32);
}

#[test]
fn every_parameter_of_the_examples_learns() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("the examples") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|e| e != "mtl") {
            continue;
        }
        let compiled = read(&path);
        let program = program(&compiled);
        let gradients = gradient(&program, &batches(&compiled), &sources(&program));
        for (param, gradient) in program.params.iter().zip(&gradients) {
            assert!(gradient.iter().all(|g| g.is_finite()), "{}: `{}`", path.display(), param.name);
            assert!(gradient.iter().any(|g| *g != 0.0), "{}: `{}` stands still", path.display(), param.name);
        }
        seen += 1;
    }
    assert!(seen >= 5, "{seen} examples");
}

#[test]
fn a_parameter_cut_from_its_gradient_is_an_error_at_step_one() {
    let case =
        case("layer one = lstm(4)\nlayer two = lstm(4)\ntask t: tag(d.g) = h |> one\ntask u: tag(d.g) = h |> two");
    let mut program = program(&case.compiled);
    // An operation that loses its weight's gradient: the program computes with another tensor,
    // while the plan says that `t` trains this one.
    let weight = |of: &str| program.params.iter().position(|p| p.name.starts_with(of) && p.name.ends_with("w_hh"));
    let (one, two) = (weight("one").expect("a weight"), weight("two").expect("a weight"));
    for param in program.plan.nodes.iter_mut().flat_map(|node| &mut node.params) {
        *param = if *param == one { two } else { *param };
    }
    let out = tempfile::tempdir().expect("a folder");
    let options = looping::Options::new(out.path());
    let error = looping::train(&case.compiled.plan, &mut program, &feed(&case.compiled), &mut Silent, &options)
        .expect_err("a cut gradient");
    assert_eq!(error.code, codes::NO_GRADIENT, "{}", error.message);
    assert!(error.message.contains("w_hh") && error.message.contains("task `t`"), "{}", error.message);
    assert!(!out.path().join("weights.safetensors").exists(), "it stopped before it wrote weights");
}

#[test]
fn what_other_members_of_a_union_read_gets_no_gradient_and_is_no_error() {
    let case = whole(
        r#"for n in [one, two] {
  data half[n] { format: jsonl  train: "d.jsonl"  field a: text from "a"  field c: class from "c" }
  layer words[n] = embed(6)
  let h[n] = half[n].a |> words[n] |> mean_pool
}
task which: classify(index(half)) = h
train { epochs: 2  batch: 4 }
"#,
    );
    let mut program = program(&case.compiled);
    let before = program.params.len();
    let out = tempfile::tempdir().expect("a folder");
    let options = looping::Options::new(out.path());
    let trained = looping::train(&case.compiled.plan, &mut program, &feed(&case.compiled), &mut Silent, &options);
    assert!(trained.is_ok(), "{:?}", trained.err());
    assert_eq!(before, 4, "two tables of words, and a head");
}
