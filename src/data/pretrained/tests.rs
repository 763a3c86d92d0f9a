//! Checkpoints that fit, and those that do not.

use super::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pretrained").join(name)
}

#[test]
fn every_family_has_the_layout_that_its_configuration_says() {
    for name in ["bert", "roberta", "xlm-roberta", "distilbert", "electra", "modernbert"] {
        let found = Checkpoint::open(&fixture(name), name).unwrap();
        assert_eq!((found.config.hidden, found.config.layers, found.config.heads), (8, 2, 2), "{name}");
        assert_eq!(found.config.table, if name == "electra" { 6 } else { 8 });
        assert_eq!(found.config.model_type, name);
    }
}

/// A copy of a fixture that a test spoils.
fn copied(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in [CONFIG, WEIGHTS, TOKENIZER] {
        std::fs::copy(fixture(name).join(file), folder.path().join(file)).unwrap();
    }
    folder
}

fn said(folder: &Path) -> String {
    Checkpoint::open(folder, "models/bert").map(|_| String::new()).unwrap_or_else(|misfit| misfit.message)
}

/// Puts something else into the configuration.
fn configured(folder: &Path, key: &str, value: serde_json::Value) {
    let text = std::fs::read_to_string(folder.join(CONFIG)).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
    config[key] = value;
    std::fs::write(folder.join(CONFIG), config.to_string()).unwrap();
}

#[test]
fn a_configuration_that_does_not_fit_is_named() {
    let wrong = [
        (
            "hidden_size",
            serde_json::json!(16),
            "'embeddings.word_embeddings.weight' in 'models/bert' has shape [26, 8], and `config.json` says [26, 16]",
        ),
        (
            "hidden_size",
            serde_json::json!("wide"),
            "'hidden_size' in 'models/bert/config.json' is \"wide\", not a number from 1 up",
        ),
        (
            "hidden_size",
            serde_json::Value::Null,
            "'hidden_size' in 'models/bert/config.json' is null, not a number from 1 up",
        ),
        ("num_attention_heads", serde_json::json!(3), "'models/bert/config.json' says 3 heads for a width of 8"),
        (
            "num_hidden_layers",
            serde_json::json!(3),
            "the weights in 'models/bert' lack 'encoder.layer.2.attention.self.query.weight'",
        ),
        (
            "num_hidden_layers",
            serde_json::json!(1),
            "the weights in 'models/bert' have 'encoder.layer.1.attention.output.LayerNorm.bias', which `config.json` knows nothing of",
        ),
        (
            "model_type",
            serde_json::json!("llama"),
            "'models/bert/config.json' is of a model of type 'llama', which this build does not read",
        ),
        ("model_type", serde_json::Value::Null, "'models/bert/config.json' says no 'model_type'"),
        (
            "model_type",
            serde_json::json!("modernbert"),
            "the weights in 'models/bert' lack 'embeddings.tok_embeddings.weight'",
        ),
        (
            "hidden_act",
            serde_json::json!("mish"),
            "'models/bert/config.json' says the activation 'mish', which this build does not compute",
        ),
        (
            "position_embedding_type",
            serde_json::json!("relative_key"),
            "'models/bert/config.json' says positions of kind 'relative_key', which this build does not compute",
        ),
        (
            "is_decoder",
            serde_json::json!(true),
            "'models/bert/config.json' is of a decoder, where an encoder is needed",
        ),
        (
            "max_position_embeddings",
            serde_json::json!(2),
            "'models/bert/config.json' has room for no text: 2 positions",
        ),
    ];
    for (key, value, message) in wrong {
        let folder = copied("bert");
        configured(folder.path(), key, value);
        assert_eq!(said(folder.path()), message);
    }
    let folder = copied("bert");
    std::fs::write(folder.path().join(CONFIG), "{").unwrap();
    assert!(said(folder.path()).starts_with("'models/bert/config.json' is no JSON: "));
}

#[test]
fn weights_that_are_damaged_are_named() {
    let whole = std::fs::read(fixture("bert").join(WEIGHTS)).unwrap();
    let with = |bytes: &[u8]| {
        let folder = copied("bert");
        std::fs::write(folder.path().join(WEIGHTS), bytes).unwrap();
        said(folder.path())
    };
    assert_eq!(with(&[]), "'models/bert/model.safetensors' is damaged: it has no header");
    assert_eq!(with(&whole[..100]), "'models/bert/model.safetensors' is damaged: its header is cut off");
    assert_eq!(with(&[0xFF; 64]), "'models/bert/model.safetensors' is damaged: its header is cut off");
    let cut = with(&whole[..whole.len() - 8]);
    assert!(cut.starts_with("'models/bert/model.safetensors' is damaged: it ends before '"), "{cut}");
    let spoiled: Vec<u8> = whole.iter().enumerate().map(|(i, b)| if i == 8 { b'x' } else { *b }).collect();
    assert_eq!(with(&spoiled), "'models/bert/model.safetensors' is damaged: its header is no JSON");
    for (file, message) in [
        (CONFIG, "'models/bert' has no `config.json`"),
        (WEIGHTS, "'models/bert' has no `model.safetensors`"),
        (TOKENIZER, "'models/bert' has no tokenizer"),
    ] {
        let folder = copied("bert");
        std::fs::remove_file(folder.path().join(file)).unwrap();
        assert_eq!(said(folder.path()), message);
    }
    let folder = copied("bert");
    std::fs::rename(folder.path().join(WEIGHTS), folder.path().join("pytorch_model.bin")).unwrap();
    assert_eq!(said(folder.path()), "'models/bert' has its weights as `pytorch_model.bin`, which is not read");
    assert_eq!(said(Path::new("nowhere")), "there is no folder 'models/bert'");
}

#[test]
fn weights_in_several_files_are_those_of_one() {
    let whole = Checkpoint::open(&fixture("bert"), "x").unwrap();
    let folder = copied("bert");
    std::fs::rename(folder.path().join(WEIGHTS), folder.path().join("a.safetensors")).unwrap();
    let map: serde_json::Map<String, serde_json::Value> =
        whole.tensors.keys().map(|name| (name.clone(), "a.safetensors".into())).collect();
    let index = |map: &serde_json::Map<_, _>| serde_json::json!({ "weight_map": map }).to_string();
    std::fs::write(folder.path().join(INDEX), index(&map)).unwrap();
    let parts = Checkpoint::open(folder.path(), "x").unwrap();
    let name = "encoder.layer.0.output.dense.weight";
    assert_eq!(weights::read(&whole, name).unwrap(), weights::read(&parts, name).unwrap());
    let outside = serde_json::Map::from_iter([("w".to_owned(), "../b.safetensors".into())]);
    std::fs::write(folder.path().join(INDEX), index(&outside)).unwrap();
    assert_eq!(said(folder.path()), "'models/bert/model.safetensors.index.json' is damaged");
}

#[test]
fn weights_under_a_prefix_are_found() {
    let folder = copied("bert");
    let bytes = std::fs::read(folder.path().join(WEIGHTS)).unwrap();
    let length = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    let header = String::from_utf8(bytes[8..8 + length].to_vec()).unwrap();
    let header = header.replace("\"embeddings.", "\"bert.embeddings.").replace("\"encoder.", "\"bert.encoder.");
    let mut renamed = (header.len() as u64).to_le_bytes().to_vec();
    renamed.extend_from_slice(header.as_bytes());
    renamed.extend_from_slice(&bytes[8 + length..]);
    std::fs::write(folder.path().join(WEIGHTS), renamed).unwrap();
    let (found, plain) =
        (Checkpoint::open(folder.path(), "x").unwrap(), Checkpoint::open(&fixture("bert"), "x").unwrap());
    assert_eq!(found.prefix, "bert.");
    let name = "embeddings.word_embeddings.weight";
    assert_eq!(weights::read(&found, name).unwrap(), weights::read(&plain, name).unwrap());
}

#[cfg(feature = "train")]
mod of_words {
    use super::*;
    use crate::data::pretrained::pieces::{Split, WordPieces};

    fn open(folder: &Path, config: &Config) -> Result<WordPieces, Misfit> {
        WordPieces::open(&Place { folder, shown: "models/bert" }, config)
    }

    fn pieces(name: &str) -> WordPieces {
        open(&fixture(name), &Checkpoint::open(&fixture(name), name).unwrap().config).unwrap()
    }

    fn split(pieces: &WordPieces, words: &[Option<&str>]) -> Split {
        pieces.split([words.to_vec()], false).unwrap()
    }

    #[test]
    fn words_have_the_pieces_that_stand_in_them() {
        let words = [Some("Flights"), None, Some("\u{200b}"), Some("boston")];
        let found = split(&pieces("bert"), &words);
        // [CLS] flight ##s [MASK] [UNK] bos ##ton [SEP]; padding and cutting are switched off.
        assert_eq!(found.pieces, [2, 6, 7, 4, 1, 9, 10, 3]);
        assert_eq!((&*found.first, &*found.counts), (&[1, 3, 4, 5][..], &[2, 1, 1, 2][..]));
        assert_eq!((&*found.windows, &*found.texts), (&[8][..], &[0][..]));
        let none = split(&pieces("bert"), &[]);
        assert_eq!((&*none.pieces, &*none.windows, &*none.texts), (&[2, 3][..], &[2][..], &[0][..]));
        let whole = pieces("bert").split([vec![Some("##s"), Some("##zz")]], true).unwrap();
        assert_eq!(whole.pieces, [2, 7, 1, 3]);
    }

    #[test]
    fn a_long_text_is_read_in_windows() {
        let words = vec![Some("flights"); 23];
        let found = split(&pieces("bert"), &words);
        // 24 positions: eleven words of two pieces between the special ones.
        assert_eq!(found.windows, [24, 24, 4]);
        assert_eq!(found.first.len(), 23);
        assert_eq!(&found.first[10..12], [21, 25]);
        assert!(found.first.iter().all(|at| found.pieces[*at as usize] == 6));
        let long = "s".repeat(90);
        let one = split(&pieces("roberta"), &[Some("sh"), Some(&long), Some("sh")]);
        assert_eq!(one.windows, [3, 58, 3 + 1], "a word that is too long is cut; {one:?}");
    }

    #[test]
    fn a_tokenizer_that_does_not_fit_is_named() {
        let config = Checkpoint::open(&fixture("bert"), "x").unwrap().config;
        let said = |folder: &Path, config: &Config| open(folder, config).map(|_| ()).unwrap_err().message;
        let small = Config { pieces: 20, ..config.clone() };
        assert_eq!(
            said(&fixture("bert"), &small),
            "the tokenizer in 'models/bert' has piece 25, '##se', and the table of the model 20 rows"
        );
        let folder = copied("bert");
        std::fs::write(folder.path().join(TOKENIZER), "{\"model\": 3}").unwrap();
        assert!(said(folder.path(), &config).starts_with("'models/bert/tokenizer.json' is no tokenizer: "));
        std::fs::remove_file(folder.path().join(TOKENIZER)).unwrap();
        std::fs::write(folder.path().join(VOCABULARY), "[PAD]\n[UNK]\nshow\n").unwrap();
        assert_eq!(
            said(folder.path(), &config),
            "'models/bert/vocab.txt' is no vocabulary of WordPiece: it lacks '[CLS]'"
        );
    }

    #[test]
    fn a_vocabulary_alone_makes_the_tokenizer() {
        let folder = copied("bert");
        let text = std::fs::read_to_string(folder.path().join(TOKENIZER)).unwrap();
        let tokenizer: serde_json::Value = serde_json::from_str(&text).unwrap();
        let mut words: Vec<(u64, String)> = tokenizer["model"]["vocab"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(word, id)| (id.as_u64().unwrap(), word.clone()))
            .collect();
        words.sort();
        let lines: String = words.iter().map(|(_, word)| format!("{word}\n")).collect();
        std::fs::write(folder.path().join(VOCABULARY), lines).unwrap();
        std::fs::remove_file(folder.path().join(TOKENIZER)).unwrap();
        let found = Checkpoint::open(folder.path(), "x").unwrap();
        let own = open(folder.path(), &found.config).unwrap();
        let words = [Some("Flying"), Some("fares,"), None, Some("unknown!")];
        assert_eq!(split(&own, &words), split(&pieces("bert"), &words));
        assert!(own.json().unwrap().contains("WordPiece"));
    }
}
