//! Who calls, and what they may do.

pub mod agent;
pub mod audit_checkpoint;
pub mod audit_verify;
mod caller;
pub mod challenge;
pub mod dpop;
pub mod keys;
pub mod login_code;
pub mod mail_link;
pub mod one_time;
pub mod password;
pub mod permission;
pub mod recovery;
pub mod refresh;
pub mod sealed;
pub mod service_key;
pub mod token;
pub mod totp;
pub mod trusted_device;

pub use caller::{Asked, Caller, KeyHolder, SignedIn, Subject};
pub use permission::{Bundle, Needs, Relation, needs};
