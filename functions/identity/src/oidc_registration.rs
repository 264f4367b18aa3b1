//! Registering as a client of a provider (RFC 7591; OpenID Connect Dynamic Client Registration).

use openidconnect::core::{
    CoreApplicationType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm, CoreRegisterErrorResponseType, CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::registration::{
    AdditionalClientMetadata, ClientRegistrationError, ClientRegistrationRequest,
    EmptyAdditionalClientRegistrationResponse,
};
use openidconnect::{AccessToken, ClientName, LocalizedClaim, RedirectUrl, ResponseTypes};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::oidc::{Provider, Trouble, caller, in_time};

/// A client that wants to be known.
pub(crate) struct Registration {
    pub(crate) client_name: String,
    pub(crate) callback: String,
    pub(crate) backchannel_logout: String,
    pub(crate) initial_access_token: Option<SecretString>,
}

/// Why it is not.
pub(crate) enum Unregistered {
    /// The provider lets no client register itself.
    Unsupported,
    /// It did not let this one.
    Refused(Trouble),
}

/// What clients have besides what the library knows (Back-Channel Logout, section 2.2).
#[derive(Debug, Serialize, Deserialize)]
struct LogoutMetadata {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backchannel_logout_uri: Option<String>,
    #[serde(default)]
    backchannel_logout_session_required: bool,
}

impl AdditionalClientMetadata for LogoutMetadata {}

type Request = ClientRegistrationRequest<
    LogoutMetadata,
    EmptyAdditionalClientRegistrationResponse,
    CoreApplicationType,
    CoreClientAuthMethod,
    CoreRegisterErrorResponseType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

impl Provider {
    /// Registers a client: its id, and its secret if it got one.
    pub(crate) async fn register(
        &self,
        registration: Registration,
    ) -> Result<(String, Option<SecretString>), Unregistered> {
        let endpoint = self.metadata.registration_endpoint().ok_or(Unregistered::Unsupported)?;
        let extras = self.metadata.additional_metadata();
        let logout = LogoutMetadata {
            backchannel_logout_uri: extras.backchannel_logout_supported.then_some(registration.backchannel_logout),
            backchannel_logout_session_required: extras.backchannel_logout_session_supported,
        };
        let callback =
            RedirectUrl::new(registration.callback).map_err(|error| Unregistered::Refused(Trouble::new(error)))?;
        let name = LocalizedClaim::from(ClientName::new(registration.client_name));
        let token = registration.initial_access_token.map(|token| AccessToken::new(token.expose_secret().to_owned()));
        let request = Request::new(vec![callback], logout)
            .set_client_name(Some(name))
            .set_application_type(Some(CoreApplicationType::Web))
            .set_response_types(Some(vec![ResponseTypes::new(vec![CoreResponseType::Code])]))
            .set_grant_types(Some(vec![CoreGrantType::AuthorizationCode]))
            .set_token_endpoint_auth_method(Some(CoreClientAuthMethod::ClientSecretBasic))
            .set_initial_access_token(token);
        let call = caller(self.http());
        let registered =
            in_time(async { request.register_async(endpoint, &call).await.map_err(|error| trouble(&error)) });
        let registered = registered.await.map_err(Unregistered::Refused)?;
        let secret = registered.client_secret().map(|secret| SecretString::from(secret.secret().clone()));
        Ok((registered.client_id().to_string(), secret))
    }
}

type Failed = ClientRegistrationError<CoreRegisterErrorResponseType, mainsheet_cloud::guarded_http::Failure>;

fn trouble(error: &Failed) -> Trouble {
    match error {
        ClientRegistrationError::Request(failure) => Trouble::new(failure),
        ClientRegistrationError::Response(status, ..) => {
            Trouble::new(format!("it answered with status {}", status.as_u16()))
        }
        ClientRegistrationError::ServerResponse(answer) => {
            Trouble::new(format!("it answered `{}`", answer.error().as_ref()))
        }
        _ => Trouble::new("its answer cannot be read"),
    }
}
