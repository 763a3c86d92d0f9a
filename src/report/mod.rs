//! What people see of a run: the terminal, logs, figures, TensorBoard, `report.html`, pictures of
//! the graph, and the folder that holds it all.
//!
//! Nothing here needs tensors. What a run tells is in [`watch`]; under the feature `train` a
//! [`watch::Watchers`] listens to the training loop.

#[cfg(feature = "train")]
mod bridge;
pub mod confusion;
pub mod environment;
pub mod html;
pub mod metrics_log;
pub mod numbers;
pub mod picture;
pub mod results;
pub mod run_dir;
pub mod summary;
pub mod tensorboard;
pub mod terminal;
pub mod watch;

pub use confusion::Confusion;
pub use environment::Environment;
pub use metrics_log::MetricsLog;
pub use results::Results;
pub use run_dir::RunDir;
pub use tensorboard::TensorBoard;
pub use terminal::Terminal;
pub use watch::{Figure, Watch, Watchers};
