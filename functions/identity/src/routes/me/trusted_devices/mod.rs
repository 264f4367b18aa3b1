//! The devices that the caller trusts.

pub(crate) mod list;
pub(crate) mod revoke;
