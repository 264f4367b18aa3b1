//! `PATCH /auth/idps/{idp}`: change what is given.

use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, Body, IfMatch, Path, Permitted, Result, Tagged, text};
use mainsheet_auth::Caller;
use mainsheet_auth::needs::CanManageIdentityProviders;
use mainsheet_core::IdentityProviderId;
use mainsheet_core::identity_provider::{IdentityProvider, SetBy};
use mainsheet_store::{Change, Row};
use serde::Deserialize;
use utoipa::ToSchema;

use super::delete::last_way_in;
use super::settings::{IdentityProviderConfigWrite, set_by};
use super::view::IdentityProviderSummary;
use crate::IdentityState;

/// What to change of an identity provider. What is absent stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct IdentityProviderUpdate {
    /// Its name for people.
    #[garde(inner(length(chars, min = 1, max = 255)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// How to speak to it.
    #[garde(dive)]
    config_write: Option<IdentityProviderConfigWrite>,
}

/// Change an identity provider
///
/// Takes effect with the next sign-in. Once somebody else than an Owner changes its issuer, client or scopes, Owners come in by it
/// no more; they do when an Owner sends its `configWrite`, be it unchanged. While the organization lets nobody in by password or
/// mailed code, only Owners change these of the last provider that an Owner set.
#[utoipa::path(
    patch, path = "/auth/idps/{idp}", operation_id = "updateIdentityProvider", tag = "identity-providers",
    params(("idp" = IdentityProviderId, Path, description = "The provider."), ("If-Match" = Option<String>, Header, description = "The version to change.")),
    request_body = IdentityProviderUpdate,
    responses((status = 200, description = "The changed provider.", body = IdentityProviderSummary, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageIdentityProviders")))
)]
pub(crate) async fn update(
    State(state): State<IdentityState>,
    State(app): State<App>,
    caller: Permitted<CanManageIdentityProviders>,
    Path(provider): Path<IdentityProviderId>,
    if_match: IfMatch,
    Body(body): Body<IdentityProviderUpdate>,
) -> Result<Tagged<IdentityProviderSummary>> {
    let row = app.store.identity_provider(caller.tenant(), &provider).await?;
    if_match.check(row.version)?;
    let change = app.store.change(caller.audit("identity_provider.update", &provider));
    let mut provider = row.value.clone();
    provider.name = body.name.unwrap_or(provider.name);
    if let Some(oidc) = body.config_write.and_then(|config| config.oidc) {
        provider.oidc = oidc.applied(&state.sso, caller.tenant().organization_id(), Some(&row.value.oidc))?;
        provider.set_by = match set_by(&caller) {
            SetBy::Administrator if provider.oidc.asks_as(&row.value.oidc) => row.value.set_by,
            set_by => set_by,
        };
    }
    provider.updated_at = change.now();
    provider.updated_by = caller.member_id().clone();
    let summary = IdentityProviderSummary::from;
    let change = match (row.value.set_by, provider.set_by) {
        (SetBy::Owner, SetBy::Administrator) => leave_owners_in(&app, &caller, change, &row).await?,
        _ => change,
    };
    change
        .details(Some(&summary(row.value.clone())), Some(&summary(provider.clone())))
        .replace_identity_provider(&row, &provider)
        .commit()
        .await?;
    Ok(Tagged { body: provider.into(), version: row.version + 1 })
}

/// The provider no more lets Owners in: where single sign-on is the one way in, another one has to.
async fn leave_owners_in<'s>(
    app: &App,
    caller: &Caller,
    change: Change<'s>,
    row: &Row<IdentityProvider>,
) -> mainsheet_core::Result<Change<'s>> {
    let organization = caller.organization(&app.store).await?;
    let change = change.require_settings(&organization);
    if !organization.value.settings.auth.is_single_sign_on_only() {
        return Ok(change);
    }
    let other = app.store.identity_provider_for_owners(caller.tenant(), Some(&row.value.id)).await?;
    Ok(change.require_identity_provider(&other.ok_or_else(last_way_in)?))
}
