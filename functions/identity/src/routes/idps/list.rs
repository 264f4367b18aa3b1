//! `GET /auth/idps`: the providers that a sign-in page offers.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, MarkerPage, MarkerQuery, NamedOrganization, Query, Result};

use super::view::IdentityProviderSummary;

/// List identity providers
///
/// Nobody has to be signed in: the sign-in page asks. The organization is named by `LakeSail-Organization-Id`.
#[utoipa::path(
    get, path = "/auth/idps", operation_id = "listIdentityProviders", tag = "identity-providers",
    params(("LakeSail-Organization-Id" = Option<String>, Header, description = "The organization."), MarkerQuery),
    responses((status = 200, description = "Some of the providers.", body = MarkerPage<IdentityProviderSummary>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    NamedOrganization(organization): NamedOrganization,
    Query(query): Query<MarkerQuery>,
) -> Result<Json<MarkerPage<IdentityProviderSummary>>> {
    let page = app.store.public_identity_providers(&organization, &query.request()).await?;
    Ok(Json(page.map(|row| row.value.into()).into()))
}
