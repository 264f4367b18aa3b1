//! The built-in agent: one for each self-registered cluster of the region `local`, and one for each cluster of the simulated cloud
//! that an agent was installed in. All share one Spark environment.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mainsheet_agent::{Agent, AgentConfig, AgentHandle, Credentials, CredentialsError, Environment, Execution};
use mainsheet_core::agent_protocol::AgentBackend;
use mainsheet_core::cluster::{Agent as AgentRecord, LOCAL_REGION};
use mainsheet_core::{AgentId, ClusterId, Error, Result};
use mainsheet_simulator::{AppliedAgent, CloudSimulator};
use mainsheet_store::Store;
use mainsheet_store::audit::{Actor, Audit, Origin, Scope};
use mainsheet_store::outbox::{Event, OutboxEvent};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::settings::{BuiltInAgent, Settings};

/// An agent's credentials in the data directory.
const CREDENTIALS: &str = "built-in.json";
/// How long an agent may take to register before others get their turn; it is tried again with the next delivery.
const PATIENCE: Duration = Duration::from_secs(10);

/// The built-in agents.
pub(crate) struct BuiltInAgents {
    store: Store,
    wanted: BuiltInAgent,
    folder: PathBuf,
    results: String,
    capacity: Option<u32>,
    environment: Arc<Environment>,
    running: Mutex<HashMap<ClusterId, AgentHandle>>,
    api_url: String,
    cloud: CloudSimulator,
    cloud_folder: PathBuf,
    /// Agents in the simulated cloud, by the cluster's ARN.
    in_cloud: Mutex<HashMap<String, AgentHandle>>,
}

/// What is kept of an agent.
#[derive(Serialize, Deserialize)]
struct Kept {
    agent_id: AgentId,
    secret: String,
}

impl BuiltInAgents {
    pub(crate) fn new(
        store: Store,
        settings: &Settings,
        data_dir: &Path,
        (api_url, cloud): (String, CloudSimulator),
    ) -> Self {
        let python = settings.environment_dir.clone().unwrap_or_else(|| data_dir.join("python"));
        Self {
            store,
            wanted: settings.built_in_agent,
            folder: data_dir.join("agents"),
            results: format!("file://{}", data_dir.join("results").display()),
            capacity: settings.capacity,
            environment: Environment::new(python, settings.python.clone()),
            running: Mutex::default(),
            api_url,
            cloud,
            cloud_folder: data_dir.join("cloud-agents"),
            in_cloud: Mutex::default(),
        }
    }

    /// Starts the agents that were there before. To be called before events pass by.
    pub(crate) async fn start(&self) -> Result<()> {
        if self.wanted == BuiltInAgent::Off {
            return Ok(());
        }
        fs::create_dir_all(&self.folder).map_err(Error::unavailable)?;
        // Prepared before the first cluster, so that the first run need not wait for it.
        self.environment.prepare();
        for entry in fs::read_dir(&self.folder).map_err(Error::unavailable)?.flatten() {
            let cluster = entry.file_name().to_str().and_then(|name| name.parse::<ClusterId>().ok());
            // What is none of a cluster is nobody's here.
            let Some(cluster) = cluster else { continue };
            match kept(&entry.path()) {
                Ok(Some(kept)) => self.resume(cluster, kept).await?,
                Ok(None) => {}
                Err(error) => tracing::error!(%cluster, %error, "what its agent kept cannot be read"),
            }
        }
        self.end_in_cloud().await
    }

    /// The platform may have been killed after a cluster of the simulated cloud was gone, while its agent stopped its runs.
    async fn end_in_cloud(&self) -> Result<()> {
        fs::create_dir_all(&self.cloud_folder).map_err(Error::unavailable)?;
        let installed = self.cloud.agents();
        let installed: Vec<_> = installed.iter().map(|agent| self.folder_in_cloud(&agent.cluster_arn)).collect();
        let folders = fs::read_dir(&self.cloud_folder).map_err(Error::unavailable)?.flatten().map(|entry| entry.path());
        let kind = Execution::Process(Arc::clone(&self.environment)).kind();
        for folder in folders.filter(|folder| !installed.contains(folder)) {
            match Credentials::obtain(&folder, &self.api_url, None, kind).await {
                Ok(credentials) => {
                    let agent = Agent::start(self.config(credentials, folder.clone())).map_err(Error::unavailable)?;
                    remove_when_ended(agent, folder);
                }
                Err(CredentialsError::NoToken) => remove(&folder)?,
                Err(error) => tracing::error!(%error, "what an agent in the cloud kept cannot be read"),
            }
        }
        Ok(())
    }

    /// The platform may have been killed before its agent was enrolled, whose event then comes again; or after the cluster was
    /// retired, while the agent stopped its runs.
    async fn resume(&self, cluster: ClusterId, kept: Kept) -> Result<()> {
        let folder = self.folder.join(cluster.as_str());
        if self.store.agent(&kept.agent_id).await?.is_some() {
            self.employ(cluster, kept).await
        } else if Agent::has_worked_in(&folder) {
            remove_when_ended(self.start_agent(kept, folder.clone())?, folder);
            Ok(())
        } else {
            Ok(())
        }
    }

    /// An event passes by.
    pub(crate) async fn hear(&self, event: &OutboxEvent) -> Result<()> {
        match &event.event {
            Event::ClusterRegistered { cluster_id, region } if region == LOCAL_REGION => {
                self.enroll(event, cluster_id).await
            }
            Event::ClusterRetired { cluster_id } => self.dismiss(cluster_id).await,
            _ => Ok(()),
        }
    }

    /// Every agent sends a heartbeat now.
    pub(crate) async fn send_heartbeats(&self) {
        for agent in self.running.lock().await.values().chain(self.in_cloud.lock().await.values()) {
            agent.heartbeat_now().await;
        }
    }

    /// Lets go of all agents; their runs go on and are found again.
    pub(crate) async fn shut_down(&self) {
        let (mut running, mut in_cloud) = (self.running.lock().await, self.in_cloud.lock().await);
        let agents = running.drain().map(|(_, agent)| agent).chain(in_cloud.drain().map(|(_, agent)| agent));
        for agent in agents {
            agent.shutdown().await;
        }
    }

    /// Agents that were installed in clusters of the simulated cloud come to be, as processes of this machine; those of clusters
    /// without nodes go.
    pub(crate) async fn follow_cloud(&self) {
        if self.wanted == BuiltInAgent::Off {
            return;
        }
        let installed = self.cloud.agents();
        let mut in_cloud = self.in_cloud.lock().await;
        let gone = |arn: &String| !installed.iter().any(|agent| agent.cluster_arn == *arn);
        let leaving: Vec<String> = in_cloud.keys().filter(|arn| gone(arn)).cloned().collect();
        for arn in leaving {
            if let Some(agent) = in_cloud.remove(&arn) {
                leave(agent, self.folder_in_cloud(&arn));
            }
        }
        for agent in &installed {
            if in_cloud.contains_key(&agent.cluster_arn) {
                continue;
            }
            match self.start_in_cloud(agent).await {
                Ok(Some(started)) => drop(in_cloud.insert(agent.cluster_arn.clone(), started)),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(cluster = %agent.cluster_arn, %error, "an agent cannot start; trying again");
                }
            }
        }
    }

    /// It registers like every agent, with the token that it finds in its cluster, but at the address of today: the port may have
    /// been another one when it was installed. `None` when it is not taken: the cluster was retired, or its token is too old.
    async fn start_in_cloud(&self, installed: &AppliedAgent) -> Result<Option<AgentHandle>> {
        let data_dir = self.folder_in_cloud(&installed.cluster_arn);
        let token = installed.registration_token.expose_secret();
        let execution = Execution::Process(Arc::clone(&self.environment));
        let obtaining = Credentials::obtain(&data_dir, &self.api_url, Some(token), execution.kind());
        let credentials = match timeout(PATIENCE, obtaining).await.map_err(Error::unavailable)? {
            Ok(credentials) => credentials,
            Err(CredentialsError::Refused(reason)) => {
                tracing::debug!(cluster = %installed.cluster_arn, %reason, "an agent was not taken");
                return Ok(None);
            }
            Err(error) => return Err(Error::unavailable(error)),
        };
        Agent::start(self.config(credentials, data_dir)).map(Some).map_err(Error::unavailable)
    }

    /// Named by the cluster, which is the last part of its ARN.
    fn folder_in_cloud(&self, cluster_arn: &str) -> PathBuf {
        self.cloud_folder.join(cluster_arn.rsplit('/').next().unwrap_or_default())
    }

    fn config(&self, credentials: Credentials, data_dir: PathBuf) -> AgentConfig {
        AgentConfig {
            api_url: self.api_url.clone(),
            credentials,
            data_dir,
            output_base: Some(self.results.clone()),
            capacity: self.capacity,
            execution: Execution::Process(Arc::clone(&self.environment)),
            clock: self.store.clock().clone(),
        }
    }

    async fn enroll(&self, event: &OutboxEvent, cluster: &ClusterId) -> Result<()> {
        if self.wanted == BuiltInAgent::Off || self.running.lock().await.contains_key(cluster) {
            return Ok(());
        }
        let folder = self.folder.join(cluster.as_str());
        let kept = match kept(&folder)? {
            Some(kept) => kept,
            None => keep(&folder, self.store.now())?,
        };
        let tenant = event.tenant()?;
        let audit = Audit {
            scope: Scope::Tenant(tenant.clone()),
            actor: Actor::Platform,
            origin: Origin::default(),
            action: "agent.enroll",
            target: cluster.to_string(),
        };
        let record = AgentRecord {
            id: kept.agent_id.clone(),
            organization_id: tenant.organization_id().clone(),
            cluster_id: cluster.clone(),
            secret_sha256: mainsheet_auth::agent::sha256(&kept.secret),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            backend: AgentBackend::Process,
            registered_at: self.store.now(),
        };
        // Heard twice, the agent is known already.
        if self.store.agent(&record.id).await?.is_none() {
            match self.store.change(audit).enroll_agent(&tenant, &record).commit().await {
                Ok(()) => {}
                Err(Error::NotFound) => return remove(&folder),
                Err(error) => return Err(error),
            }
        }
        self.employ(cluster.clone(), kept).await
    }

    async fn employ(&self, cluster: ClusterId, kept: Kept) -> Result<()> {
        let agent = self.start_agent(kept, self.folder.join(cluster.as_str()))?;
        self.running.lock().await.insert(cluster, agent);
        Ok(())
    }

    fn start_agent(&self, kept: Kept, folder: PathBuf) -> Result<AgentHandle> {
        let credentials = Credentials::new(kept.agent_id, SecretString::from(kept.secret));
        Agent::start(self.config(credentials, folder)).map_err(Error::unavailable)
    }

    async fn dismiss(&self, cluster: &ClusterId) -> Result<()> {
        let folder = self.folder.join(cluster.as_str());
        match self.running.lock().await.remove(cluster) {
            Some(agent) => leave(agent, folder),
            // It was enrolled, and the platform was killed before it began.
            None if !Agent::has_worked_in(&folder) => remove(&folder)?,
            None => {}
        }
        Ok(())
    }
}

/// An agent whose credentials are gone: a heartbeat tells it so. Nobody waits while it stops its runs.
fn leave(agent: AgentHandle, folder: PathBuf) {
    tokio::spawn(async move {
        agent.heartbeat_now().await;
        remove_at_its_end(agent, folder).await;
    });
}

fn remove_when_ended(agent: AgentHandle, folder: PathBuf) {
    tokio::spawn(remove_at_its_end(agent, folder));
}

async fn remove_at_its_end(mut agent: AgentHandle, folder: PathBuf) {
    agent.ended().await;
    if let Err(error) = remove(&folder) {
        tracing::error!(%error, "what a retired cluster's agent kept cannot be removed");
    }
}

fn kept(folder: &Path) -> Result<Option<Kept>> {
    match fs::read(folder.join(CREDENTIALS)) {
        Ok(json) => serde_json::from_slice(&json).map(Some).map_err(Error::internal),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::unavailable(error)),
    }
}

/// New credentials, kept before anybody hears of them.
fn keep(folder: &Path, now: mainsheet_core::Timestamp) -> Result<Kept> {
    fs::create_dir_all(folder).map_err(Error::unavailable)?;
    let kept = Kept { agent_id: AgentId::generate(now), secret: crate::keys::random_secret()? };
    let json = serde_json::to_vec(&kept).map_err(Error::internal)?;
    crate::keys::write_private(&folder.join(CREDENTIALS), &json)?;
    Ok(kept)
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::unavailable(error)),
        _ => Ok(()),
    }
}
