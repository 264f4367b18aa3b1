//! The caller's logins.

pub(crate) mod list;
pub(crate) mod revoke;
