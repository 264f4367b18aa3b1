//! What runs on a cluster.

pub(crate) mod jobs;
