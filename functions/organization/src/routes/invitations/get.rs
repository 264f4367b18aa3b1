//! `GET /org/invites/{token}`: what an invitation offers, for whoever holds its link.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{Path, Result};

use crate::OrganizationState;
use crate::routes::invitations::{Invitation, link};

/// Show an invitation
///
/// For whoever holds its token; nobody has to be signed in.
#[utoipa::path(
    get, path = "/org/invites/{token}", operation_id = "getInvitation", tag = "invitations",
    params(("token" = String, Path, description = "The token of the invitation's link.")),
    responses((status = 200, description = "The invitation.", body = Invitation))
)]
pub(crate) async fn get(State(state): State<OrganizationState>, Path(token): Path<String>) -> Result<Json<Invitation>> {
    let opened = link::open(&state, &token).await?;
    let organization = state.app.store.organization(&opened.tenant).await?.value;
    Ok(Json(Invitation::shown(opened.row.value).into_organization(organization)))
}
