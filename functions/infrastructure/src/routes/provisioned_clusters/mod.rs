//! Provisioned clusters.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod destroy;
pub(crate) mod get;
pub(crate) mod get_in_connection;
pub(crate) mod health;
pub(crate) mod kubeconfig;
pub(crate) mod list;
pub(crate) mod metrics;
pub(crate) mod of_connection;
pub(crate) mod plan;
pub(crate) mod preflight;
pub(crate) mod provision;
pub(crate) mod update;

use mainsheet_core::{ClusterId, ConnectionId};
use serde::Deserialize;

/// A cluster of a connection, as paths name it.
#[derive(Debug, Deserialize)]
pub(crate) struct ClusterPath {
    pub(crate) connection: ConnectionId,
    pub(crate) cluster: ClusterId,
}
