//! Passwords that are known from leaks.

use std::collections::HashSet;
use std::sync::LazyLock;

use mainsheet_core::{Error, Result};
use secrecy::{ExposeSecret, SecretString};

/// Leaked passwords of 12 characters or more that are tried first, one a line, in lower case.
static KNOWN: LazyLock<HashSet<&str>> = LazyLock::new(|| include_str!("breached-passwords.txt").lines().collect());

/// The password is not one that everybody tries first.
///
/// # Errors
/// [`Error::Invalid`] for the field `password` when it is.
pub fn refuse(password: &SecretString) -> Result<()> {
    refuse_as("password", password)
}

/// [`refuse`] for a field of another name.
///
/// # Errors
/// [`Error::Invalid`] for the field when it is.
pub fn refuse_as(field: &str, password: &SecretString) -> Result<()> {
    if KNOWN.contains(password.expose_secret().to_lowercase().as_str()) {
        return Err(Error::invalid(field, "is known from leaks; choose another one"));
    }
    Ok(())
}
