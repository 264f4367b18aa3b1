//! `GET /infra/connections/{connection}/clusters/{cluster}/health`: how a cluster is doing.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, Path, Permitted, Result};
use mainsheet_auth::Caller;
use mainsheet_auth::needs::CanViewClusters;
use mainsheet_cloud::account::{
    CloudAccount, CloudError, CloudResult, ClusterStatus as ControlPlaneStatus, EksCluster, NodeGroup, NodeGroupStatus,
};
use mainsheet_core::cluster::ClusterStatus;
use mainsheet_core::connection::Connection;
use mainsheet_core::provisioned_cluster::{HealthStatus, ProvisionedCluster};
use mainsheet_core::provisioning::ProvisioningStatus;
use mainsheet_core::region::Region;
use mainsheet_core::{ClusterId, ConnectionId, Error, Timestamp};
use mainsheet_store::clusters::pulse;
use serde::Serialize;
use utoipa::ToSchema;

use super::ClusterPath;
use crate::cloud::{Cloud, describe, in_time};

/// Where the agent is (`infra/agent/kubernetes`).
const AGENT: (&str, &str) = ("mainsheet-agent", "mainsheet");

/// How a cluster is doing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterHealth {
    status: HealthStatus,
    /// Why nobody could look, or what is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_metadata: Option<ClusterHealthProviderMetadata>,
    node_groups: Vec<NodeGroupHealth>,
    system_pods: Vec<SystemPodHealth>,
    /// Nodes that there should be.
    total_nodes: u32,
    /// Nodes that work.
    ready_nodes: u32,
    last_checked_at: Timestamp,
}

/// What the provider says of the control plane.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClusterHealthProviderMetadata {
    #[schema(examples("ACTIVE"))]
    status: String,
}

/// How a node group is doing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeGroupHealth {
    name: String,
    #[schema(examples("ACTIVE"))]
    status: String,
    desired_size: u32,
    ready_nodes: u32,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// How a pod of the cluster's own is doing, as far as it says so itself.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SystemPodHealth {
    name: &'static str,
    namespace: &'static str,
    ready: bool,
    phase: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// Show a cluster's health
///
/// Asks the account for the control plane and the node groups; the agent tells of itself. Of a cluster that was provisioned.
#[utoipa::path(
    get, path = "/infra/connections/{connection}/clusters/{cluster}/health", operation_id = "getClusterHealth", tag = "clusters",
    params(("connection" = ConnectionId, Path, description = "The connection."), ("cluster" = ClusterId, Path, description = "The cluster.")),
    responses((status = 200, description = "How it is.", body = ClusterHealth)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewClusters")))
)]
pub(crate) async fn health(
    State(app): State<App>,
    State(cloud): State<Cloud>,
    caller: Permitted<CanViewClusters>,
    Path(path): Path<ClusterPath>,
) -> Result<Json<ClusterHealth>> {
    let (row, logical) = app.store.cluster_faces(caller.tenant(), &path.cluster).await?;
    if row.value.connection_id != path.connection {
        return Err(Error::NotFound.into());
    }
    let name = name(&row.value)?;
    let connection = app.store.connection(caller.tenant(), &path.connection).await?.value;
    let pulse = logical.as_ref().map(pulse).unwrap_or_default();
    let agent = SystemPodHealth {
        name: AGENT.0,
        namespace: AGENT.1,
        ready: pulse.status(app.now()) == ClusterStatus::Active,
        phase: if pulse.status(app.now()) == ClusterStatus::Active { "Running" } else { "Unknown" },
        message: pulse.message,
    };
    let seen = in_time(look(&cloud, &caller, &connection, (&row.value.region, &name))).await?;
    Ok(Json(reckon(seen, agent, app.now())))
}

/// What the provider calls a cluster that is there.
fn name(cluster: &ProvisionedCluster) -> mainsheet_core::Result<String> {
    let is_there = matches!(cluster.provisioning.status, ProvisioningStatus::Active | ProvisioningStatus::Updating);
    let known =
        cluster.provider.as_ref().filter(|_| is_there || cluster.provisioning.status == ProvisioningStatus::Failed);
    known.map(|provider| provider.name.clone()).ok_or_else(|| {
        let message = "There is nothing to look at: the cluster was not provisioned, or was destroyed.";
        Error::conflict("not_active", message)
    })
}

/// The cluster of a name as the account has it; the inner error is the account's.
async fn look(
    cloud: &Cloud,
    caller: &Caller,
    connection: &Connection,
    (region, name): (&Region, &str),
) -> mainsheet_core::Result<CloudResult<(EksCluster, Vec<NodeGroup>)>> {
    let role = connection.role_arn.as_ref();
    let role = role.ok_or_else(|| Error::internal("a provisioned cluster of a connection without a role"))?;
    Ok(match cloud.try_role(caller, connection, role, Some(region)).await? {
        Ok(account) => parts(account.as_ref(), name).await,
        Err(error) => Err(error),
    })
}

/// Its control plane and its node groups.
async fn parts(account: &dyn CloudAccount, name: &str) -> CloudResult<(EksCluster, Vec<NodeGroup>)> {
    let cluster = account.cluster(name).await?;
    let mut groups = Vec::new();
    for group in account.node_groups(name).await? {
        groups.push(account.node_group(name, &group).await?);
    }
    Ok((cluster, groups))
}

fn reckon(
    seen: Result<(EksCluster, Vec<NodeGroup>), CloudError>,
    agent: SystemPodHealth,
    now: Timestamp,
) -> ClusterHealth {
    let agent_is_ready = agent.ready;
    let blank = ClusterHealth {
        status: HealthStatus::Unknown,
        message: None,
        provider_metadata: None,
        node_groups: Vec::new(),
        system_pods: vec![agent],
        total_nodes: 0,
        ready_nodes: 0,
        last_checked_at: now,
    };
    let (cluster, groups) = match seen {
        Ok(seen) => seen,
        Err(CloudError::NotFound { what }) => {
            let message = Some(format!("There is no {what} in the account."));
            return ClusterHealth { status: HealthStatus::Unhealthy, message, ..blank };
        }
        Err(error) => return ClusterHealth { message: Some(describe(&error)), ..blank },
    };
    let node_groups: Vec<NodeGroupHealth> = groups.iter().map(NodeGroupHealth::from).collect();
    let works = matches!(cluster.status, ControlPlaneStatus::Active | ControlPlaneStatus::Updating);
    let groups_work = !groups.is_empty() && groups.iter().all(|group| group.status == NodeGroupStatus::Active);
    let status = match (works, groups_work && cluster.issues.is_empty() && agent_is_ready) {
        (false, _) => HealthStatus::Unhealthy,
        (true, true) => HealthStatus::Healthy,
        (true, false) => HealthStatus::Degraded,
    };
    ClusterHealth {
        status,
        message: cluster.issues.first().map(|issue| format!("{}: {}", issue.code, issue.message)),
        provider_metadata: Some(ClusterHealthProviderMetadata { status: wire(&cluster.status) }),
        total_nodes: node_groups.iter().map(|group| group.desired_size).sum(),
        ready_nodes: node_groups.iter().map(|group| group.ready_nodes).sum(),
        node_groups,
        ..blank
    }
}

impl From<&NodeGroup> for NodeGroupHealth {
    fn from(group: &NodeGroup) -> Self {
        let works = matches!(group.status, NodeGroupStatus::Active | NodeGroupStatus::Updating);
        Self {
            name: group.name.clone(),
            status: wire(&group.status),
            desired_size: group.scaling.desired,
            ready_nodes: if works { group.scaling.desired } else { 0 },
            message: group.issues.first().map(|issue| format!("{}: {}", issue.code, issue.message)),
        }
    }
}

/// As the provider writes it.
fn wire(status: &impl Serialize) -> String {
    serde_json::to_value(status).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
