//! How routes behave, area by area, and what holds for all of them.

mod agents;
mod audit;
mod clusters;
mod idempotency;
mod job_runs;
mod jobs;
mod logs;
mod organizations;
mod pages;
mod permissions;
mod policies;
mod queries;
mod service_accounts;
mod signing_in;
mod signing_up;
mod teams;
mod versions;
