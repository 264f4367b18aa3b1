//! One file per endpoint.

pub(crate) mod catalog_teams;
pub(crate) mod catalogs;
pub(crate) mod job_runs;
pub(crate) mod jobs;
pub(crate) mod queries;
