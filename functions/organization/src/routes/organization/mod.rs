//! The organization itself.

pub(crate) mod get;
mod settings;
pub(crate) mod update;
