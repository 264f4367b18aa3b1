//! The ways in which an agent can execute runs.

use std::io;
use std::path::Path;
use std::sync::Arc;

use mainsheet_core::agent_protocol::AgentBackend;
use reqwest::Url;

use crate::agent::StartError;
use crate::backend::Backend;
use crate::environment::Environment;
#[cfg(feature = "kubernetes")]
use crate::kubernetes::Kubernetes;
use crate::process_backend::ProcessBackend;
use crate::run_directory::RunDirectory;

/// How many runs there are at once as pods unless told otherwise.
#[cfg(feature = "kubernetes")]
const USUAL_PODS: usize = 20;

/// How an agent executes runs.
#[derive(Debug, Clone)]
pub enum Execution {
    /// As processes on this machine, in this Python environment, which agents can share.
    Process(Arc<Environment>),
    /// As pods in this cluster.
    #[cfg(feature = "kubernetes")]
    Kubernetes(Arc<Kubernetes>),
}

impl Execution {
    /// What it is called on the wire.
    #[must_use]
    pub fn kind(&self) -> AgentBackend {
        match self {
            Self::Process(_) => AgentBackend::Process,
            #[cfg(feature = "kubernetes")]
            Self::Kubernetes(_) => AgentBackend::Kubernetes,
        }
    }

    /// Begins in the background whatever has to be done before runs.
    #[cfg_attr(not(feature = "kubernetes"), allow(unused_variables, reason = "processes leave nothing elsewhere"))]
    pub(crate) fn prepare(&self, runs: &Path) {
        match self {
            Self::Process(environment) => environment.prepare(),
            #[cfg(feature = "kubernetes")]
            Self::Kubernetes(cluster) => {
                let (cluster, runs) = (Arc::clone(cluster), runs.to_owned());
                tokio::spawn(async move { cluster.sweep(&runs).await });
            }
        }
    }

    /// What is being done while no run can be executed, for a person.
    pub(crate) fn message(&self) -> Option<String> {
        match self {
            Self::Process(environment) => environment.message(),
            #[cfg(feature = "kubernetes")]
            Self::Kubernetes(_) => None,
        }
    }

    /// Waits until runs can be executed.
    pub(crate) async fn ready(&self) {
        match self {
            Self::Process(environment) => drop(environment.ready().await),
            #[cfg(feature = "kubernetes")]
            Self::Kubernetes(_) => {}
        }
    }

    pub(crate) fn is_on_this_machine(&self) -> bool {
        self.kind() == AgentBackend::Process
    }

    pub(crate) fn usual_capacity(&self) -> usize {
        match self {
            Self::Process(_) => std::thread::available_parallelism().map_or(1, usize::from),
            #[cfg(feature = "kubernetes")]
            Self::Kubernetes(_) => USUAL_PODS,
        }
    }

    /// For an attempt with this directory.
    ///
    /// # Errors
    /// When the directory cannot be used.
    pub(crate) fn backend(&self, directory: &RunDirectory) -> io::Result<Arc<dyn Backend>> {
        Ok(match self {
            Self::Process(environment) => Arc::new(ProcessBackend::new(directory.clone(), Arc::clone(environment))),
            #[cfg(feature = "kubernetes")]
            Self::Kubernetes(cluster) => Arc::new(cluster.backend(directory.clone())?),
        })
    }

    /// Below which URI results go.
    pub(crate) fn output_base(&self, asked: Option<&str>, data_dir: &Path) -> Result<Url, StartError> {
        let refuse = |why: &str| StartError::Setting(format!("the output base {}: {why}", asked.unwrap_or_default()));
        let Some(text) = asked else {
            return match self.kind() {
                AgentBackend::Process => {
                    Url::from_directory_path(data_dir.join("output")).map_err(|()| refuse("no absolute path"))
                }
                AgentBackend::Kubernetes => Err(refuse("pods need one: s3://BUCKET/PREFIX")),
            };
        };
        let url: Url = format!("{}/", text.trim_end_matches('/')).parse().map_err(|_| refuse("not a URI"))?;
        match self.kind() {
            AgentBackend::Process if url.scheme() != "file" || url.to_file_path().is_err() => {
                Err(refuse("processes write to file:///... only"))
            }
            AgentBackend::Kubernetes if url.scheme() != "s3" || url.host_str().is_none() => {
                Err(refuse("pods write to s3://BUCKET/PREFIX only"))
            }
            _ => Ok(url),
        }
    }
}
