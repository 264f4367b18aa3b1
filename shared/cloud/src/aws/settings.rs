//! What `template.yaml` tells functions through their environment.

use mainsheet_core::{Error, Result};

/// A setting that has to be there.
///
/// # Errors
/// [`Error::Internal`] that names the variable when it is missing or empty.
pub fn required(variable: &str) -> Result<String> {
    optional(variable).ok_or_else(|| Error::internal(format!("the environment variable {variable} is not set")))
}

/// A setting that may be missing; templates leave it empty then.
#[must_use]
pub fn optional(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}

/// A setting of several values with commas between them; none when it is missing.
#[must_use]
pub fn list(variable: &str) -> Vec<String> {
    let text = optional(variable).unwrap_or_default();
    text.split(',').map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned).collect()
}
