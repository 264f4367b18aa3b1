//! One file per endpoint.

pub(crate) mod events;
pub(crate) mod heartbeat;
pub(crate) mod lease;
pub(crate) mod logs;
pub(crate) mod register;
pub(crate) mod results;
