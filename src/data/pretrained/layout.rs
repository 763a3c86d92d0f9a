//! The published names of an encoder's parameters, with their shapes.

use super::{Config, Family};

/// A parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its published name, without the prefix of the whole model.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// A linear map, or a norm: one parameter, or two with a bias.
pub type Parts = Vec<Part>;

fn part(name: impl Into<String>, shape: &[usize]) -> Part {
    Part { name: name.into(), shape: shape.to_vec() }
}

/// A map from `inputs` to `outputs` numbers.
fn linear(name: &str, outputs: usize, inputs: usize, bias: bool) -> Parts {
    let mut parts = vec![part(format!("{name}.weight"), &[outputs, inputs])];
    if bias {
        parts.push(part(format!("{name}.bias"), &[outputs]));
    }
    parts
}

fn norm(name: &str, width: usize, bias: bool) -> Parts {
    let mut parts = vec![part(format!("{name}.weight"), &[width])];
    if bias {
        parts.push(part(format!("{name}.bias"), &[width]));
    }
    parts
}

/// The name of the table of pieces.
pub fn pieces_table(family: Family) -> &'static str {
    match family {
        Family::Modernbert => "embeddings.tok_embeddings.weight",
        _ => "embeddings.word_embeddings.weight",
    }
}

/// What the first layer reads: tables, a norm, and a map where the tables are narrower.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embedding {
    /// A row for each piece.
    pub pieces: Part,
    /// A row for each position.
    pub positions: Option<Part>,
    /// A row for each segment.
    pub segments: Option<Part>,
    /// The norm of their sum.
    pub norm: Parts,
    /// To the width of the layers.
    pub map: Parts,
}

impl Embedding {
    /// That of a configuration.
    pub fn of(config: &Config) -> Self {
        let table = |name: &str, rows: usize| {
            (rows > 0).then(|| part(format!("embeddings.{name}.weight"), &[rows, config.table]))
        };
        let is_modern = config.family == Family::Modernbert;
        let name = if is_modern { "embeddings.norm" } else { "embeddings.LayerNorm" };
        let map = match config.table == config.hidden {
            true => Vec::new(),
            false => linear("embeddings_project", config.hidden, config.table, true),
        };
        Self {
            pieces: part(pieces_table(config.family), &[config.pieces, config.table]),
            positions: if is_modern { None } else { table("position_embeddings", config.positions) },
            segments: if is_modern { None } else { table("token_type_embeddings", config.segments) },
            norm: norm(name, config.table, config.norm_bias),
            map,
        }
    }

    /// All, in a fixed order.
    pub fn parts(self) -> Vec<Part> {
        let tables = [Some(self.pieces), self.positions, self.segments].into_iter().flatten();
        tables.chain(self.norm).chain(self.map).collect()
    }
}

/// A layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Queries, keys and values: three maps, or one for all.
    pub qkv: Vec<Parts>,
    /// What follows the attention.
    pub out: Parts,
    /// The norm of the attention; the first layer of ModernBERT has none.
    pub norm_attention: Parts,
    /// Into the net.
    pub net_in: Parts,
    /// Out of it.
    pub net_out: Parts,
    /// The norm of the net.
    pub norm_net: Parts,
}

impl Block {
    /// Layer `i` of a configuration.
    pub fn of(config: &Config, i: usize) -> Self {
        let (d, inner) = (config.hidden, config.inner);
        let (one, two) = (config.attention_bias, config.net_bias);
        match config.family {
            Family::Bert | Family::Roberta | Family::Electra => {
                let at = format!("encoder.layer.{i}");
                let own = |name: &str| linear(&format!("{at}.attention.self.{name}"), d, d, true);
                Self {
                    qkv: ["query", "key", "value"].map(own).into(),
                    out: linear(&format!("{at}.attention.output.dense"), d, d, true),
                    norm_attention: norm(&format!("{at}.attention.output.LayerNorm"), d, true),
                    net_in: linear(&format!("{at}.intermediate.dense"), inner, d, true),
                    net_out: linear(&format!("{at}.output.dense"), d, inner, true),
                    norm_net: norm(&format!("{at}.output.LayerNorm"), d, true),
                }
            }
            Family::Distilbert => {
                let at = format!("transformer.layer.{i}");
                let own = |name: &str| linear(&format!("{at}.attention.{name}_lin"), d, d, true);
                Self {
                    qkv: ["q", "k", "v"].map(own).into(),
                    out: own("out"),
                    norm_attention: norm(&format!("{at}.sa_layer_norm"), d, true),
                    net_in: linear(&format!("{at}.ffn.lin1"), inner, d, true),
                    net_out: linear(&format!("{at}.ffn.lin2"), d, inner, true),
                    norm_net: norm(&format!("{at}.output_layer_norm"), d, true),
                }
            }
            Family::Modernbert => {
                let at = format!("layers.{i}");
                let first = if i == 0 { Vec::new() } else { norm(&format!("{at}.attn_norm"), d, config.norm_bias) };
                Self {
                    qkv: vec![linear(&format!("{at}.attn.Wqkv"), 3 * d, d, one)],
                    out: linear(&format!("{at}.attn.Wo"), d, d, one),
                    norm_attention: first,
                    net_in: linear(&format!("{at}.mlp.Wi"), 2 * inner, d, two),
                    net_out: linear(&format!("{at}.mlp.Wo"), d, inner, two),
                    norm_net: norm(&format!("{at}.mlp_norm"), d, config.norm_bias),
                }
            }
        }
    }

    /// All, in a fixed order.
    pub fn parts(self) -> Vec<Part> {
        let qkv = self.qkv.into_iter().flatten();
        let others = [self.out, self.norm_attention, self.net_in, self.net_out, self.norm_net];
        qkv.chain(others.into_iter().flatten()).collect()
    }
}

/// The norm after the last layer, where there is one.
pub fn last_norm(config: &Config) -> Parts {
    match config.family {
        Family::Modernbert => norm("final_norm", config.hidden, config.norm_bias),
        _ => Vec::new(),
    }
}

/// BERT's pooler: the map of the first state that next sentences were predicted from.
pub fn pooler(config: &Config) -> Parts {
    linear("pooler.dense", config.hidden, config.hidden, true)
}

/// Every parameter that a whole encoder has.
pub fn all(config: &Config) -> Vec<Part> {
    let layers = (0..config.layers).flat_map(|i| Block::of(config, i).parts());
    Embedding::of(config).parts().into_iter().chain(layers).chain(last_norm(config)).collect()
}

/// Whether a name, without the prefix, is one of the encoder's own: of its tables or layers.
pub fn is_layer(family: Family, name: &str) -> bool {
    let layers = match family {
        Family::Bert | Family::Roberta | Family::Electra => "encoder.layer.",
        Family::Distilbert => "transformer.layer.",
        Family::Modernbert => "layers.",
    };
    name.starts_with(layers) || name.starts_with("embeddings.")
}
