//! What Mainsheet is about, free of any transport, cloud or storage: ids, time, errors, entities and state machines.

pub mod agent_protocol;
pub mod catalog;
pub mod cluster;
pub mod connection;
pub mod error;
pub mod id;
pub mod identity_provider;
pub mod invitation;
pub mod job;
pub mod job_run;
pub mod measurement;
pub mod member;
pub mod network;
pub mod operation;
pub mod organization;
pub mod prices;
pub mod provisioned_catalog;
pub mod provisioned_cluster;
pub mod provisioning;
pub mod query;
pub mod region;
pub mod role;
pub mod schedule;
pub mod sealed;
pub mod service_account;
pub mod team;
pub mod tick;
pub mod time;
pub mod user;

pub use error::{Error, FieldErrors, Result};
pub use id::*;
pub use time::{Clock, Timestamp};
