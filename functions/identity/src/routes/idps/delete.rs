//! `DELETE /auth/idps/{idp}`: a way in less.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, IfMatch, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageIdentityProviders;
use mainsheet_core::IdentityProviderId;

/// Delete an identity provider
///
/// Who signed in through it alone has to find another way in. Logins that came from it last on.
#[utoipa::path(
    delete, path = "/auth/idps/{idp}", operation_id = "deleteIdentityProvider", tag = "identity-providers",
    params(("idp" = IdentityProviderId, Path, description = "The provider."), ("If-Match" = Option<String>, Header, description = "The version to delete.")),
    responses((status = 204, description = "It is gone.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageIdentityProviders")))
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Permitted<CanManageIdentityProviders>,
    Path(provider): Path<IdentityProviderId>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    let row = app.store.identity_provider(caller.tenant(), &provider).await?;
    if_match.check(row.version)?;
    let change = app.store.change(caller.audit("identity_provider.delete", &provider));
    change.delete_identity_provider(&row).commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
