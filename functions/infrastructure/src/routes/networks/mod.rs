//! Networks.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod destroy;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod of_connection;
pub(crate) mod plan;
pub(crate) mod preflight;
pub(crate) mod provision;
pub(crate) mod update;

use mainsheet_core::{ConnectionId, NetworkId};
use serde::Deserialize;

/// A network of a connection, as paths name it.
#[derive(Debug, Deserialize)]
pub(crate) struct NetworkPath {
    pub(crate) connection: ConnectionId,
    pub(crate) network: NetworkId,
}
