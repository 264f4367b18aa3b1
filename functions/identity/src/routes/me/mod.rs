//! Who one is.

pub(crate) mod get;
pub(crate) mod organizations;
pub(crate) mod permissions;
