//! Provisioned catalogs as the contract shows them.

use std::collections::BTreeMap;

use mainsheet_core::provisioned_catalog::{ProvisionedCatalog, ProvisionedCatalogConfig};
use mainsheet_core::provisioning::ProvisioningStatus;
use mainsheet_core::region::Region;
use mainsheet_core::{CatalogId, ConnectionId, MemberId, NetworkId, OperationId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::{IacState, outputs};

/// A catalog service in a customer's account.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ExternalCatalog)]
pub(crate) struct ProvisionedCatalogView {
    id: CatalogId,
    connection_id: ConnectionId,
    network_id: NetworkId,
    /// The logical catalog in front of it, which has the same id and is there once this one is `active`.
    catalog_id: CatalogId,
    #[schema(min_length = 1, max_length = 255, examples("prod-main"))]
    name: String,
    region: Region,
    config: ProvisionedCatalogConfig,
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

impl From<&ProvisionedCatalog> for ProvisionedCatalogView {
    fn from(catalog: &ProvisionedCatalog) -> Self {
        let iac_outputs = outputs(&catalog.provisioning);
        let iac_state = IacState::of(&catalog.provisioning);
        let catalog = catalog.clone();
        let provisioning = catalog.provisioning;
        Self {
            catalog_id: catalog.id.clone(),
            id: catalog.id,
            connection_id: catalog.connection_id,
            network_id: catalog.network_id,
            name: catalog.name,
            region: catalog.region,
            config: catalog.config,
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
