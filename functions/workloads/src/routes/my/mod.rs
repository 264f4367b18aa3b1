//! What the caller reaches through teams.

pub(crate) mod job_runs;
pub(crate) mod jobs;
pub(crate) mod queries;
