//! The program that `cargo run` starts, from outside: real processes, real HTTP, the real engine.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what helps a test may fail it, and say why"
)]

mod catalogs;
mod crash;
mod harness;
mod provisioning;
mod quickstart;
mod schedules;
mod surroundings;
