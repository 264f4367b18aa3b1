//! What stands where, as the contract shows it.

pub(crate) mod cluster;
pub(crate) mod connection;
pub(crate) mod network;
pub(crate) mod operation;
pub(crate) mod provisioned_cluster;

use mainsheet_core::ConnectionId;
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
