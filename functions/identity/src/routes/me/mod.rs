//! Who one is.

pub(crate) mod get;
pub(crate) mod organizations;
