//! Ports to the outside, and their AWS adapters (feature `aws`).
//!
//! Functions know the traits alone; the embedded platform and the tests bring adapters of their own.

pub mod account;
#[cfg(feature = "aws")]
pub mod aws;
pub mod breached;
pub mod guarded_http;
pub mod mail;
pub mod queue;
pub mod workflows;
