//! The table: the only code that reads or writes it.
//!
//! One DynamoDB table holds everything (`infra/docs/access-patterns.md`). Entities are [`Row`]s under [`Key`]s that only a
//! [`Tenant`] can make; a [`Tenant`] in turn comes out of records that were read for a caller, an agent or an event. Writes
//! are [`Change`]s: one transaction that is conditional, audited, idempotent and carries its outbox events.

pub mod agents;
pub mod audit;
pub mod audit_chain;
pub mod catalogs;
mod change;
pub mod clusters;
pub mod connections;
pub mod dependencies;
pub mod dpop;
pub mod emails;
pub mod exchange_codes;
pub mod first_proof;
pub mod idempotency;
pub mod identity_providers;
pub mod intents;
pub mod invitations;
pub mod job_list;
pub mod job_runs;
pub mod jobs;
mod key;
pub mod logs;
mod marker;
pub mod members;
pub mod metrics;
pub mod operations;
pub mod organizations;
pub mod outbox;
mod page;
pub mod policies;
pub mod provisioned;
pub mod queries;
mod read;
mod row;
pub mod scheduler;
pub mod schema;
pub mod second_factors;
pub mod service_accounts;
pub mod sign_in;
pub mod signing_keys;
pub mod teams;
mod tenant;
pub mod throttle;
pub mod ticks;
pub mod users;

pub use change::{Change, retry_races, retry_races_from};
pub use key::Key;
pub use page::{KeptBy, Listing, Page, PageRequest};
pub use read::{Batch, MOST_ROWS, Store};
pub use row::{Entity, Row};
pub use tenant::Tenant;

/// The table's rows as the SDK has them.
pub type Item = std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue>;
