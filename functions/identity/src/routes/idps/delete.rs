//! `DELETE /auth/idps/{idp}`: a way in less.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, IfMatch, Path, Permitted, Result};
use mainsheet_auth::Caller;
use mainsheet_auth::needs::CanManageIdentityProviders;
use mainsheet_core::identity_provider::SetBy;
use mainsheet_core::{Error, IdentityProviderId};
use mainsheet_store::retry_races;

use super::view::IdentityProviderSummary;

/// Delete an identity provider
///
/// Who signed in through it alone has to find another way in. Logins that came from it last on. The last provider stays while
/// the organization lets nobody in by password or mailed code, and so does the last one that an Owner set.
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
    retry_races(|| delete_once(&app, &caller, &provider, &if_match)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_once(
    app: &App,
    caller: &Caller,
    provider: &IdentityProviderId,
    if_match: &IfMatch,
) -> mainsheet_core::Result<()> {
    let (store, tenant) = (&app.store, caller.tenant());
    let (row, organization) = store.identity_provider_and_organization(tenant, provider).await?;
    if_match.check(row.version).map_err(|problem| problem.0)?;
    let change = store.change(caller.audit("identity_provider.delete", provider));
    let change = change.details(Some(&IdentityProviderSummary::from(row.value.clone())), None);
    let change = if organization.value.settings.auth.is_single_sign_on_only() {
        let other = match row.value.set_by {
            SetBy::Owner => store.identity_provider_for_owners(tenant, Some(provider)).await?,
            SetBy::Administrator => store.any_identity_provider(tenant, Some(provider)).await?,
        };
        change.require_identity_provider(&other.ok_or_else(last_way_in)?)
    } else {
        change
    };
    change.delete_identity_provider(&row, &organization).commit().await
}

/// Nobody would come in any more, or no Owner.
pub(super) fn last_way_in() -> Error {
    Error::conflict(
        "last_identity_provider",
        "People, or Owners among them, sign in through this provider alone. Allow passwords or mailed codes in `PATCH /org`, or \
         have an Owner set up another provider first, or make this change.",
    )
}
