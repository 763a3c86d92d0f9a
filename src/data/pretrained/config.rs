//! `config.json`: the family of an encoder and its sizes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Misfit;

/// Encoders that are built alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Devlin et al. 2019; MiniLM too.
    Bert,
    /// Liu et al. 2019, and XLM-R (Conneau et al. 2020): positions count from behind the padding's.
    Roberta,
    /// Sanh et al. 2019: no segments.
    Distilbert,
    /// Clark et al. 2020: the table may be narrower than the layers.
    Electra,
    /// Warner et al. 2025: rotary positions, local attention, gated nets, norms before each part.
    Modernbert,
}

/// The model types of `config.json` that are read.
const TYPES: &[(&str, Family)] = &[
    ("bert", Family::Bert),
    ("roberta", Family::Roberta),
    ("xlm-roberta", Family::Roberta),
    ("camembert", Family::Roberta),
    ("distilbert", Family::Distilbert),
    ("electra", Family::Electra),
    ("modernbert", Family::Modernbert),
];

/// The sizes of an encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// As the file says it: `xlm-roberta`.
    pub model_type: String,
    /// How it is built.
    pub family: Family,
    /// Width of its states.
    pub hidden: usize,
    /// Width of its table of pieces.
    pub table: usize,
    /// Number of layers.
    pub layers: usize,
    /// Heads of each layer.
    pub heads: usize,
    /// Inner width of the nets.
    pub inner: usize,
    /// Rows of the table of pieces.
    pub pieces: usize,
    /// Rows of the table of positions; with rotary positions, the longest text it was trained on.
    pub positions: usize,
    /// The row of the first position.
    pub first_position: usize,
    /// Rows of the table of segments.
    pub segments: usize,
    /// What norms add to a variance.
    pub eps: f64,
    /// Activation of the nets: `gelu` or `relu`.
    pub act: String,
    /// Whether norms shift.
    pub norm_bias: bool,
    /// Whether the attention's maps have biases.
    pub attention_bias: bool,
    /// Whether the nets' maps have biases.
    pub net_bias: bool,
    /// Of each layer, how rotary positions turn and how far it looks; empty without rotary positions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<Turn>,
    /// Dropout in training.
    pub dropout: Dropout,
}

/// Rotary positions of a layer (Su et al. 2021).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The base of the wave lengths.
    pub theta: f64,
    /// How many places to each side a place sees; all when `None`.
    pub reach: Option<usize>,
}

/// Where dropout acts, and how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Dropout {
    /// On what the first layer reads.
    pub table: f64,
    /// On the probabilities of the attention.
    pub attention: f64,
    /// On what the attention adds.
    pub attended: f64,
    /// On the inner layer of the net.
    pub inner: f64,
    /// On what the net adds.
    pub net: f64,
}

impl Dropout {
    /// This much wherever there is some.
    pub fn all(self, p: f64) -> Self {
        let of = |old: f64| if old > 0.0 { p } else { 0.0 };
        Self {
            table: of(self.table),
            attention: of(self.attention),
            attended: of(self.attended),
            inner: of(self.inner),
            net: of(self.net),
        }
    }
}

/// The object of `config.json` with the names that messages give.
struct Object<'a> {
    value: &'a Value,
    /// The file, as messages name it.
    shown: &'a str,
}

impl Object<'_> {
    fn wrong(&self, key: &str, what: &str) -> Misfit {
        let said = match self.value.get(key) {
            None => format!("'{}' lacks '{key}'", self.shown),
            Some(v) => format!("'{key}' in '{}' is {v}, not {what}", self.shown),
        };
        Misfit::new(said, "take the file again from where the model was published")
    }

    fn size(&self, key: &str) -> Result<usize, Misfit> {
        let value = self.value.get(key).and_then(Value::as_u64).filter(|v| (1..1 << 31).contains(v));
        value.map(|v| v as usize).ok_or_else(|| self.wrong(key, "a number from 1 up"))
    }

    fn size_or(&self, key: &str, other: usize) -> Result<usize, Misfit> {
        if self.value.get(key).is_none_or(Value::is_null) { Ok(other) } else { self.size(key) }
    }

    fn number_or(&self, key: &str, other: f64) -> Result<f64, Misfit> {
        match self.value.get(key) {
            None | Some(Value::Null) => Ok(other),
            Some(v) => v.as_f64().filter(|v| *v >= 0.0).ok_or_else(|| self.wrong(key, "a number")),
        }
    }

    fn flag(&self, key: &str) -> bool {
        self.value.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    fn word<'s>(&'s self, key: &str, other: &'s str) -> &'s str {
        self.value.get(key).and_then(Value::as_str).unwrap_or(other)
    }
}

impl Config {
    /// Reads `config.json`.
    pub fn parse(text: &str, shown: &str) -> Result<Self, Misfit> {
        let value: Value = serde_json::from_str(text).map_err(|e| {
            Misfit::new(format!("'{shown}' is no JSON: {e}"), "take the file again from where the model was published")
        })?;
        let object = Object { value: &value, shown };
        let model_type = object.word("model_type", "");
        let known = || TYPES.iter().map(|t| format!("`{}`", t.0)).collect::<Vec<_>>().join(", ");
        let Some((_, family)) = TYPES.iter().find(|(name, _)| *name == model_type) else {
            let message = match model_type {
                "" => format!("'{shown}' says no 'model_type'"),
                other => format!("'{shown}' is of a model of type '{other}', which this build does not read"),
            };
            return Err(Misfit::new(message, format!("it reads {}", known())));
        };
        let config = match family {
            Family::Bert | Family::Roberta | Family::Electra => bert(&object, *family),
            Family::Distilbert => distilbert(&object),
            Family::Modernbert => modernbert(&object),
        }?;
        config.sound(&object)
    }

    fn sound(self, object: &Object<'_>) -> Result<Self, Misfit> {
        let shown = object.shown;
        let help = "take the file again from where the model was published";
        if !self.hidden.is_multiple_of(self.heads) {
            let message = format!("'{shown}' says {} heads for a width of {}", self.heads, self.hidden);
            return Err(Misfit::new(message, help));
        }
        if !self.turns.is_empty() && !(self.hidden / self.heads).is_multiple_of(2) {
            let message = format!(
                "'{shown}' says heads of width {}, which rotary positions cannot turn",
                self.hidden / self.heads
            );
            return Err(Misfit::new(message, help));
        }
        if !matches!(self.act.as_str(), "gelu" | "relu") {
            let message = format!("'{shown}' says the activation '{}', which this build does not compute", self.act);
            return Err(Misfit::new(message, "it computes `gelu` and `relu`"));
        }
        let kind = object.word("position_embedding_type", "absolute");
        if kind != "absolute" && self.turns.is_empty() {
            let message = format!("'{shown}' says positions of kind '{kind}', which this build does not compute");
            return Err(Misfit::new(message, "it computes `absolute` ones, and those of ModernBERT"));
        }
        if object.flag("is_decoder") || object.flag("add_cross_attention") {
            let message = format!("'{shown}' is of a decoder, where an encoder is needed");
            return Err(Misfit::new(message, "take a model without `is_decoder`"));
        }
        if self.positions <= self.first_position + 2 {
            return Err(Misfit::new(format!("'{shown}' has room for no text: {} positions", self.positions), help));
        }
        Ok(self)
    }

    /// Pieces of the longest text that it reads at once.
    pub fn longest(&self) -> usize {
        self.positions - self.first_position
    }
}

fn bert(object: &Object<'_>, family: Family) -> Result<Config, Misfit> {
    let hidden = object.size("hidden_size")?;
    let drop = object.number_or("hidden_dropout_prob", 0.1)?;
    let attention = object.number_or("attention_probs_dropout_prob", 0.1)?;
    let table = if family == Family::Electra { object.size_or("embedding_size", hidden)? } else { hidden };
    let padding = object.value.get("pad_token_id").and_then(Value::as_u64).unwrap_or(1) as usize;
    Ok(Config {
        model_type: object.word("model_type", "").into(),
        family,
        hidden,
        table,
        layers: object.size("num_hidden_layers")?,
        heads: object.size("num_attention_heads")?,
        inner: object.size("intermediate_size")?,
        pieces: object.size("vocab_size")?,
        positions: object.size("max_position_embeddings")?,
        first_position: if family == Family::Roberta { padding + 1 } else { 0 },
        segments: object.size_or("type_vocab_size", 2)?,
        eps: object.number_or("layer_norm_eps", 1e-12)?,
        act: object.word("hidden_act", "gelu").into(),
        norm_bias: true,
        attention_bias: true,
        net_bias: true,
        turns: Vec::new(),
        dropout: Dropout { table: drop, attention, attended: drop, inner: 0.0, net: drop },
    })
}

fn distilbert(object: &Object<'_>) -> Result<Config, Misfit> {
    let hidden = object.size("dim")?;
    let drop = object.number_or("dropout", 0.1)?;
    let attention = object.number_or("attention_dropout", 0.1)?;
    Ok(Config {
        model_type: object.word("model_type", "").into(),
        family: Family::Distilbert,
        hidden,
        table: hidden,
        layers: object.size("n_layers")?,
        heads: object.size("n_heads")?,
        inner: object.size("hidden_dim")?,
        pieces: object.size("vocab_size")?,
        positions: object.size("max_position_embeddings")?,
        first_position: 0,
        segments: 0,
        eps: 1e-12,
        act: object.word("activation", "gelu").into(),
        norm_bias: true,
        attention_bias: true,
        net_bias: true,
        turns: Vec::new(),
        dropout: Dropout { table: drop, attention, attended: 0.0, inner: 0.0, net: drop },
    })
}

fn modernbert(object: &Object<'_>) -> Result<Config, Misfit> {
    let (hidden, layers) = (object.size("hidden_size")?, object.size("num_hidden_layers")?);
    let attention = object.number_or("attention_dropout", 0.0)?;
    Ok(Config {
        model_type: object.word("model_type", "").into(),
        family: Family::Modernbert,
        hidden,
        table: hidden,
        layers,
        heads: object.size("num_attention_heads")?,
        inner: object.size("intermediate_size")?,
        pieces: object.size("vocab_size")?,
        positions: object.size_or("max_position_embeddings", 8192)?,
        first_position: 0,
        segments: 0,
        eps: object.number_or("norm_eps", 1e-5)?,
        act: object.word("hidden_activation", "gelu").into(),
        norm_bias: object.flag("norm_bias"),
        attention_bias: object.flag("attention_bias"),
        net_bias: object.flag("mlp_bias"),
        turns: turns(object, layers)?,
        dropout: Dropout {
            table: object.number_or("embedding_dropout", 0.0)?,
            attention,
            attended: attention,
            inner: object.number_or("mlp_dropout", 0.0)?,
            net: 0.0,
        },
    })
}

/// Global and local layers of ModernBERT, as older files say it (`global_attn_every_n_layers`,
/// `global_rope_theta`) and as newer ones do (`layer_types`, `rope_parameters`).
fn turns(object: &Object<'_>, layers: usize) -> Result<Vec<Turn>, Misfit> {
    let every = object.size_or("global_attn_every_n_layers", 3)?;
    let reach = object.size_or("local_attention", 128)? / 2;
    let theta = |kind: &str, key: &str, other: f64| {
        let newer = object.value.get("rope_parameters").and_then(|r| r.get(kind)?.get("rope_theta")?.as_f64());
        newer.map_or_else(|| object.number_or(key, other), Ok)
    };
    let far = theta("full_attention", "global_rope_theta", 160_000.0)?;
    let near = theta("sliding_attention", "local_rope_theta", 10_000.0)?;
    let types = object.value.get("layer_types").and_then(Value::as_array);
    let is_far = |i: usize| match types.and_then(|types| types.get(i)?.as_str()) {
        Some(kind) => kind == "full_attention",
        None => i.is_multiple_of(every),
    };
    let turn = |i| if is_far(i) { Turn { theta: far, reach: None } } else { Turn { theta: near, reach: Some(reach) } };
    Ok((0..layers).map(turn).collect())
}
