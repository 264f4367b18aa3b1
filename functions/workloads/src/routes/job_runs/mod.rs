//! Runs of jobs.

pub(crate) mod blockers;
pub(crate) mod cancel;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod release;
pub(crate) mod results;
pub(crate) mod retry;
