//! `POST /auth/idps/{idp}/rotate-secret`: a new client secret.

use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, Command, Path, Permitted, Result, Tagged};
use mainsheet_auth::needs::CanManageIdentityProviders;
use mainsheet_core::IdentityProviderId;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::settings::secret_rule;
use super::view::IdentityProviderSummary;
use crate::IdentityState;

/// A client secret that the provider issued.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct IdentityProviderSecretRotate {
    /// The new secret.
    #[garde(custom(secret_rule))]
    #[schema(value_type = String, format = "password", min_length = 1, max_length = 2048)]
    client_secret: SecretString,
}

/// Store a new client secret
///
/// The provider issues it; here it takes the old one's place.
#[utoipa::path(
    post, path = "/auth/idps/{idp}/rotate-secret", operation_id = "rotateIdentityProviderSecret", tag = "identity-providers",
    params(("idp" = IdentityProviderId, Path, description = "The provider.")),
    request_body = IdentityProviderSecretRotate,
    responses((status = 200, description = "The provider.", body = IdentityProviderSummary, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageIdentityProviders")))
)]
pub(crate) async fn rotate_secret(
    State(state): State<IdentityState>,
    State(app): State<App>,
    caller: Permitted<CanManageIdentityProviders>,
    Path(provider): Path<IdentityProviderId>,
    Command { body, idempotent }: Command<IdentityProviderSecretRotate>,
) -> Result<Tagged<IdentityProviderSummary>> {
    let row = app.store.identity_provider(caller.tenant(), &provider).await?;
    if idempotent.earlier::<IdentityProviderId>()?.is_some() {
        return Ok(Tagged { body: row.value.into(), version: row.version });
    }
    let change = app.store.change(caller.audit("identity_provider.rotate_secret", &provider));
    let mut provider = row.value.clone();
    provider.oidc.client_secret = Some(state.sso.seal(caller.tenant().organization_id(), &body.client_secret)?);
    provider.updated_at = change.now();
    provider.updated_by = caller.member_id().clone();
    change
        .replace_identity_provider(&row, &provider)
        .idempotent(idempotent.request(), provider.id.as_str())
        .commit()
        .await?;
    Ok(Tagged { body: provider.into(), version: row.version + 1 })
}
