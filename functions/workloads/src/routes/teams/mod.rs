//! What is shared with a team.

pub(crate) mod jobs;
pub(crate) mod queries;
