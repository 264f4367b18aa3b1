//! `POST /auth/idps/{idp}/test-connection`: does the provider answer, and with what?

use axum::Json;
use axum::extract::State;
use mainsheet_api::{Action, App, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageIdentityProviders;
use mainsheet_core::IdentityProviderId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::IdentityState;
use crate::oidc::{Metadata, Provider, Trouble, in_time};

/// What came of a test.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IdentityProviderTestResult {
    /// Whether people can be sent there.
    success: bool,
    /// What was found, or what is wrong.
    message: String,
    /// What the provider tells about itself; absent when it could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<IdentityProviderTestDetails>,
}

/// What a provider tells about itself.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IdentityProviderTestDetails {
    issuer: String,
    endpoints: OidcEndpoints,
    backchannel_logout_supported: bool,
    backchannel_logout_session_supported: bool,
    frontchannel_logout_supported: bool,
    scopes_supported: Vec<String>,
    claims_supported: Vec<String>,
}

/// Where a provider is asked what.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OidcEndpoints {
    authorization: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    userinfo: Option<String>,
    jwks: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_session: Option<String>,
}

impl From<&Metadata> for IdentityProviderTestDetails {
    fn from(metadata: &Metadata) -> Self {
        let extras = metadata.additional_metadata();
        let scopes = metadata.scopes_supported().into_iter().flatten();
        let claims = metadata.claims_supported().into_iter().flatten();
        Self {
            issuer: metadata.issuer().to_string(),
            endpoints: OidcEndpoints {
                authorization: metadata.authorization_endpoint().to_string(),
                token: metadata.token_endpoint().map(ToString::to_string),
                userinfo: metadata.userinfo_endpoint().map(ToString::to_string),
                jwks: metadata.jwks_uri().to_string(),
                end_session: extras.end_session_endpoint.clone(),
            },
            backchannel_logout_supported: extras.backchannel_logout_supported,
            backchannel_logout_session_supported: extras.backchannel_logout_session_supported,
            frontchannel_logout_supported: extras.frontchannel_logout_supported,
            scopes_supported: scopes.map(|scope| scope.to_string()).collect(),
            claims_supported: claims.map(|claim| claim.to_string()).collect(),
        }
    }
}

impl From<std::result::Result<Provider, Trouble>> for IdentityProviderTestResult {
    fn from(found: std::result::Result<Provider, Trouble>) -> Self {
        match found {
            Ok(provider) => Self {
                success: true,
                message: "The provider answers with its discovery document and its keys.".to_owned(),
                details: Some((&provider.metadata).into()),
            },
            Err(trouble) => {
                Self { success: false, message: format!("The provider cannot be used: {trouble}."), details: None }
            }
        }
    }
}

/// Test an identity provider
///
/// Reads its discovery document and its keys. Client and secret are first tried when somebody signs in.
#[utoipa::path(
    post, path = "/auth/idps/{idp}/test-connection", operation_id = "testIdentityProvider", tag = "identity-providers",
    params(("idp" = IdentityProviderId, Path, description = "The provider.")),
    responses((status = 200, description = "What came of it.", body = IdentityProviderTestResult)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageIdentityProviders")))
)]
pub(crate) async fn test(
    State(state): State<IdentityState>,
    State(app): State<App>,
    caller: Permitted<CanManageIdentityProviders>,
    Path(provider): Path<IdentityProviderId>,
    Action(idempotent): Action,
) -> Result<Json<IdentityProviderTestResult>> {
    let row = app.store.identity_provider(caller.tenant(), &provider).await?;
    let found = in_time(Provider::discover(&state.sso.http, &row.value.oidc.issuer)).await;
    if idempotent.earlier::<IdentityProviderId>()?.is_none() {
        let change = app.store.change(caller.audit("identity_provider.test", &provider));
        change.idempotent(idempotent.request(), provider.as_str()).commit().await?;
    }
    Ok(Json(found.into()))
}
