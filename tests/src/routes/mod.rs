//! How routes behave, area by area, and what holds for all of them.

mod agents;
mod audit;
mod clusters;
mod dpop;
mod idempotency;
mod identity_providers;
mod invitations;
mod job_runs;
mod jobs;
mod keys;
mod logs;
mod members;
mod organizations;
mod pages;
mod permissions;
mod policies;
mod queries;
mod roles;
mod service_accounts;
mod signing_in;
mod signing_up;
mod single_sign_on;
mod team_members;
mod teams;
mod users;
mod versions;
