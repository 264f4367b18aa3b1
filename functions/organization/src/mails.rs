//! Mails to addresses that an organization chooses. Strangers' mailboxes are not to be flooded, whoever asks for the mails.

use mainsheet_api::App;
use mainsheet_core::user::{NormalizedEmail, User};
use mainsheet_core::{Error, Result};
use mainsheet_store::outbox::{Event, Mail};
use mainsheet_store::throttle::{Throttle, ThrottleKey};
use mainsheet_store::{Change, Row};

/// Asks for a mail, and counts it. `earlier` are the mails to the address that were counted before.
///
/// # Errors
/// [`Error::TooManyRequests`] when the address has to be left alone for a while.
pub(crate) fn ask<'s>(
    change: Change<'s>,
    email: &NormalizedEmail,
    earlier: Option<&Row<Throttle>>,
    mail: Mail,
) -> Result<Change<'s>> {
    match earlier.and_then(|throttle| throttle.value.wait(change.now())) {
        Some(retry_after) => Err(Error::TooManyRequests { retry_after }),
        None => {
            let key = ThrottleKey::Mail(email.clone());
            Ok(change.count_failure(&key, earlier).emit(Event::MailRequested { mail }))
        }
    }
}

/// Asks for the mail by which a user's new address is confirmed.
///
/// # Errors
/// As [`ask`].
pub(crate) async fn ask_to_confirm<'s>(app: &App, change: Change<'s>, user: &User) -> Result<Change<'s>> {
    let email = NormalizedEmail::of(&user.email);
    let counted = app.store.throttles(&[ThrottleKey::Mail(email.clone())]).await?;
    let mail = Mail::VerifyEmail { user_id: user.id.clone(), email: user.email.clone(), sign_up_id: None };
    ask(change, &email, counted.first().and_then(Option::as_ref), mail)
}
