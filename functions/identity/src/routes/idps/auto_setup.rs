//! `POST /auth/idps/auto-setup`: set up a provider that lets clients register themselves (RFC 7591).

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Command, Permitted, Result, Tagged, created, text};
use mainsheet_auth::needs::CanManageIdentityProviders;
use mainsheet_core::identity_provider::{IdentityProvider, OidcClient};
use mainsheet_core::{Error, IdentityProviderId};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::catalogue;
use super::settings::{default_scopes, secret_rule, set_by};
use super::view::IdentityProviderSummary;
use crate::IdentityState;
use crate::oidc::{Provider, in_time};
use crate::oidc_registration::{Registration, Unregistered};

/// Where the provider is.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct IdentityProviderAutoSetup {
    /// Its name for people.
    #[garde(length(chars, min = 1, max = 255), custom(text::line))]
    #[schema(min_length = 1, max_length = 255, examples("Company SSO"))]
    name: String,
    /// Its address, which its discovery document is below.
    #[garde(length(chars, min = 1, max = 1023), custom(text::line))]
    #[schema(min_length = 1, max_length = 1023, examples("https://keycloak.example.com/realms/myrealm"))]
    provider_url: String,
    /// Of which type it is; `oidc` unless given.
    #[garde(inner(length(chars, min = 1, max = 100)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 100, examples("okta"))]
    provider_type: Option<String>,
    /// For providers that ask for one.
    #[garde(custom(optional_token))]
    #[schema(value_type = Option<String>, format = "password", min_length = 1, max_length = 2048)]
    initial_access_token: Option<SecretString>,
}

#[allow(clippy::ref_option, reason = "garde passes the field")]
fn optional_token(token: &Option<SecretString>, context: &()) -> garde::Result {
    token.as_ref().map_or(Ok(()), |token| secret_rule(token, context))
}

/// Set up an identity provider automatically
///
/// Discovers the provider and registers a client there, for sign-in and for back-channel logout. Owners come in by a provider that
/// an Owner set up alone.
#[utoipa::path(
    post, path = "/auth/idps/auto-setup", operation_id = "autoSetupIdentityProvider", tag = "identity-providers",
    request_body = IdentityProviderAutoSetup,
    responses((status = 201, description = "The new provider.", body = IdentityProviderSummary, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageIdentityProviders")))
)]
pub(crate) async fn auto_setup(
    State(state): State<IdentityState>,
    State(app): State<App>,
    caller: Permitted<CanManageIdentityProviders>,
    Command { body, idempotent }: Command<IdentityProviderAutoSetup>,
) -> Result<(StatusCode, Tagged<IdentityProviderSummary>)> {
    if let Some(earlier) = idempotent.earlier::<IdentityProviderId>()? {
        let row = app.store.identity_provider(caller.tenant(), &earlier).await?;
        return Ok(created(row.value.into(), row.version));
    }
    let kind = catalogue::find(body.provider_type.as_deref().unwrap_or("oidc"), "providerType")?;
    state.sso.checked_address(&body.provider_url, "providerUrl")?;
    let found = in_time(Provider::discover(&state.sso.http, &body.provider_url)).await;
    let found = found.map_err(|trouble| Error::invalid("providerUrl", format!("leads to no provider: {trouble}")))?;
    let now = app.now();
    let id = IdentityProviderId::generate(now);
    let registration = Registration {
        client_name: format!("Mainsheet: {}", body.name),
        callback: state.sso.callback(&id),
        backchannel_logout: state.sso.backchannel_logout(&id),
        initial_access_token: body.initial_access_token,
    };
    let (client_id, secret) = found.register(registration).await.map_err(refused)?;
    let organization = caller.tenant().organization_id();
    let client_secret = secret.map(|secret| state.sso.seal(organization, &secret)).transpose()?;
    let issuer = found.metadata.issuer().to_string();
    let provider = IdentityProvider {
        id,
        identity_provider_type_id: kind.id.to_owned(),
        name: body.name,
        oidc: OidcClient { issuer, client_id, client_secret, scopes: default_scopes() },
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

fn refused(error: Unregistered) -> Error {
    match error {
        Unregistered::Unsupported => Error::conflict(
            "registration_unsupported",
            "The provider does not let clients register themselves. Register one there by hand, and set the provider up with \
             its id and secret.",
        ),
        Unregistered::Refused(why) => Error::conflict(
            "registration_refused",
            format!("The provider did not register the client: {why}. It may ask for an `initialAccessToken`."),
        ),
    }
}
