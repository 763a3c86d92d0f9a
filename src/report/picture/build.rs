//! Which box each node of a plan lies in, and which boxes read each other.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::owner::Owners;
use super::{Edge, Graph, Kind, Vertex};
use crate::plan::{Plan, TaskOn};
use crate::report::numbers::prefixed;

/// Families of more members than this are drawn as one box.
const MEMBERS_SHOWN: usize = 4;

/// A box by its kind and name.
type Key = (Kind, String);

/// Finds the boxes and arrows of a plan.
pub(super) struct Builder<'a> {
    plan: &'a Plan,
    owners: Owners,
    families: BTreeMap<Key, usize>,
    /// The box of each node that has one.
    home: Vec<Option<Key>>,
    edges: BTreeSet<(Key, Key, String, bool)>,
    details: HashMap<Key, Vec<String>>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let owners = Owners::of(plan);
        let layers = plan.params.iter().map(|param| owners.owner(&param.name));
        let layers: BTreeSet<&str> = layers.filter(|owner| !owners.is_task(owner)).collect();
        let names = (plan.datasets.iter().map(|data| (Kind::Data, data.name.as_str())))
            .chain(layers.into_iter().map(|layer| (Kind::Layer, layer)))
            .chain(plan.tasks.iter().map(|task| (Kind::Task, task.name.as_str())))
            .chain(plan.losses.iter().map(|loss| (Kind::Loss, loss.name.as_str())));
        let mut families = BTreeMap::new();
        let names: BTreeSet<_> = names.collect();
        for (kind, name) in names.iter().filter_map(|(kind, name)| Some((*kind, name.split_once('.')?.0))) {
            *families.entry((kind, name.to_string())).or_default() += 1;
        }
        Self {
            plan,
            owners,
            families,
            home: vec![None; plan.nodes.len()],
            edges: BTreeSet::new(),
            details: HashMap::new(),
        }
    }

    pub(super) fn build(mut self) -> Graph {
        self.place_nodes();
        self.connect();
        self.finish()
    }

    /// The box of an item; one for a whole family when that is large.
    fn key(&self, kind: Kind, name: &str) -> Key {
        let family = name.split_once('.').map_or(name, |(family, _)| family);
        match self.families.get(&(kind, family.to_string())) {
            Some(count) if *count > MEMBERS_SHOWN => (kind, format!("{family} ×{count}")),
            _ => (kind, name.to_string()),
        }
    }

    fn item(&self, name: &str) -> Key {
        self.key(if self.owners.is_task(name) { Kind::Task } else { Kind::Layer }, name)
    }

    /// Gives nodes their boxes: fields to data sets, nodes with parameters to their owner, what a
    /// task gives to the task. A node without parameters goes along with what it is made of, if
    /// that has the same owner: else it may be there for several.
    fn place_nodes(&mut self) {
        for (at, node) in self.plan.nodes.iter().enumerate() {
            self.home[at] = match (node.op.as_str(), node.data, node.params.first()) {
                ("field", Some(data), _) => Some(self.key(Kind::Data, &self.plan.datasets[data].name)),
                (_, Some(_), Some(param)) => Some(self.item(self.owner_of(*param))),
                _ => None,
            };
            if let Some(home) = self.home[at].clone().filter(|home| home.0 == Kind::Layer) {
                self.note(&home, &node.op);
            }
        }
        self.place_tasks();
        for at in 0..self.home.len() {
            let key = self.item(self.owners.owner(&self.plan.nodes[at].path));
            if self.home[at].is_none() && self.sources_of(at).iter().any(|from| self.home[*from].as_ref() == Some(&key))
            {
                self.home[at] = Some(key);
            }
        }
    }

    fn owner_of(&self, param: usize) -> &'a str {
        self.owners.owner(&self.plan.params[param].name)
    }

    /// What a task gives is its own, whoever owns the head.
    fn place_tasks(&mut self) {
        let mut taken = BTreeSet::new();
        for task in &self.plan.tasks {
            let key = self.key(Kind::Task, &task.name);
            self.note(&key, &task.kind);
            if !matches!(task.head.as_str(), "" | "softmax" | "sigmoid") {
                self.note(&key, &task.head);
            }
            for node in task.on.iter().flat_map(outputs).filter(|node| taken.insert(*node)) {
                let before = self.home[node].replace(key.clone());
                if let Some(owner) = before.filter(|owner| *owner != key && owner.0 != Kind::Data) {
                    self.edges.insert((owner, key.clone(), "parameters".into(), true));
                }
            }
        }
    }

    fn note(&mut self, key: &Key, text: &str) {
        let details = self.details.entry(key.clone()).or_default();
        if !details.iter().any(|known| known == text) {
            details.push(text.to_string());
        }
    }

    fn connect(&mut self) {
        for (at, node) in self.plan.nodes.iter().enumerate() {
            let Some(home) = self.home[at].clone() else { continue };
            // Gold that takes the place of a prediction is no input of its own.
            let forced = matches!(node.op.as_str(), "forced_label" | "feedback_path");
            let inputs = if forced { &node.inputs[..1] } else { &node.inputs };
            for from in inputs.iter().flat_map(|input| self.sources_of(*input)).collect::<BTreeSet<_>>() {
                self.edge(from, &home);
            }
        }
        for loss in &self.plan.losses {
            let key = self.key(Kind::Loss, &loss.name);
            self.note(&key, &format!("weight {}", loss.weight));
            for from in self.sources_of(loss.node) {
                self.edge(from, &key);
            }
            self.connect_params(loss.node, &key);
        }
    }

    /// A loss of parameters alone, such as `l2(a, b)`, hangs on their layers.
    fn connect_params(&mut self, node: usize, key: &Key) {
        let node = &self.plan.nodes[node];
        if node.data.is_some() {
            return;
        }
        for param in &node.params {
            let owner = self.item(self.owner_of(*param));
            self.edges.insert((owner, key.clone(), "parameters".into(), true));
        }
        node.inputs.iter().for_each(|input| self.connect_params(*input, key));
    }

    /// The nodes with a box whose values a node is made of: itself, or its inputs'.
    fn sources_of(&self, node: usize) -> BTreeSet<usize> {
        let (mut sources, mut seen, mut open) = (BTreeSet::new(), BTreeSet::new(), vec![node]);
        while let Some(at) = open.pop() {
            match (&self.home[at], self.plan.nodes[at].op.as_str()) {
                (Some(_), _) => drop(sources.insert(at)),
                // Beside the prediction it has the gold, which takes its place in training.
                (None, "forced_label" | "feedback_path") => open.extend(self.plan.nodes[at].inputs.first()),
                (None, _) => open.extend(self.plan.nodes[at].inputs.iter().filter(|input| seen.insert(**input))),
            }
        }
        sources
    }

    fn edge(&mut self, from: usize, to: &Key) {
        let Some(source) = self.home[from].clone() else { return };
        let node = &self.plan.nodes[from];
        if source == *to {
            return;
        }
        if source.0 == Kind::Data {
            // Gold is in the task's box already; what is read as a value makes the arrow.
            let gold = |on: &TaskOn| {
                on.gold == Some(from) || on.gold.is_some_and(|g| self.plan.nodes[g].inputs.contains(&from))
            };
            let is_gold =
                self.plan.tasks.iter().any(|task| self.key(Kind::Task, &task.name) == *to && task.on.iter().any(gold));
            if let Some(field) = node.attrs.get("name").or(node.attrs.get("field")) {
                self.note(&source, &field_name(self.plan, node.data, field));
            }
            if is_gold {
                return;
            }
        }
        let label = if source.0 == Kind::Task { self.output(from) } else { "" };
        self.edges.insert((source, to.clone(), label.to_string(), false));
    }

    /// Which output of its task a node is.
    fn output(&self, node: usize) -> &'static str {
        if self.plan.nodes[node].op == "expected_embedding" {
            return "embedding";
        }
        let is = |pick: fn(&TaskOn) -> Option<usize>| {
            self.plan.tasks.iter().flat_map(|task| &task.on).any(|on| pick(on) == Some(node))
        };
        match () {
            () if is(|on| Some(on.label)) => "label",
            () if is(|on| on.probs) => "probs",
            () if is(|on| Some(on.logits)) => "logits",
            () if is(|on| on.loss) => "loss",
            () => match (self.plan.nodes[node].op.as_str(), is_label(&self.plan.nodes[node].ty)) {
                (_, true) | ("forced_label", _) => "label",
                ("softmax" | "sigmoid", _) => "probs",
                _ => "hidden",
            },
        }
    }

    fn finish(self) -> Graph {
        let linked = self.edges.iter().flat_map(|(from, to, ..)| [from, to]).cloned();
        let tasks = self.plan.tasks.iter().map(|task| self.key(Kind::Task, &task.name));
        let keys: BTreeSet<Key> = linked.chain(tasks).collect();
        let at: HashMap<&Key, usize> = keys.iter().enumerate().map(|(i, key)| (key, i)).collect();
        let mut labels: BTreeMap<(usize, usize, bool), Vec<&str>> = BTreeMap::new();
        for (from, to, label, weak) in &self.edges {
            labels.entry((at[from], at[to], *weak)).or_default().push(label);
        }
        let edge = |((from, to, weak), labels): ((usize, usize, bool), Vec<&str>)| {
            let named: Vec<&str> = labels.into_iter().filter(|label| !label.is_empty()).collect();
            Edge { from, to, label: named.join(", "), weak }
        };
        let edges = labels.into_iter().map(edge).collect();
        let vertices = keys.iter().map(|key| self.vertex(key)).collect();
        Graph { vertices, edges }
    }

    fn vertex(&self, key: &Key) -> Vertex {
        let mut details = self.details.get(key).cloned().unwrap_or_default();
        if details.len() > 3 {
            details.truncate(2);
            details.push("…".into());
        }
        if key.0 == Kind::Layer {
            let own = |name: &str| self.key(Kind::Layer, self.owners.owner(name)) == *key;
            let params = self.plan.params.iter().filter(|param| own(&param.name));
            let count: usize = params.map(|param| param.shape.iter().product::<usize>()).sum();
            details.push(prefixed(count as f64, "").trim().to_string());
        }
        Vertex { name: key.1.clone(), detail: details.join(" · "), kind: key.0, readers: 0 }
    }
}

/// Whether a type, as the language writes it, is of labels.
fn is_label(ty: &str) -> bool {
    ty.contains("label |")
}

/// The nodes that are a task's own.
fn outputs(on: &TaskOn) -> impl Iterator<Item = usize> + use<> {
    [Some(on.logits), Some(on.label), on.probs, on.loss].into_iter().flatten()
}

/// The name of a field, which nodes know by its name or its number.
fn field_name(plan: &Plan, data: Option<usize>, field: &crate::plan::Attr) -> String {
    match field {
        crate::plan::Attr::Str(name) => name.clone(),
        crate::plan::Attr::Int(at) => {
            let spec = data.and_then(|data| plan.datasets[data].fields.get(*at as usize));
            spec.map_or(String::new(), |field| field.name.clone())
        }
        _ => String::new(),
    }
}
