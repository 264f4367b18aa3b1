//! Identity providers of an organization.

pub(crate) mod auto_setup;
mod catalogue;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod rotate_secret;
mod settings;
pub(crate) mod test;
pub(crate) mod types;
pub(crate) mod update;
mod view;
