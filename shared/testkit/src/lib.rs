//! The whole control plane in one process, for tests and benchmarks: routers over an embedded table, a clock that stands
//! still, clients, and doors to what no endpoint offers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stderr, reason = "what a test did wrong is read in a terminal")]

mod agent;
mod answer;
mod app;
pub mod attack;
pub mod build;
mod client;
mod delivery;
mod doors;
pub mod environment;
mod fault;
mod guard;
pub mod infrastructure;
mod key;
mod late_index;
mod mail;
mod person;
mod port;
pub mod provider;
mod proxy;
mod second_factor;
mod shake;
mod table;
mod table_proxy;
mod takers;
#[cfg(test)]
mod tests;
mod transaction;
mod upstream;

pub use agent::{TestAgent, held, registration};
pub use answer::{Answer, Problem};
pub use app::{REDIRECT_URI, Snapshot, TestApp};
pub use client::{Call, Client};
pub use delivery::Delivered;
pub use fault::{Fault, Lasting};
pub use key::TestKey;
pub use mail::CaughtMail;
pub use mainsheet_api::BASE;
pub use person::{PASSWORD, Person};
pub use proxy::{Pause, Permission, Rule, TableCall, Verdict};
pub use second_factor::SecondFactor;
pub use shake::Shake;
pub use table::{ChangedRow, Dump, Rows, TestTable};
pub use table_proxy::TableProxy;
pub use upstream::Upstream;
