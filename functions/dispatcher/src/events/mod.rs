//! One file per event.

pub(crate) mod cluster_retired;
pub(crate) mod emergency_used;
pub(crate) mod job_deleted;
pub(crate) mod job_run_deleted;
pub(crate) mod job_run_ended;
pub(crate) mod job_run_pending;
pub(crate) mod member_removed;
pub(crate) mod team_deleted;
pub(crate) mod user_deleted;
