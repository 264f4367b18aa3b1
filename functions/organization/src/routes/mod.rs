//! One file per endpoint.

pub(crate) mod organization;
pub(crate) mod teams;
