//! One file per endpoint.

pub(crate) mod auth;
pub(crate) mod me;
