//! The endpoints.

pub(crate) mod catalog_teams;
pub(crate) mod catalogs;
pub(crate) mod clusters;
pub(crate) mod job_drafts;
pub(crate) mod job_runs;
pub(crate) mod job_teams;
pub(crate) mod job_versions;
pub(crate) mod jobs;
pub(crate) mod my;
pub(crate) mod queries;
pub(crate) mod query_teams;
pub(crate) mod teams;
