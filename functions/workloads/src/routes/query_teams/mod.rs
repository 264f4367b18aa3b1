//! The teams that a saved query is shared with.

pub(crate) mod add;
pub(crate) mod list;
pub(crate) mod remove;
