//! The caller's second factor.

pub(crate) mod confirm_totp;
mod enrolling;
pub(crate) mod get;
pub(crate) mod recovery_codes;
pub(crate) mod reset;
pub(crate) mod start_totp;
mod view;
