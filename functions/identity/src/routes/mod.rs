//! One file per endpoint.

pub(crate) mod auth;
pub(crate) mod idps;
pub(crate) mod keys;
pub(crate) mod me;
pub(crate) mod sso;
