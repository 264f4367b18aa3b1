//! Connections: cloud accounts.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod sync_template;
pub(crate) mod update;
