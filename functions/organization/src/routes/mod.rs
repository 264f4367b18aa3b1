//! One file per endpoint.

pub(crate) mod audit;
pub(crate) mod organization;
pub(crate) mod policies;
pub(crate) mod service_account_keys;
pub(crate) mod service_accounts;
pub(crate) mod teams;
