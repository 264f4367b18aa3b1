//! `GET /auth/idps/{idp}`: what is public of a provider.

use axum::extract::State;
use mainsheet_api::{App, NamedOrganization, Path, Result, Tagged};
use mainsheet_core::IdentityProviderId;

use super::view::IdentityProviderView;

/// Show an identity provider
///
/// Nobody has to be signed in: the sign-in page asks. The organization is named by `LakeSail-Organization-Id`.
#[utoipa::path(
    get, path = "/auth/idps/{idp}", operation_id = "getIdentityProvider", tag = "identity-providers",
    params(
        ("idp" = IdentityProviderId, Path, description = "The provider."),
        ("LakeSail-Organization-Id" = Option<String>, Header, description = "The organization.")
    ),
    responses((status = 200, description = "The provider.", body = IdentityProviderView, headers(("ETag" = String, description = "Its version."))))
)]
pub(crate) async fn get(
    State(app): State<App>,
    NamedOrganization(organization): NamedOrganization,
    Path(provider): Path<IdentityProviderId>,
) -> Result<Tagged<IdentityProviderView>> {
    let row = app.store.public_identity_provider(&organization, &provider).await?;
    Ok(Tagged { body: IdentityProviderView::public(row.value), version: row.version })
}
