//! Clusters as the contract shows them.

use mainsheet_core::agent_protocol::Utilization;
use mainsheet_core::cluster::{Cluster, ClusterStatus};
use mainsheet_core::{AgentId, ClusterId, MemberId, Timestamp};
use mainsheet_store::Row;
use mainsheet_store::agents::agent_of;
use mainsheet_store::clusters::pulse;
use serde::Serialize;
use utoipa::ToSchema;

/// A logical cluster. All of them so far are self-registered.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Cluster)]
pub(crate) struct ClusterView {
    id: ClusterId,
    #[schema(min_length = 1, max_length = 255, examples("prod-main"))]
    name: String,
    /// A cloud provider's region, or `local`.
    #[schema(examples("local"))]
    region: String,
    /// Whether its agent's last heartbeat is younger than 2 minutes.
    status: ClusterStatus,
    /// What its agent said last.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<AgentView>,
    created_at: Timestamp,
    created_by: MemberId,
    updated_at: Timestamp,
    updated_by: MemberId,
}

/// The agent of a cluster.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ClusterAgent)]
pub(crate) struct AgentView {
    id: AgentId,
    /// When its last heartbeat came.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen_at: Option<Timestamp>,
    /// What it is doing while it cannot execute runs yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    utilization: Option<Utilization>,
}

impl ClusterView {
    pub(crate) fn of(row: &Row<Cluster>, now: Timestamp) -> Self {
        let pulse = pulse(row);
        let status = pulse.status(now);
        let cluster = &row.value;
        let agent = agent_of(row).map(|id| AgentView {
            id,
            last_seen_at: pulse.seen_at,
            message: pulse.message,
            utilization: pulse.utilization,
        });
        Self::with(cluster, status, agent)
    }

    pub(crate) fn with(cluster: &Cluster, status: ClusterStatus, agent: Option<AgentView>) -> Self {
        Self {
            id: cluster.id.clone(),
            name: cluster.name.clone(),
            region: cluster.region.clone(),
            status,
            agent,
            created_at: cluster.created_at,
            created_by: cluster.created_by.clone(),
            updated_at: cluster.updated_at,
            updated_by: cluster.updated_by.clone(),
        }
    }
}

/// A cluster's place in an answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MyClusterItem {
    pub(crate) id: ClusterId,
}

/// What the items of an answer point at.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MyClusterIncluded {
    pub(crate) clusters: Vec<ClusterView>,
}
