//! Gates: each compares two things that must agree, or keeps a reviewed record of one that must not drift unseen.

mod authz;
mod contract;
mod deployment;
pub(crate) mod document;
mod emulated;
mod included;
mod infrastructure_states;
mod links;
mod monitoring;
mod mutations;
mod openapi;
mod operations_page;
mod permissions;
mod plans;
mod policies;
mod roles;
mod round_trips;
mod run_states;
mod tenants;
mod workflows;
