//! The adapter for customers' accounts on AWS, over HTTP: against an endpoint that answers as AWS documents it, and against
//! `moto`, which others wrote (`infra/ci/cloud-adapter`).
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod answers;
mod calls;
mod endpoint;
mod intents;
mod kubernetes;
mod moto;
mod refusals;
mod sessions;
mod stacks;
mod token;
mod world;
