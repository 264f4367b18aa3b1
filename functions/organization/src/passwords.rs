//! What a password has to be.

use mainsheet_auth::password;
use mainsheet_core::{Error, FieldErrors};
use secrecy::{ExposeSecret, SecretString};

/// 12 to 128 characters, for `garde`'s `custom`.
///
/// # Errors
/// What is wrong, in words.
pub(crate) fn password_rule(password: &SecretString, (): &()) -> garde::Result {
    let length = password.expose_secret().chars().count();
    if (password::MIN_LENGTH..=password::MAX_LENGTH).contains(&length) {
        Ok(())
    } else {
        Err(garde::Error::new("must be 12 to 128 characters long"))
    }
}

/// A refusal of a password, under the name that the field has in this request.
pub(crate) fn renamed(error: Error, field: &str) -> Error {
    let Error::Invalid(errors) = error else { return error };
    let mut named = FieldErrors::default();
    for (_, message) in errors.iter() {
        named.add(field, message);
    }
    Error::Invalid(named)
}
