//! One file per endpoint.

pub(crate) mod cluster_teams;
pub(crate) mod clusters;
pub(crate) mod my_clusters;
