//! Executes runs as pods: one with the Sail server and one with the runner, and in cluster mode the workers that Sail
//! itself starts.
//!
//! The agent's directory of a run stays the place where a run's state is; what is in Kubernetes hangs below one
//! ConfigMap, so that removing it removes everything. Objects have names that follow from the run and are applied unless they are
//! there, so that an agent that was killed between a call and its answer, or one of another version after it, goes on with them.

mod api;
mod board;
mod logs;
mod objects;
mod pod_state;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, Client, Config, ResourceExt};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use crate::backend::{Backend, BackendError, OUTCOME_FILE, Outcome, Remains, Result, RunnerStatus, SailStatus};
use crate::run_directory::{Assignment, RunDirectory};
use api::{apply, delete, patiently};
use board::Board;
use logs::PodLog;
use objects::{RunObjects, SAIL_PORT};
use pod_state::{PodState, is_over};

/// How long a pod has to end by itself, in seconds.
const TERMINATION_GRACE_SECONDS: u32 = 10;
/// When a pod's object is removed although its machine has not said that it has ended. With the above and what follows
/// within the 30 seconds that a cancelled run may go on.
const FORCE_AFTER: Duration = Duration::from_secs(15);
/// How long is waited for what pods have said before they are ended.
const FIRST_LOOK: Duration = Duration::from_secs(2);
/// How long is waited for last words of pods.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How long an ended runner's log may take to tell its outcome before its termination message is believed.
const OUTCOME_GRACE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(500);
/// How long the Kubernetes API may be silent within an answer. A log that is silent for longer is followed anew.
const SILENCE: Duration = Duration::from_secs(60);
/// For a person.
const WORKER_TITLE: &str = "a worker";

/// Where and how pods are made.
#[derive(Debug, Clone)]
pub struct KubernetesSettings {
    /// The namespace of the runs. It is this agent's alone: what it does not know there, it removes.
    pub namespace: String,
    /// The service account of the pods: the cluster's job role.
    pub service_account: String,
    /// The image of Sail server, workers and runner: Python with this agent's `requirements.txt`.
    pub image: String,
    /// CPU of a Sail server and of a worker, such as `2` or `500m`.
    pub engine_cpu: String,
    /// Memory of a Sail server and of a worker, such as `4Gi`.
    pub engine_memory: String,
    /// CPU of a runner.
    pub runner_cpu: String,
    /// Memory of a runner.
    pub runner_memory: String,
    /// What provides volumes, such as `ebs.csi.aws.com`.
    pub volume_provisioner: String,
    /// How long a pod may take to come up: a machine for it may have to be started.
    pub patience: Duration,
}

/// A Kubernetes cluster that executes runs.
pub struct Kubernetes {
    client: Client,
    settings: KubernetesSettings,
    board: Board,
}

impl std::fmt::Debug for Kubernetes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Kubernetes").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Kubernetes {
    /// The cluster behind `client`.
    #[must_use]
    pub fn new(client: Client, settings: KubernetesSettings) -> Arc<Self> {
        let board = Board::new(Api::namespaced(client.clone(), &settings.namespace));
        Arc::new(Self { client, settings, board })
    }

    /// The cluster that this program runs in, else the one of its kubeconfig.
    ///
    /// # Errors
    /// When there is neither.
    pub async fn connect(settings: KubernetesSettings) -> std::result::Result<Arc<Self>, String> {
        let config = Config::infer().await.map_err(|error| format!("no Kubernetes cluster: {error}"))?;
        let client = Client::try_from(limited(config)).map_err(|error| format!("no Kubernetes cluster: {error}"))?;
        Ok(Self::new(client, settings))
    }

    /// For an attempt with this directory.
    pub(crate) fn backend(self: &Arc<Self>, directory: RunDirectory) -> io::Result<KubernetesBackend> {
        let objects = RunObjects::named(objects::name(directory.root()));
        Ok(KubernetesBackend {
            sail_log: Mutex::new(PodLog::open(&directory, Role::Sail)?),
            runner_log: Mutex::new(PodLog::open(&directory, Role::Runner)?),
            ended_since: Mutex::default(),
            workers_wait_since: Mutex::default(),
            cluster: Arc::clone(self),
            objects,
            directory,
        })
    }

    /// Removes what belongs to no directory of a run: an agent before this one has lost it with its volume.
    pub(crate) async fn sweep(&self, runs: &Path) {
        let owners: Api<ConfigMap> = self.api();
        let ours = ListParams::default().labels(objects::MANAGED);
        let listed = patiently("list config maps", || owners.list(&ours)).await;
        // In this order: a run has its directory before it has anything here, and as long.
        let known = std::fs::read_dir(runs)
            .map(|entries| entries.flatten().map(|entry| objects::name(&entry.path())).collect::<BTreeSet<_>>());
        let (listed, known) = match (listed, known) {
            (Ok(listed), Ok(known)) => (listed, known),
            (Err(error), _) => return tracing::warn!(%error, "cannot look for what earlier runs have left"),
            (_, Err(error)) => return tracing::warn!(%error, "cannot look for what earlier runs have left"),
        };
        for owner in listed.items.iter().map(ResourceExt::name_any).filter(|name| !known.contains(name)) {
            tracing::info!(owner, "removing what an earlier run has left");
            if let Err(error) = delete(&owners, &owner, &DeleteParams::foreground()).await {
                tracing::warn!(%error, owner, "cannot remove what an earlier run has left");
            }
        }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.settings.namespace)
    }
}

/// What a pod of a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Sail,
    Runner,
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sail => "sail",
            Self::Runner => "runner",
        }
    }

    /// For a person.
    fn title(self) -> &'static str {
        match self {
            Self::Sail => "the Sail server",
            Self::Runner => "the runner",
        }
    }
}

/// When a log is brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Underway,
    AtTheEnd,
}

/// A pod that was made. Once this is on disk, none of the kind is made again: code is executed at most once an attempt.
#[derive(Serialize, Deserialize)]
struct PodRecord {
    uid: String,
}

impl PodRecord {
    /// How it is, among the pods that there are.
    fn state(&self, pods: &[Pod], role: Role) -> PodState {
        let found = pods.iter().find(|pod| pod.metadata.uid.as_deref() == Some(&self.uid));
        found.map_or_else(
            || PodState::Failed(format!("{} is gone: its machine was lost or its pod was deleted", role.title())),
            |pod| PodState::of(pod, role.title()),
        )
    }
}

/// The pods of one attempt of a run.
pub(crate) struct KubernetesBackend {
    cluster: Arc<Kubernetes>,
    directory: RunDirectory,
    objects: RunObjects,
    sail_log: Mutex<PodLog>,
    runner_log: Mutex<PodLog>,
    /// Since when the runner is known to have ended without its outcome having come.
    ended_since: Mutex<Option<Instant>>,
    /// Since when all workers there ever were have not come up.
    workers_wait_since: Mutex<Option<Instant>>,
}

impl KubernetesBackend {
    /// A pod as it is now: `None` when it was never made, else why it is gone or its state.
    async fn pod(&self, role: Role) -> Result<Option<PodState>> {
        let Some(record) = self.record(role)? else { return Ok(None) };
        Ok(Some(record.state(&self.cluster.board.look().await?, role)))
    }

    fn record(&self, role: Role) -> io::Result<Option<PodRecord>> {
        self.directory.read(&record_file(role))
    }

    /// Makes what a run has besides its pods, unless it is there.
    async fn make_owner(&self, assignment: &Assignment) -> Result<()> {
        let owner: ConfigMap = self.make(self.objects.name(), &self.objects.owner()).await?;
        self.objects.owned_by(&owner.uid().unwrap_or_default());
        let _: Secret = self.make(self.objects.name(), &self.objects.secret(assignment)?).await?;
        let _: NetworkPolicy = self.make(self.objects.name(), &self.objects.network_policy()).await?;
        let classes: Api<StorageClass> = Api::all(self.cluster.client.clone());
        for (name, class) in objects::storage_classes(&self.cluster.settings, assignment) {
            apply(&classes, &name, &class).await?;
        }
        Ok(())
    }

    /// Makes an object of the run unless it is there. What is there stays as it is: it cannot be changed, and an agent of another
    /// version would have made it otherwise.
    async fn make<K>(&self, name: &str, wanted: &Value) -> Result<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
        K::DynamicType: Default,
    {
        let api: Api<K> = self.cluster.api();
        match patiently("get an object", || api.get_opt(name)).await? {
            Some(found) if self.objects.owns(&found) => Ok(found),
            _ => Ok(apply(&api, name, wanted).await?),
        }
    }

    async fn make_pod(&self, role: Role, assignment: &Assignment, sail: Option<&str>) -> Result<()> {
        self.make_owner(assignment).await?;
        let wanted = self.objects.pod(&self.cluster.settings, role, assignment, sail);
        let made: Pod = self.make(&self.objects.pod_name(role), &wanted).await?;
        Ok(self.directory.write(&record_file(role), &PodRecord { uid: made.uid().unwrap_or_default() })?)
    }

    /// Why the workers of the Sail server will never do anything; `None` while they may, or it has none. Once one has come up, Sail
    /// replaces those that are lost or cannot start.
    async fn workers_lost(&self, pods: &[Pod]) -> Option<String> {
        let workers: Vec<&Pod> = pods.iter().filter(|pod| self.objects.owns_worker(pod)).collect();
        let hopeless =
            |worker: &Pod| worker.status.as_ref().and_then(|status| pod_state::cannot_start(status, WORKER_TITLE));
        let waits_for = |worker: &Pod| match PodState::of(worker, WORKER_TITLE) {
            PodState::Waiting(why) => Some(why),
            _ => None,
        };
        let mut since = self.workers_wait_since.lock().await;
        if workers.is_empty() || workers.iter().any(|worker| hopeless(worker).is_none() && waits_for(worker).is_none())
        {
            *since = None;
            return None;
        }
        if let Some(why) = workers.iter().find_map(|worker| hopeless(worker)) {
            return Some(why);
        }
        let patience = self.cluster.settings.patience;
        if since.get_or_insert_with(Instant::now).elapsed() < patience {
            return None;
        }
        let why = workers.iter().find_map(|worker| waits_for(worker).flatten());
        let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
        Some(format!("no worker came up within {} s{why}", patience.as_secs()))
    }

    fn log(&self, role: Role) -> &Mutex<PodLog> {
        match role {
            Role::Sail => &self.sail_log,
            Role::Runner => &self.runner_log,
        }
    }

    /// Brings a pod's log until it is complete. One that was never made has one to come, unless the run is at its end.
    async fn bring_log(&self, role: Role, moment: Moment) -> io::Result<()> {
        let pods: Api<Pod> = self.cluster.api();
        let name = self.objects.pod_name(role);
        let mut log = self.log(role).lock().await;
        while !log.is_complete() {
            match self.pod(role).await {
                Ok(None) if moment == Moment::AtTheEnd => return Ok(()),
                Ok(Some(PodState::Waiting(_)) | None) => {}
                Ok(Some(state)) => log.bring(&pods, &name, is_over(&state)).await?,
                Err(error) => tracing::debug!(%error, "cannot look after a pod"),
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    async fn bring_both_logs(&self, moment: Moment) -> io::Result<()> {
        futures::try_join!(self.bring_log(Role::Sail, moment), self.bring_log(Role::Runner, moment)).map(drop)
    }

    /// The outcome that an ended runner told, one way or the other; `None` while it may still come.
    async fn told_outcome(&self, message: &str) -> Result<Option<Option<Outcome>>> {
        if let Some(outcome) = self.directory.read(OUTCOME_FILE)? {
            return Ok(Some(Some(outcome)));
        }
        let since = *self.ended_since.lock().await.get_or_insert_with(Instant::now);
        // Who brings the log holds it.
        let is_complete = self.runner_log.try_lock().is_ok_and(|log| log.is_complete());
        if !is_complete && since.elapsed() < OUTCOME_GRACE {
            return Ok(None);
        }
        let outcome: Option<Outcome> = serde_json::from_str(message).ok();
        if let Some(outcome) = &outcome {
            self.directory.write(OUTCOME_FILE, outcome)?;
        }
        Ok(Some(outcome))
    }

    async fn end_pods(&self) -> Result<()> {
        let pods: Api<Pod> = self.cluster.api();
        let begun = Instant::now();
        loop {
            let all = self.cluster.board.look().await?;
            let living: Vec<&Pod> =
                all.iter().filter(|pod| self.objects.owns(*pod) && !pod_state::has_ended(pod)).collect();
            if living.is_empty() {
                return Ok(());
            }
            let forced = begun.elapsed() >= FORCE_AFTER;
            for pod in living {
                if forced || pod.metadata.deletion_timestamp.is_none() {
                    let grace = if forced { 0 } else { TERMINATION_GRACE_SECONDS };
                    // Another pod of that name is another agent's business.
                    let this_one = Preconditions { uid: pod.uid(), resource_version: None };
                    let how = DeleteParams::default().grace_period(grace).preconditions(this_one);
                    delete(&pods, &pod.name_any(), &how).await?;
                }
            }
            sleep(POLL).await;
        }
    }
}

#[async_trait]
impl Backend for KubernetesBackend {
    fn patience(&self) -> Duration {
        self.cluster.settings.patience
    }

    async fn sail(&self) -> Result<SailStatus> {
        Ok(match self.pod(Role::Sail).await? {
            None => SailStatus::Absent,
            Some(PodState::Waiting(why)) => SailStatus::Starting(why),
            Some(PodState::Runs { ready: true, ip: Some(ip) }) => SailStatus::Answers(address(&ip)),
            Some(PodState::Runs { .. }) => SailStatus::Starting(None),
            Some(PodState::Ended { status, .. }) => SailStatus::Gone(sail_ended(status)),
            Some(PodState::Failed(why)) => SailStatus::Gone(why),
        })
    }

    async fn start_sail(&self, assignment: &Assignment) -> Result<()> {
        self.make_pod(Role::Sail, assignment, None).await
    }

    async fn sail_lost(&self) -> Result<Option<String>> {
        let Some(record) = self.record(Role::Sail)? else { return Ok(Some("the Sail server is gone".to_owned())) };
        let pods = self.cluster.board.look().await?;
        Ok(match record.state(&pods, Role::Sail) {
            PodState::Ended { status, .. } => Some(sail_ended(status)),
            PodState::Failed(why) => Some(why),
            PodState::Waiting(_) | PodState::Runs { .. } => self.workers_lost(&pods).await,
        })
    }

    async fn runner(&self) -> Result<RunnerStatus> {
        Ok(match self.pod(Role::Runner).await? {
            None => RunnerStatus::Absent,
            Some(PodState::Waiting(why)) => RunnerStatus::Starting(why),
            Some(PodState::Runs { .. }) => RunnerStatus::Executes,
            Some(PodState::Ended { status, message }) => match self.told_outcome(&message).await? {
                None => RunnerStatus::Executes,
                Some(Some(outcome)) => RunnerStatus::Ended(outcome),
                Some(None) => RunnerStatus::Lost(format!("the runner ended with exit status {status} and no outcome")),
            },
            Some(PodState::Failed(why)) => match self.directory.read(OUTCOME_FILE)? {
                Some(outcome) => RunnerStatus::Ended(outcome),
                None => RunnerStatus::Lost(why),
            },
        })
    }

    async fn start_runner(&self, assignment: &Assignment, sail: &str) -> Result<()> {
        self.make_pod(Role::Runner, assignment, Some(sail)).await
    }

    async fn bring_logs(&self) -> io::Error {
        match self.bring_both_logs(Moment::Underway).await {
            Err(error) => error,
            Ok(()) => std::future::pending().await,
        }
    }

    async fn end(&self) {
        let rest = self.bring_both_logs(Moment::AtTheEnd);
        // First what is there already: ended pods keep their logs only until they are removed.
        tokio::pin!(rest);
        let all_is_here = timeout(FIRST_LOOK, &mut rest).await.is_ok();
        let ended = async {
            if let Err(error) = self.end_pods().await {
                tracing::error!(%error, "cannot end the run's pods");
            }
        };
        if all_is_here {
            return ended.await;
        }
        tokio::pin!(ended);
        tokio::select! {
            () = &mut ended => {
                let _ = timeout(LAST_WORDS, rest).await;
            }
            // Whatever came of the logs.
            _ = &mut rest => ended.await,
        }
    }

    async fn clean_up(&self, remains: Remains) -> Result<()> {
        let secrets: Api<Secret> = self.cluster.api();
        let owners: Api<ConfigMap> = self.cluster.api();
        if remains == Remains::Keep {
            return delete(&secrets, self.objects.name(), &DeleteParams::background()).await;
        }
        delete(&owners, self.objects.name(), &DeleteParams::foreground()).await?;
        // It goes when everything below it is gone.
        while patiently("get a config map", || owners.get_opt(self.objects.name())).await?.is_some() {
            sleep(POLL).await;
        }
        Ok(())
    }
}

/// Waits for no answer for ever: a connection may be gone without a word.
fn limited(mut config: Config) -> Config {
    config.read_timeout = Some(SILENCE);
    // Otherwise the time that a connection was not used counts as well.
    config.reset_reader_on_write = true;
    config
}

fn record_file(role: Role) -> String {
    format!("{}-pod.json", role.name())
}

fn sail_ended(status: i32) -> String {
    format!("the Sail server ended with exit status {status}")
}

fn address(ip: &str) -> String {
    match ip.parse() {
        Ok(IpAddr::V6(ip)) => format!("[{ip}]:{SAIL_PORT}"),
        _ => format!("{ip}:{SAIL_PORT}"),
    }
}

impl From<kube::Error> for BackendError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Refused(format!("Kubernetes refuses: {}", status.message)),
            error => Self::Refused(format!("Kubernetes: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_answer_is_waited_for_for_ever() {
        let config = limited(Config::new(http::Uri::from_static("https://kubernetes.default.svc")));
        assert_eq!((config.read_timeout, config.reset_reader_on_write), (Some(SILENCE), true));
        assert!(config.connect_timeout.is_some() && config.write_timeout.is_some());
    }
}
