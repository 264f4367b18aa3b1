//! Single sign-on.

pub(crate) mod authorize;
pub(crate) mod backchannel_logout;
pub(crate) mod callback;
mod person;
