//! Signing up, in and out.

pub(crate) mod exchange;
pub(crate) mod forgot_password;
pub(crate) mod login;
pub(crate) mod login_code;
pub(crate) mod login_with_code;
pub(crate) mod logout;
pub(crate) mod permissions;
pub(crate) mod refresh;
pub(crate) mod resend_verification;
pub(crate) mod reset_password;
pub(crate) mod sign_up;
pub(crate) mod verify_email;
pub(crate) mod verify_mfa;
