//! The clusters that the caller reaches.

pub(crate) mod get;
pub(crate) mod list;
