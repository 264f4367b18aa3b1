//! `POST /auth/idps`: set up a provider by hand.

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Command, Permitted, Result, Tagged, created, text};
use mainsheet_auth::needs::CanManageIdentityProviders;
use mainsheet_core::identity_provider::IdentityProvider;
use mainsheet_core::{Error, IdentityProviderId};
use serde::Deserialize;
use utoipa::ToSchema;

use super::catalogue;
use super::settings::{IdentityProviderConfigWrite, set_by};
use super::view::{IdentityProviderSummary, IdentityProviderView};
use crate::IdentityState;

/// A new identity provider.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct IdentityProviderCreate {
    /// Of which type it is.
    #[garde(length(chars, min = 1, max = 100), custom(text::line))]
    #[schema(min_length = 1, max_length = 100, examples("keycloak"))]
    identity_provider_type_id: String,
    /// Its name for people.
    #[garde(length(chars, min = 1, max = 255), custom(text::line))]
    #[schema(min_length = 1, max_length = 255, examples("prod-main"))]
    name: String,
    /// How to speak to it.
    #[garde(dive)]
    config_write: IdentityProviderConfigWrite,
}

/// Set up an identity provider
///
/// For a client that was registered at the provider by hand, with `<base>/auth/sso/{idp}/callback` to send people back to. Owners
/// come in by a provider that an Owner set up alone.
#[utoipa::path(
    post, path = "/auth/idps", operation_id = "createIdentityProvider", tag = "identity-providers",
    request_body = IdentityProviderCreate,
    responses((status = 201, description = "The new provider.", body = IdentityProviderView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageIdentityProviders")))
)]
pub(crate) async fn create(
    State(state): State<IdentityState>,
    State(app): State<App>,
    caller: Permitted<CanManageIdentityProviders>,
    Command { body, idempotent }: Command<IdentityProviderCreate>,
) -> Result<(StatusCode, Tagged<IdentityProviderView>)> {
    if let Some(earlier) = idempotent.earlier::<IdentityProviderId>()? {
        let row = app.store.identity_provider(caller.tenant(), &earlier).await?;
        return Ok(created(row.value.into(), row.version));
    }
    catalogue::find(&body.identity_provider_type_id, "identityProviderTypeId")?;
    let oidc = body.config_write.oidc.ok_or_else(|| Error::invalid("configWrite.oidc", "is required"))?;
    let now = app.now();
    let provider = IdentityProvider {
        id: IdentityProviderId::generate(now),
        identity_provider_type_id: body.identity_provider_type_id,
        name: body.name,
        oidc: oidc.applied(&state.sso, caller.tenant().organization_id(), None)?,
        set_by: set_by(&caller),
        created_at: now,
        created_by: caller.member_id().clone(),
        updated_at: now,
        updated_by: caller.member_id().clone(),
    };
    app.store
        .change(caller.audit("identity_provider.create", &provider.id))
        .details(None, Some(&IdentityProviderSummary::from(provider.clone())))
        .create_identity_provider(caller.tenant(), &provider)
        .idempotent(idempotent.request(), provider.id.as_str())
        .commit()
        .await?;
    Ok(created(provider.into(), 1))
}
