//! Training signals by the formulas of their papers: adversarial perturbation, draws and views.
#![cfg(feature = "train")]

use mtlc::backend::exec::Program;
use mtlc::backend::{NO_LABEL, Value};
use mtlc::data::Batch;
use mtlc::driver::compile::{Compiled, base_of, compile};
use mtlc::driver::feed::CorpusFeed;
use mtlc::driver::{self, Settings, training};
use mtlc::source::Disk;
use mtlc::train::events::Silent;
use mtlc::train::feed::{Feed, Portion};
use mtlc::train::looping;
use mtlc::train::metrics::{self, Context};
use mtlc::train::trainee::{Answer, Judged, LossSource, Trainee};

const DATA: &str = r#"
data d {
  format: jsonl  train: "d.jsonl"
  field a: text   from "a"
  field n: number from "n"
  field c: class  from "c"
}
layer words = embed(6)
"#;

const EXAMPLES: &str = r#"{"a": "the cat sat", "n": 1.5, "c": "p"}
{"a": "run", "n": -2, "c": "q"}
{"a": "a dog sat on the mat", "n": 3, "c": "p"}
{"a": "dogs run fast", "n": 0.25, "c": "r"}
"#;

const LENGTHS: [f64; 4] = [3.0, 1.0, 6.0, 3.0];

fn compiled(body: &str) -> Compiled {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("d.jsonl"), EXAMPLES).expect("written");
    let path = folder.path().join("case.mtl");
    std::fs::write(&path, format!("{DATA}{body}\n")).expect("written");
    let checked = driver::check(&path, &Disk, &Settings::default());
    let said: Vec<_> = checked.diagnostics.iter().filter(|d| d.is_error()).collect();
    assert!(said.is_empty(), "{said:?}");
    compile(&checked.model.expect("a model"), &base_of(&path, None)).expect("compiled")
}

fn feed(compiled: &Compiled) -> CorpusFeed<'_> {
    CorpusFeed { corpus: &compiled.corpus, schema: &compiled.schema }
}

fn all(compiled: &Compiled) -> Batch {
    feed(compiled).fetch(0, Portion::Train, &[0, 1, 2, 3]).expect("a batch")
}

fn numbers(value: &Value) -> Vec<f32> {
    value.tensor().and_then(|x| x.flatten_all()?.to_vec1()).expect("numbers")
}

fn param(program: &Program, name: &str) -> Vec<f32> {
    let found = program.params.iter().find(|p| *p.name == *name).unwrap_or_else(|| panic!("no parameter {name}"));
    found.var.as_tensor().flatten_all().and_then(|x| x.to_vec1()).expect("numbers")
}

/// The loss of a linear model of the mean of n vectors, with each vector moved by ε √D ĝ: as
/// dL/dx = 2 e w / n is the same for all of them, the prediction moves by ε √D |w| / √n away from
/// the gold (Miyato et al. 2017, equation 5; √D by Bekoulis et al. 2018).
#[test]
fn a_perturbation_goes_against_the_loss_by_its_formula() {
    const EPSILON: f64 = 0.05;
    let compiled = compiled(&format!("task t: regress(d.n) = d.a |> words |> perturb({EPSILON}) |> mean_pool"));
    let (program, batch) = (training::program(&compiled).expect("a program"), all(&compiled));
    let loss = || program.losses(0, &batch, &[LossSource::Task(0)], 5).expect("losses").remove(0).value;
    let first = loss();
    program.note_perturbed(&first.backward().expect("a backward pass")).expect("noted");
    program.second_pass(true);
    let second = loss().to_scalar::<f32>().expect("a number");
    program.second_pass(false);
    let outcome = program.outcomes(0, &batch, &[0]).expect("outcomes").remove(0);
    let length = param(&program, "t.head.weight").iter().map(|w| f64::from(*w).powi(2)).sum::<f64>().sqrt();
    let away = |n: f64| EPSILON * 6f64.sqrt() * length / n.sqrt();
    let each = outcome.items.iter().zip(LENGTHS).map(|(item, n)| {
        let (Answer::Number(y), Some(Answer::Number(gold))) = (&item.predicted, &item.gold) else { panic!() };
        (f64::from(y - gold).abs() + away(n)).powi(2)
    });
    let expected = each.sum::<f64>() / 4.0;
    assert!((f64::from(second) - expected).abs() < 1e-4 * expected, "{second} for {expected}");
    let clean = loss().to_scalar::<f32>().expect("a number");
    assert!((clean - first.to_scalar::<f32>().expect("a number")).abs() < 1e-6, "the next step begins clean");
}

/// One step of SGD over all examples: how far it moves the parameters.
fn moved(body: &str) -> Vec<f64> {
    let body = format!("{body}\ntrain {{ epochs: 1  batch: 4  optimizer: sgd(lr: 1e-2) }}");
    let compiled = compiled(&body);
    let mut program = training::program(&compiled).expect("a program");
    let every =
        |program: &Program| -> Vec<f32> { program.params.iter().flat_map(|p| param(program, &p.name)).collect() };
    let before = every(&program);
    let out = tempfile::tempdir().expect("a folder");
    let options = looping::Options::new(out.path());
    looping::train(&compiled.plan, &mut program, &feed(&compiled), &mut Silent, &options).expect("trained");
    every(&program).iter().zip(before).map(|(after, before)| f64::from(after - before)).collect()
}

#[test]
fn both_losses_count_and_losses_beside_them_once() {
    let body = |perturb: &str, weight: &str| {
        format!(
            "task t: regress(d.n) = d.a |> words {perturb} |> mean_pool {{ weight: {weight} }}\nloss small = l2(words)"
        )
    };
    let (once, twice) = (moved(&body("|> perturb(1e-9)", "0.5")), moved(&body("", "1.0")));
    assert_eq!(once.len(), twice.len());
    for (a, b) in once.iter().zip(&twice) {
        assert!((a - b).abs() < 1e-6 + 1e-4 * b.abs(), "{a} for {b}");
    }
}

/// The values of the named lets are those of loss items here: one for each example.
fn computed(compiled: &Compiled, training: bool, seed: u64) -> Vec<Vec<f32>> {
    let program = training::program(compiled).expect("a program");
    let roots: Vec<usize> = program.plan.losses.iter().map(|loss| loss.node).collect();
    let values = program.compute(&all(compiled), &roots, training, seed).expect("computed");
    roots.iter().map(|root| numbers(&values[root])).collect()
}

#[test]
fn a_place_draws_once_and_two_places_draw_apart() {
    let compiled = compiled(
        "let h = d.a |> words\nlet z = h |> mean_pool |> gaussian(3)\nlayer view = cutoff(feature, 50%)\n\
         task t: classify(d.c) = h |> mean_pool\ntask u: regress(d.n) = concat(z, h |> view |> mean_pool)\n\
         loss same = mse(z, z * 1.0)\nloss apart = mse(h |> cutoff(feature, 50%), h |> cutoff(feature, 50%)) |> mean_pool\n\
         loss one_layer = mse(h |> view, h |> view) |> mean_pool\nloss other_value = mse(h |> view, (h * 1.0) |> view) |> mean_pool\n\
         loss sampled = mse(t.sample, t.sample * 1.0)",
    );
    let [same, apart, one_layer, other_value, sampled] = &computed(&compiled, true, 9)[..] else { panic!() };
    let is_zero = |x: &[f32]| x.iter().all(|x| x.abs() < 1e-12);
    assert!(is_zero(same) && is_zero(sampled), "a `let` and a `.sample` are one draw");
    assert!(is_zero(one_layer), "one place and one value");
    assert!(!is_zero(apart), "two places");
    assert!(!is_zero(other_value), "two values");
    assert_eq!(computed(&compiled, true, 9), computed(&compiled, true, 9), "a seed says it all");
    assert_ne!(computed(&compiled, true, 9)[1], computed(&compiled, true, 10)[1]);
    assert!(computed(&compiled, false, 9).iter().all(|x| is_zero(x)), "nothing is drawn at prediction");
}

/// With a head of zeros every word is as likely as another, so that the perplexity, exp of the mean
/// loss of a word, is how many there are.
#[test]
fn a_language_model_that_knows_nothing_hesitates_between_all_words() {
    let compiled = compiled(
        "let s = d.a |> words |> bilstm(6)\ntask t: lm(d.a) = s |> forward\ntask u: lm(d.a) = s |> backward { min_count: 2 }\n\
         task v: mlm(d.a) = d.a |> corrupt(mask: 60%) |> words |> lstm(4)",
    );
    let program = training::program(&compiled).expect("a program");
    for param in program.params.iter().filter(|p| p.name.contains(".head.")) {
        param.var.set(&param.var.as_tensor().zeros_like().expect("zeros")).expect("set");
    }
    let outcomes = program.outcomes(0, &all(&compiled), &[0, 1, 2]).expect("outcomes");
    let words = |items: &[Judged]| -> usize {
        let gold = |item: &Judged| match &item.gold {
            Some(Answer::Tags(ids)) => ids.iter().filter(|id| **id != NO_LABEL).count(),
            _ => 0,
        };
        items.iter().map(gold).sum()
    };
    // Ten words and the unknown one; three that stand twice, and the unknown one.
    for (outcome, labels) in outcomes.iter().zip([11.0, 4.0, 11.0]) {
        let perplexity = (outcome.loss / words(&outcome.items) as f64).exp();
        assert!((perplexity - labels).abs() < 1e-3, "{perplexity} for {labels}");
        let context = Context { labels: &[], classes: 0, loss: outcome.loss, k: 3 };
        let measured = metrics::metric("perplexity").expect("a measure").value(&outcome.items, &context);
        assert!((measured - perplexity).abs() < 1e-9);
    }
    // A text of n words has n - 1 that follow another.
    assert_eq!(words(&outcomes[0].items), 9);
    assert!((1..13).contains(&words(&outcomes[2].items)), "a part of the words is masked, in evaluation too");
}

#[test]
fn a_figure_is_that_of_each_example() {
    let compiled = compiled("task t: classify(d.c) = d.a |> words |> mean_pool\nloss right = t.accuracy * 2.0");
    let program = training::program(&compiled).expect("a program");
    let outcome = program.outcomes(0, &all(&compiled), &[0]).expect("outcomes").remove(0);
    let right = |item: &Judged| if Some(&item.predicted) == item.gold.as_ref() { 2.0 } else { 0.0 };
    let expected: Vec<f32> = outcome.items.iter().map(right).collect();
    assert_eq!(computed(&compiled, false, 1), [expected]);
}

/// The critic goes down its loss, the encoder up the same one by half as much: min-max with separate
/// updates, as a reversed gradient of 0.5 would do in one.
#[test]
fn a_critic_and_what_it_reads_move_against_each_other() {
    let critic = "layer reader = linear(5) |> tanh\ntask critic: classify(d.c) = d.a |> words |> reader |> mean_pool";
    let plain = moved(critic);
    let both = moved(&format!(
        "{critic} {{ updates: [critic] }}\nloss confuse = critic.loss {{ weight: -0.5  updates: [words, reader] }}"
    ));
    // The parameters of the head come last.
    let encoder = plain.len() - (3 * 5 + 3);
    assert_eq!(plain.len(), both.len());
    for (i, (plain, both)) in plain.iter().zip(&both).enumerate() {
        let factor = if i < encoder { -0.5 } else { 1.0 };
        assert!((both - factor * plain).abs() < 1e-6 + 1e-4 * plain.abs(), "{i}: {both} for {factor} of {plain}");
    }
}

/// A teacher is as at prediction: no dropout acts in it, whatever the seed.
#[test]
fn a_teacher_draws_nothing() {
    let compiled = compiled(
        "layer reader = dropout(0.5) |> bilstm(4, layers: 2, dropout: 0.5) |> dropout(0.5) |> mean_pool\n\
         task t: classify(d.c) = d.a |> word_dropout(0.5) |> words |> reader\n\
         task u: distill(t) = d.a |> words |> mean_pool { temperature: 2.0 }",
    );
    let program = training::program(&compiled).expect("a program");
    let [on] = &program.plan.tasks[1].on[..] else { panic!("one data set") };
    let teacher = program.plan.nodes[on.loss.expect("a loss")].inputs[1];
    let of = |training, seed| {
        let values = program.compute(&all(&compiled), &[teacher], training, seed).expect("computed");
        numbers(&values[&teacher])
    };
    assert_eq!(of(true, 1), of(true, 2));
    assert_eq!(of(true, 1), of(false, 1));
    let label = program.plan.tasks[0].on[0].probs.expect("probabilities");
    let drawn = |seed| numbers(&program.compute(&all(&compiled), &[label], true, seed).expect("computed")[&label]);
    assert_ne!(drawn(1), drawn(2), "the task itself drops numbers when it is trained");
}

/// Words that were not chosen stay, and a word counts as replaced where another stands.
#[test]
fn what_a_language_model_draws_is_replaced_where_it_differs() {
    let compiled = compiled(
        "task g: mlm(d.a) = d.a |> corrupt(mask: 60%) |> words |> lstm(4)\n\
         task t: detect(g.replaced) = g.sample |> words |> lstm(4)",
    );
    let program = training::program(&compiled).expect("a program");
    let named =
        |op: &str| program.plan.nodes.iter().position(|node| node.op == op).unwrap_or_else(|| panic!("no {op}"));
    let roots = ["rewritten", "chosen_words", "replaced"].map(named);
    let text = program.plan.nodes[roots[0]].inputs[0];
    for (training, seed) in [(true, 1), (true, 2), (true, 3), (false, 1)] {
        let asked = [&roots[..], &[text]].concat();
        let values = program.compute(&all(&compiled), &asked, training, seed).expect("computed");
        let ids = |at: usize| match &values[&at] {
            Value::Tokens { ids, .. } | Value::Label { ids, .. } => ids.to_vec(),
            _ => panic!("words or labels"),
        };
        let (other, chosen, replaced, text) = (ids(roots[0]), ids(roots[1]), ids(roots[2]), ids(text));
        assert!(replaced.contains(&1) && replaced.contains(&0), "{replaced:?}");
        for i in 0..text.len() {
            assert_eq!(replaced[i] == 1, other[i] != text[i], "place {i}");
            assert!(chosen[i] != NO_LABEL || other[i] == text[i], "place {i} was not chosen");
        }
    }
}

/// -(r - b) log p of what was drawn (Williams 1992), with each baseline.
#[test]
fn a_reward_counts_by_what_it_exceeds() {
    let compiled = compiled(
        "task t: classify(d.c) = d.a |> words |> mean_pool\nlet other = cosine(t.sample, t.probs)\n\
         loss reward = mse(t.sample, t.probs)\nloss surprise = cross_entropy(t.sample, t.probs)\nloss level = other\n\
         loss plain = reinforce(t, mse(t.sample, t.probs), baseline: none)\n\
         loss among = reinforce(t, mse(t.sample, t.probs))\n\
         loss given = reinforce(t, mse(t.sample, t.probs), baseline: other)\n\
         loss own = reinforce(t, t.accuracy, baseline: none)\nloss right = cross_entropy(t.sample, t.gold)",
    );
    let [reward, surprise, level, plain, among, given, own, right] = &computed(&compiled, true, 4)[..] else {
        panic!()
    };
    let close = |a: f32, b: f32| assert!((a - b).abs() < 1e-5 + 1e-4 * b.abs(), "{a} for {b}");
    let all: f32 = reward.iter().sum();
    for i in 0..4 {
        close(plain[i], reward[i] * surprise[i]);
        close(among[i], (reward[i] - (all - reward[i]) / 3.0) * surprise[i]);
        close(given[i], (reward[i] - level[i]) * surprise[i]);
        // A figure of the task itself is that of its sample: right where that is the gold.
        close(own[i], if right[i] < 1.0 { surprise[i] } else { 0.0 });
    }
    assert!(own.iter().any(|x| *x > 0.0) && own.contains(&0.0), "some draws are right: {own:?}");
}

/// No gold reaches the task's parameters but by way of the reward.
#[test]
fn a_task_learns_from_rewards_alone() {
    let compiled = compiled(
        "task t: classify(d.c) = d.a |> words |> mean_pool { weight: 0 }\nloss earn = reinforce(t, t.accuracy)\n\
         train { epochs: 300  batch: 4  seed: 3  optimizer: adam(lr: 2e-2) }",
    );
    let mut program = training::program(&compiled).expect("a program");
    let out = tempfile::tempdir().expect("a folder");
    looping::train(&compiled.plan, &mut program, &feed(&compiled), &mut Silent, &looping::Options::new(out.path()))
        .expect("trained");
    let outcome = program.outcomes(0, &all(&compiled), &[0]).expect("outcomes").remove(0);
    assert!(outcome.items.iter().all(|item| Some(&item.predicted) == item.gold.as_ref()));
}

/// Of a text that is drawn, -log p of its words and its end, as the loss of the same text as gold is.
#[test]
fn a_drawn_text_is_as_probable_as_the_decoder_says() {
    let compiled = compiled(
        "task t: generate(d.a) = d.c |> embed(6) { decoder: lstm(6)  max_length: 4 }\n\
         loss plain = reinforce(t, t.rouge, baseline: none)\nloss among = reinforce(t, t.rouge)\n\
         loss greedy = reinforce(t, t.rouge, baseline: t.rouge)",
    );
    let program = training::program(&compiled).expect("a program");
    let node = |loss: usize| &program.plan.nodes[program.plan.losses[loss].node];
    let [surprise, reward] = node(0).inputs[..] else { panic!("what is drawn, and its reward") };
    let [states, drawn] = program.plan.nodes[surprise].inputs[..] else { panic!("states and the text") };
    assert_eq!(program.plan.nodes[states].inputs[0], drawn);
    let asked = [surprise, reward, drawn, program.plan.losses[0].node, program.plan.losses[1].node];
    let mut rewarded = 0;
    for seed in 0..6 {
        let values = program.compute(&all(&compiled), &asked, true, seed).expect("computed");
        let [surprise, reward, plain, among] = [asked[0], asked[1], asked[3], asked[4]].map(|at| numbers(&values[&at]));
        let Value::Written { each, .. } = &values[&drawn] else { panic!("texts") };
        let total: f32 = reward.iter().sum();
        for i in 0..4 {
            assert!((surprise[i] + each[i][0].log_p).abs() < 1e-4, "{} and {}", surprise[i], each[i][0].log_p);
            assert!((plain[i] - reward[i] * surprise[i]).abs() < 1e-5);
            assert!((among[i] - (reward[i] - (total - reward[i]) / 3.0) * surprise[i]).abs() < 1e-4);
            rewarded += usize::from(reward[i] > 0.0);
        }
    }
    assert!(rewarded > 0, "some draws have a word of the gold");
}

/// A relaxed sample of the words that are written is the temperature's softmax of logits and noise, one
/// draw wherever it stands; what is made hard is a row of the table.
#[test]
fn words_that_are_written_can_be_drawn_with_a_gradient() {
    let compiled = compiled(
        "task t: generate(d.a) = d.c |> embed(6) { decoder: lstm(6)  head: words  max_length: 4 }\n\
         task u: regress(d.n) = t.words(gumbel: 0.7, hard: true) |> mean_pool\n\
         task v: regress(d.n) = t.words(gumbel: 0.7) |> mean_pool",
    );
    let program = training::program(&compiled).expect("a program");
    let find = |hard: bool| {
        let is = |node: &mtlc::plan::Node| {
            node.op == "gumbel" && node.attrs.get("hard") == Some(&mtlc::plan::Attr::Bool(hard))
        };
        program.plan.nodes.iter().position(is).expect("a relaxed sample")
    };
    let (hard, soft) = (find(true), find(false));
    let of = |training, seed| program.compute(&all(&compiled), &[hard, soft], training, seed).expect("computed");
    let values = of(true, 1);
    let width = program.plan.nodes[hard].width;
    for row in numbers(&values[&hard]).chunks_exact(width) {
        assert!(row.iter().filter(|p| (**p - 1.0).abs() < 1e-6).count() == 1, "{row:?}");
    }
    for row in numbers(&values[&soft]).chunks_exact(width) {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5 && row.iter().all(|p| *p < 1.0), "{row:?}");
    }
    assert_ne!(numbers(&values[&soft]), numbers(&of(true, 2)[&soft]));
    assert_eq!(numbers(&of(false, 1)[&soft]), numbers(&of(false, 2)[&soft]), "nothing is drawn at prediction");
}
