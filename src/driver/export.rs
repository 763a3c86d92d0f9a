//! A trained encoder back to the layout that it was published in.

use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};

use super::compile::read_plan;
use super::encoders::{REST, published};
use super::run::Folder;
use crate::data::pretrained::{CONFIG, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS};
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::Plan;
use crate::report::results::write_whole;
use crate::report::run_dir::unwritable;

/// A tensor: name, type, shape and bytes.
pub type Raw<'a> = (&'a str, &'a str, &'a [usize], Vec<u8>);

/// Writes the encoder of a layer of a run to `out`: `config.json`, `tokenizer.json` and
/// `model.safetensors` under the published names, with those tensors that the program did not read
/// as they were published. Gives the name of the layer.
pub fn encoder(run: &Path, layer: Option<&str>, out: &Path) -> Result<String, Diagnostic> {
    let folder = Folder::open(run)?;
    let dir = folder.dir();
    let plan = read_plan(&dir.plan())?;
    let at = chosen(&plan, layer, run)?;
    let encoder = &plan.encoders[at];
    let from = dir.pretrained().join(&encoder.name);
    let damaged =
        |what: String| Diagnostic::placeless(codes::RUN_DIR, what).help("restore it from a copy, or train again");
    let read = |path: &Path| std::fs::read(path).map_err(|e| damaged(format!("cannot read '{}': {e}", path.display())));
    let (model, rest) = (read(&dir.model())?, read(&from.join(REST))?);
    let open = |bytes| {
        SafeTensors::deserialize(bytes).map_err(|e| damaged(format!("the weights of the run are damaged: {e}")))
    };
    let (model, rest) = (open(&model)?, open(&rest)?);
    let own = published(&plan, at);
    let mut tensors: Vec<(&str, TensorView<'_>)> = Vec::new();
    for name in encoder.checkpoint.tensors.keys() {
        let view = match own.get(name) {
            Some(param) => model.tensor(param),
            None => rest.tensor(name),
        };
        tensors.push((name, view.map_err(|_| damaged(format!("the run at '{}' lacks '{name}'", run.display())))?));
    }
    let bytes =
        serialize(tensors, Some(format())).map_err(|e| damaged(format!("the weights cannot be written: {e}")))?;
    std::fs::create_dir_all(out).map_err(|e| unwritable(out, &e))?;
    if std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some()) {
        let message = format!("`{}` is not empty, and an export overwrites nothing", out.display());
        return Err(Diagnostic::placeless(codes::OUTPUT, message).help("name another folder"));
    }
    let write =
        |name: &str, bytes: &[u8]| write_whole(&out.join(name), bytes).map_err(|e| unwritable(&out.join(name), &e));
    write(WEIGHTS, &bytes)?;
    for name in [CONFIG, TOKENIZER] {
        write(name, &read(&from.join(name))?)?;
    }
    for name in [TOKENIZER_CONFIG, "special_tokens_map.json"] {
        if from.join(name).is_file() {
            write(name, &read(&from.join(name))?)?;
        }
    }
    Ok(encoder.name.clone())
}

/// The encoder of a layer, or the only one.
fn chosen(plan: &Plan, layer: Option<&str>, run: &Path) -> Result<usize, Diagnostic> {
    let names: Vec<String> = plan.encoders.iter().map(|e| format!("`{}`", e.name)).collect();
    let shown = run.display();
    let (message, help) = match (layer, plan.encoders.as_slice()) {
        (_, []) => (
            format!("the run at '{shown}' has no pretrained encoder"),
            "only what `pretrained` began with is exported".into(),
        ),
        (None, [_]) => return Ok(0),
        (None, _) => (
            format!("the run at '{shown}' has several pretrained encoders"),
            format!("name one with `--layer`: {}", names.join(", ")),
        ),
        (Some(layer), encoders) => match encoders.iter().position(|e| e.name == layer) {
            Some(at) => return Ok(at),
            None => (
                format!("the run at '{shown}' has no pretrained encoder '{layer}'"),
                format!("it has {}", names.join(", ")),
            ),
        },
    };
    Err(Diagnostic::placeless(codes::INPUT, message).help(help))
}

/// What the reference library asks of a file.
fn format() -> std::collections::HashMap<String, String> {
    [("format".to_owned(), "pt".to_owned())].into()
}

/// Tensors as a safetensors file.
pub fn serialized(tensors: &[Raw<'_>]) -> Result<Vec<u8>, Diagnostic> {
    let failed = |e: String| Diagnostic::placeless(codes::OUTPUT, format!("tensors cannot be written: {e}"));
    let mut views = Vec::with_capacity(tensors.len());
    for (name, dtype, shape, bytes) in tensors {
        let dtype: Dtype = serde_json::from_value((*dtype).into()).map_err(|e| failed(e.to_string()))?;
        views.push((*name, TensorView::new(dtype, shape.to_vec(), bytes).map_err(|e| failed(e.to_string()))?));
    }
    serialize(views, Some(format())).map_err(|e| failed(e.to_string()))
}
