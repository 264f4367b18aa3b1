//! Identity providers as answers show them: never with their secret.

use mainsheet_core::identity_provider::IdentityProvider;
use mainsheet_core::{IdentityProviderId, MemberId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// An identity provider, briefly.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IdentityProviderSummary {
    id: IdentityProviderId,
    /// Of which type it is.
    #[schema(examples("keycloak"))]
    identity_provider_type_id: String,
    /// Its name for people.
    #[schema(min_length = 1, max_length = 255, examples("prod-main"))]
    name: String,
    config: IdentityProviderConfig,
}

/// An identity provider.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = IdentityProvider)]
pub(crate) struct IdentityProviderView {
    #[serde(flatten)]
    summary: IdentityProviderSummary,
    created_at: Timestamp,
    /// By whom; not told to those who are not signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<MemberId>,
    updated_at: Timestamp,
    /// By whom; not told to those who are not signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_by: Option<MemberId>,
}

/// How to speak to it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IdentityProviderConfig {
    oidc: OidcConfig,
}

/// How to speak to it by OpenID Connect.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OidcConfig {
    /// Its name for itself.
    issuer: String,
    /// The organization's name there.
    client_id: String,
    /// Whether there is a client secret.
    client_secret_configured: bool,
    /// What is asked for.
    scopes: Vec<String>,
}

impl From<IdentityProvider> for IdentityProviderSummary {
    fn from(provider: IdentityProvider) -> Self {
        let oidc = OidcConfig {
            issuer: provider.oidc.issuer,
            client_id: provider.oidc.client_id,
            client_secret_configured: provider.oidc.client_secret.is_some(),
            scopes: provider.oidc.scopes,
        };
        Self {
            id: provider.id,
            identity_provider_type_id: provider.identity_provider_type_id,
            name: provider.name,
            config: IdentityProviderConfig { oidc },
        }
    }
}

impl From<IdentityProvider> for IdentityProviderView {
    fn from(provider: IdentityProvider) -> Self {
        Self {
            created_at: provider.created_at,
            created_by: Some(provider.created_by.clone()),
            updated_at: provider.updated_at,
            updated_by: Some(provider.updated_by.clone()),
            summary: provider.into(),
        }
    }
}

impl IdentityProviderView {
    /// What anybody may see.
    pub(super) fn public(provider: IdentityProvider) -> Self {
        Self { created_by: None, updated_by: None, ..provider.into() }
    }
}
