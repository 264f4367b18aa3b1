//! `POST /org/users/{user}/password/reset`: a temporary password.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{Action, App, Result};
use mainsheet_auth::one_time::OneTimeToken;
use mainsheet_auth::password;
use mainsheet_core::UserId;
use mainsheet_store::outbox::{Event, Mail};
use mainsheet_store::users::Credentials;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::ManagedUser;

/// A password that is told once.
#[derive(Serialize, ToSchema)]
pub(crate) struct TemporaryPassword {
    /// For whoever resets it to hand over; told this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "password")]
    password: Option<String>,
}

/// Reset a user's password
///
/// Ends all their logins, tells the new password this once, and tells the person by mail that it was set. Managed accounts only,
/// of people who hold no more than the caller. Asks for a password or second factor given within the last 10 minutes. Where nobody
/// confirmed the person's address, doing so takes this password away, too, and they choose a new one after it.
#[utoipa::path(
    post, path = "/org/users/{user}/password/reset", operation_id = "resetUserPassword", tag = "users",
    params(("user" = UserId, Path, description = "The person.")),
    responses((status = 200, description = "The temporary password.", body = TemporaryPassword)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageUsers")))
)]
pub(crate) async fn reset_password(
    State(app): State<App>,
    ManagedUser(found): ManagedUser,
    Action(idempotent): Action,
) -> Result<Json<TemporaryPassword>> {
    if idempotent.earlier::<UserId>()?.is_some() {
        return Ok(Json(TemporaryPassword { password: None }));
    }
    found.caller.require_recent_proof(app.now())?;
    found.caller.require_to_take_over(&app.store, &found.membership).await?;
    let user = &found.user.value.id;
    let temporary = OneTimeToken::generate()?.reveal().to_owned();
    let credentials = Credentials { password_hash: Some(password::hash(temporary.clone().into()).await?) };
    let change = app.store.change(found.caller.audit("user.reset_password", user));
    let access = found.access.value.clone().without_logins();
    let origin = found.caller.subject.origin().clone();
    let mail = Mail::PasswordSetByOrganization { email: found.user.value.email.clone(), at: change.now(), origin };
    change
        .replace_credentials(user, &credentials)
        .emit(Event::MailRequested { mail })
        .replace_access(&found.access, &access)
        .idempotent(idempotent.request(), user.as_str())
        .commit()
        .await?;
    Ok(Json(TemporaryPassword { password: Some(temporary) }))
}
