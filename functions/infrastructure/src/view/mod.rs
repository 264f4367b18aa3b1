//! What stands where, as the contract shows it.

pub(crate) mod cluster;
pub(crate) mod connection;
pub(crate) mod network;
pub(crate) mod operation;
pub(crate) mod provisioned_catalog;
pub(crate) mod provisioned_cluster;

use std::collections::BTreeMap;

use mainsheet_core::ConnectionId;
use mainsheet_core::provisioning::Provisioning;
use serde::Serialize;
use utoipa::ToSchema;

/// The place of something in an answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConnectionScopedItem {
    /// Its id.
    #[schema(pattern = "^[A-Z0-9]{1,20}$")]
    pub(crate) id: String,
    /// The connection that it is in.
    pub(crate) connection_id: ConnectionId,
}

/// The CloudFormation stack that holds something.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IacState {
    /// What it was made by.
    #[schema(examples("mainsheet"))]
    project_name: &'static str,
    /// The stack's name.
    stack_name: String,
}

impl IacState {
    fn of(provisioning: &Provisioning) -> Option<Self> {
        let stack_name = provisioning.stack_name.clone()?;
        Some(Self { project_name: "mainsheet", stack_name })
    }
}

/// What a stack puts out, once it does.
fn outputs(provisioning: &Provisioning) -> Option<BTreeMap<String, String>> {
    (!provisioning.outputs.is_empty()).then(|| provisioning.outputs.clone())
}
