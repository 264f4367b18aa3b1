//! `DELETE /me/mfa`: the second factor goes, and with it every login.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{Account, App, Result};
use mainsheet_store::outbox::{Event, Mail};

/// Remove my second factor
///
/// The authenticator and the recovery codes go, and every login ends, this one too. Asks for a password or second factor given
/// within the last 10 minutes.
#[utoipa::path(
    delete, path = "/me/mfa", operation_id = "resetMyMfa", tag = "mfa",
    responses((status = 204, description = "There is no second factor any more.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("self")))
)]
pub(crate) async fn reset(State(app): State<App>, Account(person): Account) -> Result<StatusCode> {
    person.login.require_recent_proof(app.now())?;
    let user_id = person.user_id();
    let email = app.store.user(user_id).await?.value.email;
    let change = app.store.change(person.audit("mfa.reset", user_id));
    let now = change.now();
    let mail = Mail::MfaReset { email, at: now, origin: person.origin.clone() };
    change
        .noted_in(&person.access.value)
        .wipe_second_factors(user_id)
        .replace_access(&person.access, &person.access.value.clone().without_logins())
        .emit(Event::MailRequested { mail })
        .commit()
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
