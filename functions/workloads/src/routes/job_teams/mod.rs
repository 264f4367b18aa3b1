//! The teams that a job is shared with.

pub(crate) mod add;
pub(crate) mod list;
pub(crate) mod remove;
