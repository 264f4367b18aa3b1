//! Signing up, in and out.

pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod permissions;
pub(crate) mod refresh;
pub(crate) mod resend_verification;
pub(crate) mod sign_up;
pub(crate) mod verify_email;
