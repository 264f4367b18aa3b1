//! The caller's addresses.

pub(crate) mod add;
pub(crate) mod list;
mod view;
