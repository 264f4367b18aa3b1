//! Members.

pub(crate) mod get;
pub(crate) mod remove;
pub(crate) mod search;
pub(crate) mod set_roles;
pub(crate) mod update;
