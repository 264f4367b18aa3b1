//! One file per endpoint.

pub(crate) mod job_runs;
pub(crate) mod jobs;
pub(crate) mod queries;
