//! Self-registered clusters.

pub(crate) mod create;
pub(crate) mod retire;
