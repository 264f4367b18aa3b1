//! Catalogs.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
mod glue;
pub(crate) mod list;
pub(crate) mod mine;
pub(crate) mod of_team;
pub(crate) mod queries;
pub(crate) mod update;
