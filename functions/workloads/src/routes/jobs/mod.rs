//! Jobs.

pub(crate) mod apply;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod export;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod schedule;
pub(crate) mod ticks;
pub(crate) mod update;
