//! Published versions of jobs.

pub(crate) mod activate;
pub(crate) mod create;
pub(crate) mod get;
pub(crate) mod list;
