//! `GET /org/invites`: invitations that nobody accepted yet.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{MarkerQuery, Permitted, Query, Result};
use mainsheet_auth::needs::CanManageMembers;
use serde::Serialize;
use utoipa::ToSchema;

use crate::OrganizationState;
use crate::routes::invitations::Invitation;

/// Some of the invitations.
#[derive(Serialize, ToSchema)]
pub(crate) struct InvitationPage {
    items: Vec<Invitation>,
    /// Where this part ended; absent at the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

/// List pending invitations
///
/// Newest first.
#[utoipa::path(
    get, path = "/org/invites", operation_id = "listInvitations", tag = "invitations",
    params(MarkerQuery),
    responses((status = 200, description = "Some of the invitations.", body = InvitationPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageMembers")))
)]
pub(crate) async fn list(
    State(state): State<OrganizationState>,
    caller: Permitted<CanManageMembers>,
    Query(query): Query<MarkerQuery>,
) -> Result<Json<InvitationPage>> {
    let store = &state.app.store;
    let page = store.invitations(caller.tenant(), &query.request()).await?;
    let organization = caller.organization(store).await?.value;
    let caller = caller.with_team_grants(store).await?;
    let mut items = Vec::with_capacity(page.rows.len());
    for row in page.rows {
        items.push(Invitation::with_link(&state, &caller, &organization, row.value).await?);
    }
    Ok(Json(InvitationPage { items, marker: page.marker }))
}
