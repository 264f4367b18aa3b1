//! One file per endpoint.

pub(crate) mod audit;
pub(crate) mod invitations;
pub(crate) mod members;
pub(crate) mod organization;
pub(crate) mod policies;
pub(crate) mod roles;
pub(crate) mod service_account_keys;
pub(crate) mod service_accounts;
pub(crate) mod team_members;
pub(crate) mod teams;
pub(crate) mod users;
