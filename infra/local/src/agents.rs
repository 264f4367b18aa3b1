//! The built-in agent: one for each self-registered cluster of the region `local`, all sharing one Spark environment.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mainsheet_agent::{Agent, AgentConfig, AgentHandle, Credentials, Environment, Execution};
use mainsheet_core::agent_protocol::AgentBackend;
use mainsheet_core::cluster::{Agent as AgentRecord, LOCAL_REGION};
use mainsheet_core::{AgentId, ClusterId, Error, Result};
use mainsheet_store::Store;
use mainsheet_store::audit::{Actor, Audit, Origin, Scope};
use mainsheet_store::outbox::{Event, OutboxEvent};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::settings::{BuiltInAgent, Settings};

/// An agent's credentials in the data directory.
const CREDENTIALS: &str = "built-in.json";

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
}

/// What is kept of an agent.
#[derive(Serialize, Deserialize)]
struct Kept {
    agent_id: AgentId,
    secret: String,
}

impl BuiltInAgents {
    pub(crate) fn new(store: Store, settings: &Settings, data_dir: &Path, api_url: String) -> Self {
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
        }
    }

    /// Starts the agents that were there before.
    pub(crate) async fn start(&self) -> Result<()> {
        if self.wanted == BuiltInAgent::Off {
            return Ok(());
        }
        fs::create_dir_all(&self.folder).map_err(Error::unavailable)?;
        // Prepared before the first cluster, so that the first run need not wait for it.
        self.environment.prepare();
        for entry in fs::read_dir(&self.folder).map_err(Error::unavailable)?.flatten() {
            let cluster = entry.file_name().to_str().and_then(|name| name.parse::<ClusterId>().ok());
            if let (Some(cluster), Some(kept)) = (cluster, kept(&entry.path())?) {
                self.employ(cluster, kept).await?;
            }
        }
        Ok(())
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
        for agent in self.running.lock().await.values() {
            agent.heartbeat_now().await;
        }
    }

    /// Lets go of all agents; their runs go on and are found again.
    pub(crate) async fn shut_down(&self) {
        for (_, agent) in self.running.lock().await.drain() {
            agent.shutdown().await;
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
        let credentials = Credentials::new(kept.agent_id, SecretString::from(kept.secret));
        let agent = Agent::start(AgentConfig {
            api_url: self.api_url.clone(),
            credentials,
            data_dir: self.folder.join(cluster.as_str()),
            output_base: Some(self.results.clone()),
            capacity: self.capacity,
            execution: Execution::Process(Arc::clone(&self.environment)),
            clock: self.store.clock().clone(),
        });
        self.running.lock().await.insert(cluster, agent.map_err(Error::unavailable)?);
        Ok(())
    }

    async fn dismiss(&self, cluster: &ClusterId) -> Result<()> {
        let Some(mut agent) = self.running.lock().await.remove(cluster) else { return Ok(()) };
        // Its credentials are gone: a heartbeat tells it so. Nobody waits while it stops its runs.
        agent.heartbeat_now().await;
        let folder = self.folder.join(cluster.as_str());
        tokio::spawn(async move {
            agent.ended().await;
            if let Err(error) = remove(&folder) {
                tracing::error!(%error, "what a retired cluster's agent kept cannot be removed");
            }
        });
        Ok(())
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
