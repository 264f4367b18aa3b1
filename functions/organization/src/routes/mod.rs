//! One file per endpoint.

pub(crate) mod invitations;
pub(crate) mod members;
pub(crate) mod organization;
pub(crate) mod roles;
pub(crate) mod team_members;
pub(crate) mod teams;
pub(crate) mod users;
