//! `DELETE /org/users/{user}/mfa`: wipe a person's second factor.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, Result};
use mainsheet_core::UserId;
use mainsheet_store::outbox::{Event, Mail};

use crate::access::ManagedUser;

/// Reset a user's second factor
///
/// Ends all their logins, and tells them by mail. Managed accounts only, of people who hold no more than the caller. Asks for a
/// password or second factor given within the last 10 minutes.
#[utoipa::path(
    delete, path = "/org/users/{user}/mfa", operation_id = "resetUserMfa", tag = "users",
    params(("user" = UserId, Path, description = "The person.")),
    responses((status = 204, description = "The person has no second factor, and is signed out.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageUsers")))
)]
pub(crate) async fn reset_mfa(State(app): State<App>, ManagedUser(found): ManagedUser) -> Result<StatusCode> {
    found.caller.require_recent_proof(app.now())?;
    found.caller.require_to_take_over(&app.store, &found.membership).await?;
    let user = &found.user.value;
    let change = app.store.change(found.caller.audit("user.reset_mfa", &user.id));
    let access = found.access.value.clone().without_logins();
    let origin = found.caller.subject.origin().clone();
    let mail = Mail::MfaReset { email: user.email.clone(), at: change.now(), origin };
    change
        .wipe_second_factors(&user.id)
        .replace_access(&found.access, &access)
        .emit(Event::MailRequested { mail })
        .commit()
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
