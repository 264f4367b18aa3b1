//! The teams that may run work on a cluster.

pub(crate) mod add;
pub(crate) mod list;
pub(crate) mod remove;
