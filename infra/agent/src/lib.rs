//! The cluster agent: takes runs from the control plane and executes them next to the data.
//!
//! It only ever calls out. [`Agent::start`] embeds one in another process; the program `mainsheet-agent` is one of its
//! own. See the crate's README for what happens when it is killed.

mod agent;
mod backend;
mod client;
mod credentials;
mod environment;
mod execution;
#[cfg(feature = "kubernetes")]
mod kubernetes;
mod log_journal;
mod process;
mod process_backend;
mod report_journal;
mod run_directory;
mod sail_catalogs;
mod supervisor;
mod utilization;

pub use agent::{Agent, AgentConfig, AgentEnd, AgentHandle, StartError};
pub use credentials::{Credentials, CredentialsError};
pub use environment::Environment;
pub use execution::Execution;
#[cfg(feature = "kubernetes")]
pub use kubernetes::{Kubernetes, KubernetesSettings};
