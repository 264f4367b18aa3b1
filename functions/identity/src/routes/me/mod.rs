//! Who one is.

pub(crate) mod emails;
pub(crate) mod get;
pub(crate) mod logins;
pub(crate) mod mfa;
pub(crate) mod organizations;
pub(crate) mod permissions;
pub(crate) mod teams;
pub(crate) mod trusted_devices;
pub(crate) mod update;
