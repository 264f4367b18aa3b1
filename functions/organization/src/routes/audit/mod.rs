//! The audit log, its chain of blocks, and the signed end of it.

pub(crate) mod blocks;
pub(crate) mod checkpoint;
pub(crate) mod list;
