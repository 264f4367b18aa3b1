//! `DELETE /org/invites/{token}`: withdraw an invitation.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{Path, Permitted, Result};
use mainsheet_auth::needs::CanManageMembers;

use crate::OrganizationState;
use crate::routes::invitations::link;

/// Cancel an invitation
#[utoipa::path(
    delete, path = "/org/invites/{token}", operation_id = "cancelInvitation", tag = "invitations",
    params(("token" = String, Path, description = "The invitation's id, or the token of its link.")),
    responses((status = 204, description = "Nobody can accept it any more.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageMembers")))
)]
pub(crate) async fn cancel(
    State(state): State<OrganizationState>,
    caller: Permitted<CanManageMembers>,
    Path(token): Path<String>,
) -> Result<StatusCode> {
    let id = link::id_of(&state, &token).await?;
    let row = state.app.store.invitation(caller.tenant(), &id).await?;
    let change = state.app.store.change(caller.audit("invitation.cancel", &id));
    change.close_invitation(&row).commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
