//! Logical clusters as the contract shows them.

use mainsheet_auth::{Caller, Relation};
use mainsheet_core::Result;
use mainsheet_core::agent_protocol::Utilization;
use mainsheet_core::cluster::{Cluster, ClusterStatus};
use mainsheet_core::provisioned_cluster::ProvisionedCluster;
use mainsheet_core::provisioning::ProvisioningStatus;
use mainsheet_core::{AgentId, ClusterId, ConnectionId, MemberId, NetworkId, OperationId, Timestamp};
use mainsheet_store::agents::agent_of;
use mainsheet_store::clusters::pulse;
use mainsheet_store::provisioned::Pointers;
use mainsheet_store::{Row, Store};
use serde::Serialize;
use utoipa::ToSchema;

use super::connection::ConnectionView;
use super::network::NetworkView;
use super::provisioned_cluster::ProvisionedClusterView;

/// A logical cluster, self-registered or in front of a provisioned one.
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
    /// The provisioned cluster behind it; absent on a self-registered one.
    #[serde(skip_serializing_if = "Option::is_none")]
    external_cluster_id: Option<ClusterId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_id: Option<ConnectionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_id: Option<NetworkId>,
    /// Where the provisioned cluster stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    external_status: Option<ProvisioningStatus>,
    /// The operation on the provisioned cluster that was started last.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation_id: Option<OperationId>,
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
    /// A cluster with what is behind it, if that is a provisioned one.
    pub(crate) fn of(row: &Row<Cluster>, provisioned: Option<&ProvisionedCluster>, now: Timestamp) -> Self {
        let pulse = pulse(row);
        let status = pulse.status(now);
        let cluster = &row.value;
        let agent = agent_of(row).map(|id| AgentView {
            id,
            last_seen_at: pulse.seen_at,
            message: pulse.message,
            utilization: pulse.utilization,
        });
        let provisioning = provisioned.map(|provisioned| &provisioned.provisioning);
        Self {
            external_status: provisioning.map(|provisioning| provisioning.status),
            operation_id: provisioning.and_then(|provisioning| provisioning.latest_operation.clone()),
            ..Self::with(cluster, status, agent)
        }
    }

    pub(crate) fn with(cluster: &Cluster, status: ClusterStatus, agent: Option<AgentView>) -> Self {
        Self {
            id: cluster.id.clone(),
            name: cluster.name.clone(),
            region: cluster.region.clone(),
            status,
            external_cluster_id: cluster.provisioned.as_ref().map(|_| cluster.id.clone()),
            connection_id: cluster.provisioned.as_ref().map(|place| place.connection_id.clone()),
            network_id: cluster.provisioned.as_ref().map(|place| place.network_id.clone()),
            external_status: None,
            operation_id: None,
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
    /// The provisioned cluster behind it; absent on a self-registered one.
    #[serde(skip_serializing_if = "Option::is_none")]
    external_cluster_id: Option<ClusterId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_id: Option<ConnectionId>,
}

impl From<&Cluster> for MyClusterItem {
    fn from(cluster: &Cluster) -> Self {
        Self {
            id: cluster.id.clone(),
            external_cluster_id: cluster.provisioned.as_ref().map(|_| cluster.id.clone()),
            connection_id: cluster.provisioned.as_ref().map(|place| place.connection_id.clone()),
        }
    }
}

/// What the items of an answer point at.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MyClusterIncluded {
    clusters: Vec<ClusterView>,
    /// For those who may see connections.
    connections: Vec<ConnectionView>,
    /// For those who may see networks.
    networks: Vec<NetworkView>,
    /// For those who may see every cluster.
    external_clusters: Vec<ProvisionedClusterView>,
}

impl MyClusterIncluded {
    /// What some clusters point at: one round trip more when one of them is provisioned.
    pub(crate) async fn of(store: &Store, caller: &Caller, rows: &[&Row<Cluster>], now: Timestamp) -> Result<Self> {
        let mut pointers = Pointers::default();
        for (cluster, place) in rows.iter().filter_map(|row| Some((&row.value, row.value.provisioned.as_ref()?))) {
            pointers.clusters.insert(cluster.id.clone());
            if caller.may(Relation::CanViewConnections) {
                pointers.connections.insert(place.connection_id.clone());
            }
            if caller.may(Relation::CanViewNetworks) {
                pointers.networks.insert(place.network_id.clone());
            }
        }
        let pointed = store.pointed(caller.tenant(), &pointers).await?;
        let behind = |cluster: &Cluster| pointed.clusters.iter().find(|row| row.value.id == cluster.id);
        let view = |row: &&Row<Cluster>| ClusterView::of(row, behind(&row.value).map(|row| &row.value), now);
        let external = pointed.clusters.iter().filter(|_| caller.may(Relation::CanViewClusters));
        Ok(Self {
            clusters: rows.iter().map(view).collect(),
            connections: pointed.connections.iter().map(ConnectionView::from).collect(),
            networks: pointed.networks.iter().map(|row| NetworkView::from(&row.value)).collect(),
            external_clusters: external.map(|row| ProvisionedClusterView::from(&row.value)).collect(),
        })
    }
}
