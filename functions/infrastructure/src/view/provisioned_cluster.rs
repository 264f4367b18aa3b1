//! Provisioned clusters as the contract shows them.

use std::collections::BTreeMap;

use mainsheet_api::provisioned::{IacState, outputs};
use mainsheet_core::provisioned_cluster::{ClusterConfig, HealthStatus, ProviderCluster, ProvisionedCluster};
use mainsheet_core::provisioning::ProvisioningStatus;
use mainsheet_core::region::Region;
use mainsheet_core::{ClusterId, ConnectionId, MemberId, NetworkId, OperationId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// A managed Kubernetes cluster in a customer's account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ExternalCluster)]
pub(crate) struct ProvisionedClusterView {
    id: ClusterId,
    connection_id: ConnectionId,
    network_id: NetworkId,
    /// The logical cluster in front of it, which has the same id and is there once this one is `active`.
    cluster_id: ClusterId,
    #[schema(min_length = 1, max_length = 255, examples("prod-main"))]
    name: String,
    region: Region,
    status: ProvisioningStatus,
    /// Why it stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_message: Option<String>,
    config: ClusterConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_metadata: Option<ClusterProviderMetadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iac_state: Option<IacState>,
    /// What its stack puts out.
    #[serde(skip_serializing_if = "Option::is_none")]
    iac_outputs: Option<BTreeMap<String, String>>,
    /// The role that its jobs have.
    #[serde(skip_serializing_if = "Option::is_none")]
    job_runner_role_arn: Option<String>,
    /// The operation that was started last.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation_id: Option<OperationId>,
    created_at: Timestamp,
    created_by: MemberId,
    updated_at: Timestamp,
    updated_by: MemberId,
    /// How it was when an operation last looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_health_status: Option<HealthStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_health_message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_health_check_at: Option<Timestamp>,
}

/// What the provider calls a cluster.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterProviderMetadata {
    cluster_name: String,
    cluster_arn: String,
}

impl From<ProviderCluster> for ClusterProviderMetadata {
    fn from(cluster: ProviderCluster) -> Self {
        Self { cluster_name: cluster.name, cluster_arn: cluster.arn }
    }
}

impl From<&ProvisionedCluster> for ProvisionedClusterView {
    fn from(cluster: &ProvisionedCluster) -> Self {
        let iac_outputs = outputs(&cluster.provisioning);
        let iac_state = IacState::of(&cluster.provisioning);
        let cluster = cluster.clone();
        let (provisioning, health) = (cluster.provisioning, cluster.health);
        Self {
            cluster_id: cluster.id.clone(),
            id: cluster.id,
            connection_id: cluster.connection_id,
            network_id: cluster.network_id,
            name: cluster.name,
            region: cluster.region,
            status: provisioning.status,
            status_message: provisioning.status_message,
            config: cluster.config,
            provider_metadata: cluster.provider.map(Into::into),
            iac_state,
            iac_outputs,
            job_runner_role_arn: cluster.job_runner_role_arn,
            operation_id: provisioning.latest_operation,
            created_at: provisioning.created_at,
            created_by: provisioning.created_by,
            updated_at: provisioning.updated_at,
            updated_by: provisioning.updated_by,
            last_health_status: health.as_ref().map(|health| health.status),
            last_health_check_at: health.as_ref().map(|health| health.checked_at),
            last_health_message: health.and_then(|health| health.message),
        }
    }
}
