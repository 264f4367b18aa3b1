//! The teams that may use a catalog.

pub(crate) mod add;
pub(crate) mod list;
pub(crate) mod remove;
