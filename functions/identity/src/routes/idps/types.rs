//! `GET /auth/identity-provider-types`: what can be set up.

use axum::Json;
use mainsheet_api::{Person, Result};
use serde::Serialize;
use utoipa::ToSchema;

use super::catalogue::{ProviderType, Registration, TYPES};

/// Since when the catalogue is as it is.
const CATALOGUE_DATE: &str = "2026-11-21T00:00:00.000Z";

/// The kinds of identity providers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IdentityProviderTypeList {
    items: Vec<IdentityProviderType>,
}

/// A kind of identity provider.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IdentityProviderType {
    #[schema(examples("keycloak"))]
    id: &'static str,
    /// Its name for people.
    #[schema(min_length = 1, max_length = 100)]
    name: &'static str,
    description: &'static str,
    /// The protocol: `oidc`.
    provider_type: &'static str,
    capabilities: IdentityProviderCapabilities,
    metadata: IdentityProviderTypeMetadata,
    enabled: bool,
    visible: bool,
    display_order: usize,
    #[schema(format = "date-time")]
    created_at: &'static str,
    #[schema(format = "date-time")]
    updated_at: &'static str,
}

/// What it can do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IdentityProviderCapabilities {
    dcr: DcrCapability,
    /// Whether there has to be a client secret; where not, PKCE alone will do.
    requires_client_secret: bool,
}

/// Whether clients can register themselves (RFC 7591).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DcrCapability {
    supported: bool,
    requires_token: bool,
    /// What kind of token, where one is required.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
}

/// More about it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IdentityProviderTypeMetadata {
    documentation_url: &'static str,
    setup_complexity: &'static str,
    vendor_type: &'static str,
    /// The issuer, where all customers have the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    default_issuer: Option<&'static str>,
    /// What an issuer looks like, with what differs in braces.
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer_template: Option<&'static str>,
}

impl IdentityProviderType {
    fn of((display_order, kind): (usize, &ProviderType)) -> Self {
        let requires_token = kind.registration == Registration::WithToken;
        Self {
            id: kind.id,
            name: kind.name,
            description: kind.description,
            provider_type: "oidc",
            capabilities: IdentityProviderCapabilities {
                dcr: DcrCapability {
                    supported: kind.registration != Registration::ByHand,
                    requires_token,
                    token_type: requires_token.then_some("initial_access_token"),
                },
                requires_client_secret: false,
            },
            metadata: IdentityProviderTypeMetadata {
                documentation_url: kind.documentation_url,
                setup_complexity: kind.setup_complexity,
                vendor_type: kind.vendor_type,
                default_issuer: kind.default_issuer,
                issuer_template: kind.issuer_template,
            },
            enabled: true,
            visible: true,
            display_order,
            created_at: CATALOGUE_DATE,
            updated_at: CATALOGUE_DATE,
        }
    }
}

/// List types of identity providers
#[utoipa::path(
    get, path = "/auth/identity-provider-types", operation_id = "listIdentityProviderTypes", tag = "identity-providers",
    responses((status = 200, description = "All of them.", body = IdentityProviderTypeList)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("self")))
)]
pub(crate) async fn types(_: Person) -> Result<Json<IdentityProviderTypeList>> {
    Ok(Json(IdentityProviderTypeList { items: TYPES.iter().enumerate().map(IdentityProviderType::of).collect() }))
}
