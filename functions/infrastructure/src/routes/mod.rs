//! One file per endpoint.

pub(crate) mod cluster_teams;
pub(crate) mod clusters;
pub(crate) mod connections;
pub(crate) mod my_clusters;
pub(crate) mod networks;
pub(crate) mod operations;
pub(crate) mod provisioned_catalogs;
pub(crate) mod provisioned_clusters;
