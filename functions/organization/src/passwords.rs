//! What a password has to be.

use mainsheet_api::App;
use mainsheet_auth::{Caller, password};
use mainsheet_core::Result;
use mainsheet_core::organization::Organization;
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

/// A password is not one that is known from leaks, where one of the person's organizations asks for that.
///
/// # Errors
/// [`mainsheet_core::Error::Invalid`] for the field.
pub(crate) async fn refuse_leaked(app: &App, caller: &Caller, field: &str, password: &SecretString) -> Result<()> {
    let checks = |organization: &Organization| organization.settings.auth.check_breached_passwords;
    let access = caller.person().map(|person| &person.access.value);
    let is_checked = checks(&caller.organization(&app.store).await?.value)
        || match access.filter(|access| access.memberships.len() > 1) {
            Some(access) => app.store.organizations_of(access).await?.iter().any(|row| checks(&row.value)),
            None => false,
        };
    if is_checked { app.refuse_breached(field, password).await } else { Ok(()) }
}
