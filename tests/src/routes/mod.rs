//! How routes behave, area by area, and what holds for all of them.

mod agents;
mod clusters;
mod idempotency;
mod job_files;
mod job_runs;
mod job_versions;
mod jobs;
mod logs;
mod my_work;
mod organizations;
mod pages;
mod queries;
mod signing_in;
mod signing_up;
mod teams;
mod versions;
