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
