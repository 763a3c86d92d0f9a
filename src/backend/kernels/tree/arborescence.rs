//! The best tree whatever arcs cross: each node takes its best head, and a cycle that this makes
//! becomes one node of a smaller graph (Chu & Liu 1965, Edmonds 1967).

use super::Arcs;

/// Scores of each node's heads, node 0 being the root; a row for a node.
struct Graph {
    n: usize,
    scores: Vec<f64>,
}

impl Graph {
    fn score(&self, node: usize, head: usize) -> f64 {
        self.scores[node * self.n + head]
    }

    /// The best head of each node by itself. The root stays 0.
    fn greedy(&self) -> Vec<usize> {
        let best = |node: usize| {
            let heads = (0..self.n).filter(|head| *head != node);
            heads.reduce(|a, b| if self.score(node, b) > self.score(node, a) { b } else { a })
        };
        (0..self.n).map(|node| if node == 0 { 0 } else { best(node).unwrap_or(0) }).collect()
    }

    fn best(&self) -> Vec<usize> {
        let heads = self.greedy();
        match cycle(&heads) {
            Some(members) => self.contracted(heads, &members),
            None => heads,
        }
    }

    /// The best tree of the graph in which a cycle is one node, taken apart again.
    fn contracted(&self, mut heads: Vec<usize>, members: &[usize]) -> Vec<usize> {
        let outside: Vec<usize> = (0..self.n).filter(|node| !members.contains(node)).collect();
        let (one, m) = (outside.len(), outside.len() + 1);
        let most = |of: &dyn Fn(usize) -> f64| {
            members.iter().copied().reduce(|a, b| if of(b) > of(a) { b } else { a }).unwrap_or(0)
        };
        // Entering the cycle at a member breaks the arc that the member has in it.
        let gain = |member: usize, head: usize| self.score(member, head) - self.score(member, heads[member]);
        let entered: Vec<usize> = outside.iter().map(|head| most(&|member| gain(member, *head))).collect();
        let left: Vec<usize> = outside.iter().map(|node| most(&|member| self.score(*node, member))).collect();
        let mut smaller = Graph { n: m, scores: vec![f64::NEG_INFINITY; m * m] };
        for (i, node) in outside.iter().enumerate() {
            for (j, head) in outside.iter().enumerate() {
                smaller.scores[i * m + j] = self.score(*node, *head);
            }
            smaller.scores[i * m + one] = self.score(*node, left[i]);
            smaller.scores[one * m + i] = gain(entered[i], *node);
        }
        let found = smaller.best();
        for (i, node) in outside.iter().enumerate() {
            heads[*node] = if found[i] == one { left[i] } else { outside[found[i]] };
        }
        heads[entered[found[one]]] = outside[found[one]];
        heads[0] = 0;
        heads
    }
}

/// The nodes of a cycle, if there is one.
fn cycle(heads: &[usize]) -> Option<Vec<usize>> {
    // By which walk up a node was first seen.
    let mut seen = vec![0; heads.len()];
    for start in 1..heads.len() {
        let mut node = start;
        while node != 0 && seen[node] == 0 {
            seen[node] = start;
            node = heads[node];
        }
        if node != 0 && seen[node] == start {
            let rest = std::iter::successors(Some(heads[node]), |at| Some(heads[*at])).take_while(|at| *at != node);
            return Some(std::iter::once(node).chain(rest).collect());
        }
    }
    None
}

/// The heads of the best tree with one token on the root. Each arc from the root is made so costly
/// that a tree with two of them is worse than any with one; all trees with one pay the same.
pub fn best(arcs: &Arcs) -> Vec<u32> {
    let n = arcs.n + 1;
    let numbers = || arcs.scores.iter().map(|x| f64::from(*x));
    let spread = numbers().fold(f64::NEG_INFINITY, f64::max) - numbers().fold(f64::INFINITY, f64::min);
    let cost = 1.0 + n as f64 * spread;
    let mut scores = vec![f64::NEG_INFINITY; n];
    for token in 1..n {
        scores.push(arcs.score(token, 0) - cost);
        scores.extend((1..n).map(|head| arcs.score(token, head)));
    }
    Graph { n, scores }.best()[1..].iter().map(|head| *head as u32).collect()
}
