//! Connections: cloud accounts.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod download;
pub(crate) mod get;
pub(crate) mod instance_types;
pub(crate) mod list;
pub(crate) mod orphans;
pub(crate) mod provider_networks;
pub(crate) mod regions;
pub(crate) mod sync_template;
pub(crate) mod template;
pub(crate) mod update;
pub(crate) mod verify;
