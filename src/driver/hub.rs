//! Models on the hub: their cache, as the reference libraries keep it, and what is fetched into it.
//!
//! `HF_HUB_CACHE` names the cache, else it is `hub` in `HF_HOME`, else `~/.cache/huggingface/hub`.
//! `refs/REVISION` of a model holds a commit, and `snapshots/COMMIT` its files.

use std::path::{Path, PathBuf};

use super::encoders::Hub;
use crate::data::pretrained::{CONFIG, Checkpoint, Misfit};

/// Whether a name may be the id of a model: `org/name`.
pub fn is_id(from: &str) -> bool {
    let part = |part: &str| {
        let mut letters = part.chars();
        letters.next().is_some_and(|c| c.is_ascii_alphanumeric())
            && letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    from.split_once('/').is_some_and(|(org, name)| part(org) && part(name))
}

/// A model at a revision.
struct Model<'a> {
    id: &'a str,
    revision: &'a str,
    /// The folder of all models.
    cache: PathBuf,
}

/// The model of an id, from the cache or the hub; `None` where it would have to be fetched later.
pub fn find(id: &str, revision: Option<&str>, hub: Hub) -> Result<Option<Checkpoint>, Misfit> {
    let cache = cache().ok_or_else(|| {
        Misfit::new("there is no folder for a cache of models", "name one with the environment variable `HF_HUB_CACHE`")
    })?;
    let model = Model { id, revision: revision.unwrap_or("main"), cache };
    if let Some((commit, snapshot)) = model.cached() {
        // What is there may be of a fetch that broke off.
        match open(id, &commit, &snapshot) {
            Err(_) if hub == Hub::Online && !is_offline() => {}
            found => return found.map(Some),
        }
    }
    match hub {
        Hub::Later => Ok(None),
        Hub::Online if !is_offline() => {
            let (commit, snapshot) = model.fetch()?;
            open(id, &commit, &snapshot).map(Some)
        }
        _ => Err(Misfit::new(
            format!("there is no folder '{id}', and no model of that name is in the cache of the hub"),
            "name a folder, or leave out `--offline` and `HF_HUB_OFFLINE` once",
        )),
    }
}

fn open(id: &str, commit: &str, snapshot: &Path) -> Result<Checkpoint, Misfit> {
    let found = Checkpoint::open(snapshot, id)?;
    Ok(Checkpoint { revision: Some(commit.into()), ..found })
}

/// Whether the environment forbids the network, as the reference libraries read it.
fn is_offline() -> bool {
    std::env::var("HF_HUB_OFFLINE")
        .is_ok_and(|v| matches!(v.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on"))
}

/// The folder of all models.
fn cache() -> Option<PathBuf> {
    let named = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    named("HF_HUB_CACHE")
        .or_else(|| named("HF_HOME").map(|home| home.join("hub")))
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache/huggingface/hub")))
}

impl Model<'_> {
    fn folder(&self) -> PathBuf {
        self.cache.join(format!("models--{}", self.id.replace('/', "--")))
    }

    /// The commit and files in the cache.
    fn cached(&self) -> Option<(String, PathBuf)> {
        let folder = self.folder();
        let named = std::fs::read_to_string(folder.join("refs").join(self.revision));
        let commit = named.map_or_else(|_| self.revision.to_string(), |text| text.trim().to_string());
        let snapshot = folder.join("snapshots").join(&commit);
        snapshot.join(CONFIG).is_file().then_some((commit, snapshot))
    }

    #[cfg(not(feature = "hub"))]
    fn fetch(&self) -> Result<(String, PathBuf), Misfit> {
        let message = format!("there is no folder '{}', and this build of mtlc cannot fetch from the hub", self.id);
        Err(Misfit::new(message, "name a folder, or build mtlc with the feature `hub`"))
    }

    /// Fetches what an encoder needs, all of one commit.
    #[cfg(feature = "hub")]
    fn fetch(&self) -> Result<(String, PathBuf), Misfit> {
        use crate::data::pretrained::{INDEX, TOKENIZER, TOKENIZER_CONFIG, VOCABULARY, WEIGHTS};
        let config = self.file(self.revision, CONFIG)?.ok_or_else(|| {
            let message =
                format!("there is no folder '{}', and the hub has no such model with a `config.json`", self.id);
            Misfit::new(message, "mend the name or the revision; a model that is not public needs `HF_TOKEN`")
        })?;
        let snapshot = config.parent().unwrap_or(Path::new("")).to_path_buf();
        let commit = snapshot.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let lacks = |what: &str| {
            let help = "take another publication of the model, or convert it with the library that wrote it";
            Misfit::new(format!("'{}' on the hub has no {what}", self.id), help)
        };
        if self.file(&commit, TOKENIZER)?.is_none() {
            self.file(&commit, VOCABULARY)?.ok_or_else(|| lacks("`tokenizer.json`"))?;
        }
        self.file(&commit, TOKENIZER_CONFIG)?;
        if self.file(&commit, WEIGHTS)?.is_none() {
            let index = self.file(&commit, INDEX)?.ok_or_else(|| lacks("weights as safetensors"))?;
            for part in parts(&index) {
                self.file(&commit, &part)?.ok_or_else(|| lacks(&format!("`{part}`, which its index names")))?;
            }
        }
        Ok((commit, snapshot))
    }

    /// A file at a revision, fetched where the cache lacks it; `None` where the hub has none.
    #[cfg(feature = "hub")]
    fn file(&self, revision: &str, name: &str) -> Result<Option<PathBuf>, Misfit> {
        use hf_hub::api::sync::ApiBuilder;
        use hf_hub::{Cache, Repo, RepoType};
        let failed = |e: &dyn std::fmt::Display| {
            let help = "try again; `--offline` takes what the cache has, and `HF_ENDPOINT` names another hub";
            Misfit::new(format!("`{name}` of '{}' cannot be fetched from the hub: {e}", self.id), help)
        };
        let mut builder = ApiBuilder::from_cache(Cache::new(self.cache.clone()));
        if let Some(endpoint) = std::env::var("HF_ENDPOINT").ok().filter(|e| !e.is_empty()) {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_string());
        }
        if let Some(token) = std::env::var("HF_TOKEN").ok().filter(|t| !t.is_empty()) {
            builder = builder.with_token(Some(token));
        }
        let api = builder.build().map_err(|e| failed(&e))?;
        let repo = Repo::with_revision(self.id.into(), RepoType::Model, revision.into());
        match api.repo(repo).get(name) {
            Ok(path) => Ok(Some(path)),
            Err(e) if e.to_string().contains("404") => Ok(None),
            Err(e) => Err(failed(&e)),
        }
    }
}

/// The files that an index names.
#[cfg(feature = "hub")]
fn parts(index: &Path) -> std::collections::BTreeSet<String> {
    let text = std::fs::read_to_string(index).unwrap_or_default();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let map = value.get("weight_map").and_then(serde_json::Value::as_object);
    map.into_iter().flat_map(|map| map.values()).filter_map(|file| file.as_str().map(str::to_owned)).collect()
}
