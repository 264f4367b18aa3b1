//! What is provisioned as the contract shows it, where more than one function answers it.

use std::collections::BTreeMap;

use mainsheet_core::provisioned_catalog::{ProvisionedCatalog, ProvisionedCatalogConfig};
use mainsheet_core::provisioning::{Provisioning, ProvisioningStatus};
use mainsheet_core::region::Region;
use mainsheet_core::{CatalogId, ConnectionId, MemberId, NetworkId, OperationId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// The CloudFormation stack that holds something.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IacState {
    /// What it was made by.
    #[schema(examples("mainsheet"))]
    project_name: &'static str,
    /// The stack's name.
    stack_name: String,
}

impl IacState {
    /// The stack of something, once it has one.
    #[must_use]
    pub fn of(provisioning: &Provisioning) -> Option<Self> {
        let stack_name = provisioning.stack_name.clone()?;
        Some(Self { project_name: "mainsheet", stack_name })
    }
}

/// What a stack puts out, once it does.
#[must_use]
pub fn outputs(provisioning: &Provisioning) -> Option<BTreeMap<String, String>> {
    (!provisioning.outputs.is_empty()).then(|| provisioning.outputs.clone())
}

/// A catalog service in a customer's account.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ExternalCatalog)]
pub struct ProvisionedCatalogView {
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
