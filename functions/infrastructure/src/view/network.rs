//! Networks as the contract shows them.

use std::collections::BTreeMap;

use mainsheet_api::provisioned::{IacState, outputs};
use mainsheet_core::network::{Network, NetworkConfig};
use mainsheet_core::provisioning::ProvisioningStatus;
use mainsheet_core::region::Region;
use mainsheet_core::{ConnectionId, MemberId, NetworkId, OperationId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// A network that the platform makes in a customer's account.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Network)]
pub(crate) struct NetworkView {
    id: NetworkId,
    connection_id: ConnectionId,
    #[schema(min_length = 1, max_length = 255, examples("prod-network"))]
    name: String,
    region: Region,
    /// The provider's own id of it, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(examples("vpc-0a1b2c3d4e5f60718"))]
    provider_network_id: Option<String>,
    config: NetworkConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    iac_state: Option<IacState>,
    /// What its stack puts out.
    #[serde(skip_serializing_if = "Option::is_none")]
    iac_outputs: Option<BTreeMap<String, String>>,
    status: ProvisioningStatus,
    /// Why it stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_message: Option<String>,
    /// The operation that was started last.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation_id: Option<OperationId>,
    created_at: Timestamp,
    created_by: MemberId,
    updated_at: Timestamp,
    updated_by: MemberId,
}

impl From<&Network> for NetworkView {
    fn from(network: &Network) -> Self {
        let iac_outputs = outputs(&network.provisioning);
        let iac_state = IacState::of(&network.provisioning);
        let network = network.clone();
        let provisioning = network.provisioning;
        Self {
            id: network.id,
            connection_id: network.connection_id,
            name: network.name,
            region: network.region,
            provider_network_id: network.provider_network_id,
            config: network.config,
            iac_state,
            iac_outputs,
            status: provisioning.status,
            status_message: provisioning.status_message,
            operation_id: provisioning.latest_operation,
            created_at: provisioning.created_at,
            created_by: provisioning.created_by,
            updated_at: provisioning.updated_at,
            updated_by: provisioning.updated_by,
        }
    }
}
