//! What a password has to be, for `garde`'s `custom`.

use mainsheet_auth::password;
use secrecy::{ExposeSecret, SecretString};

/// 12 to 128 characters.
pub(crate) fn is_long_enough(password: &SecretString, (): &()) -> garde::Result {
    let length = password.expose_secret().chars().count();
    if (password::MIN_LENGTH..=password::MAX_LENGTH).contains(&length) {
        Ok(())
    } else {
        Err(garde::Error::new("must be 12 to 128 characters long"))
    }
}

/// [`is_long_enough`] for a password that may be absent.
pub(crate) fn is_long_enough_if_any(password: &Option<SecretString>, context: &()) -> garde::Result {
    password.as_ref().map_or(Ok(()), |password| is_long_enough(password, context))
}
