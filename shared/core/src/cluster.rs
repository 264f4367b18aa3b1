//! Logical clusters and the agents that serve them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::agent_protocol::{AgentBackend, HEARTBEAT_VALID, Utilization};
use crate::{AgentId, ClusterId, ConnectionId, MemberId, NetworkId, OrganizationId, TeamId, Timestamp};

/// The region of clusters that the embedded platform's own agent serves.
pub const LOCAL_REGION: &str = "local";

/// The most teams that one resource can be shared with.
pub const MAX_TEAMS: usize = 100;

/// A logical cluster, as it is kept: self-registered, or in front of a provisioned one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// Its id.
    pub id: ClusterId,
    /// Its name; unique in the organization.
    pub name: String,
    /// Where it is: a cloud provider's region, or `local`.
    pub region: String,
    /// Where the provisioned cluster behind it is, which has the same id; `None` of a self-registered one.
    #[serde(default)]
    pub provisioned: Option<Place>,
    /// The teams that may run work on it.
    pub teams: BTreeMap<TeamId, ClusterTeam>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Who registered it.
    pub created_by: MemberId,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Who changed it last.
    pub updated_by: MemberId,
}

/// Where a provisioned cluster is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The account that it is in.
    pub connection_id: ConnectionId,
    /// The network that it is in.
    pub network_id: NetworkId,
}

/// A team that may run work on a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterTeam {
    /// Since when.
    pub created_at: Timestamp,
    /// Who allowed it.
    pub created_by: MemberId,
}

/// Whether a cluster's agent can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClusterStatus {
    /// Its agent's last heartbeat is younger than 2 minutes.
    Active,
    /// It is not.
    Unreachable,
}

/// What the last heartbeat of a cluster's agent said.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentPulse {
    /// When it came.
    pub seen_at: Option<Timestamp>,
    /// What the agent was doing besides.
    pub message: Option<String>,
    /// How busy it was.
    pub utilization: Option<Utilization>,
}

impl AgentPulse {
    /// Whether the cluster can be reached.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> ClusterStatus {
        match self.seen_at {
            Some(seen_at) if now.since(seen_at) < HEARTBEAT_VALID => ClusterStatus::Active,
            _ => ClusterStatus::Unreachable,
        }
    }
}

/// A registered agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// The organization that it works for.
    pub organization_id: OrganizationId,
    /// The cluster that it serves.
    pub cluster_id: ClusterId,
    /// SHA-256 of its secret, in lower-case hex.
    pub secret_sha256: String,
    /// Its version when it registered.
    pub version: String,
    /// How it executes runs.
    pub backend: AgentBackend,
    /// When it registered.
    pub registered_at: Timestamp,
}
