//! Speaking to identity providers (OpenID Connect Core, Discovery, Back-Channel Logout; RFC 7591), through the guarded client.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use mainsheet_cloud::guarded_http::{Failure, GuardedHttp};
use mainsheet_core::identity_provider::OidcClient;
use mainsheet_core::{Error, Timestamp};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreErrorResponseType,
    CoreGenderClaim, CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm,
    CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreSubjectIdentifierType, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessTokenHash, AdditionalClaims, AdditionalProviderMetadata, AuthType, AuthenticationContextClass,
    AuthenticationFlow, AuthorizationCode, ClientId, ClientSecret, CsrfToken, DiscoveryError, EmptyAdditionalClaims,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IdTokenFields,
    IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata, RedirectUrl,
    RequestTokenError, Scope, StandardErrorResponse, StandardTokenResponse, TokenResponse, UserInfoClaims,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

/// How long all that is asked of a provider for one sign-in may take together: a function has ten seconds.
const PATIENCE: Duration = Duration::from_secs(8);
/// Clocks may differ by this much.
const LEEWAY: i64 = 60;
/// How old a logout token may be, in seconds.
const LOGOUT_TOKEN_VALID: i64 = 600;
/// What a logout token's `events` has to name (Back-Channel Logout, section 2.4).
const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// Signatures that somebody else's secret is needed for. Those by the client's own secret, and none, are not taken.
const SIGNATURES: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Why a provider cannot be used, in words for whoever set it up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Trouble(String);

impl Trouble {
    pub(crate) fn new(what: impl std::fmt::Display) -> Self {
        // What a provider sends is not to fill logs and answers.
        Self(what.to_string().chars().take(300).collect())
    }
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        Self::conflict("identity_provider_unusable", format!("The identity provider cannot be used: {trouble}."))
    }
}

/// What discovery documents have besides what the library knows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Extras {
    #[serde(default)]
    pub(crate) end_session_endpoint: Option<String>,
    #[serde(default)]
    pub(crate) backchannel_logout_supported: bool,
    #[serde(default)]
    pub(crate) backchannel_logout_session_supported: bool,
    #[serde(default)]
    pub(crate) frontchannel_logout_supported: bool,
    /// RFC 9207: answers name their issuer.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Extras {}

/// A discovery document.
pub(crate) type Metadata = ProviderMetadata<
    Extras,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// What ID tokens have besides what the library knows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct SessionClaims {
    #[serde(default)]
    sid: Option<String>,
}

impl AdditionalClaims for SessionClaims {}

type Tokens = StandardTokenResponse<
    IdTokenFields<
        SessionClaims,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

type Client = openidconnect::Client<
    SessionClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

type Answer = Pin<Box<dyn Future<Output = Result<HttpResponse, Failure>> + Send>>;

/// The guarded client as the library wants one.
pub(crate) fn caller(http: &GuardedHttp) -> impl Fn(HttpRequest) -> Answer + Send + Sync + use<> {
    let http = http.clone();
    move |request| {
        let http = http.clone();
        Box::pin(async move { http.send(request).await })
    }
}

/// What takes longer than a function may is given up.
pub(crate) async fn in_time<T>(work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    let late = |_| Trouble::new("it takes too long to answer");
    tokio::time::timeout(PATIENCE, work).await.map_err(late)?
}

/// A provider that told about itself.
pub(crate) struct Provider {
    pub(crate) metadata: Metadata,
    http: GuardedHttp,
}

/// A browser on its way to a provider.
pub(crate) struct Departure {
    pub(crate) url: Url,
    pub(crate) state: CsrfToken,
    pub(crate) nonce: Nonce,
    pub(crate) verifier: PkceCodeVerifier,
}

/// What an organization is at its provider.
pub(crate) struct Registered<'a> {
    pub(crate) oidc: &'a OidcClient,
    pub(crate) secret: Option<SecretString>,
    /// Where the provider sends browsers back to.
    pub(crate) callback: String,
    /// The authentication context class that the organization demands.
    pub(crate) acr: Option<String>,
}

/// A browser that came back.
pub(crate) struct Arrival {
    pub(crate) code: String,
    pub(crate) verifier: SecretString,
    pub(crate) nonce_sha256: String,
}

/// Who somebody is, as the provider says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) subject: String,
    pub(crate) sid: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) is_email_verified: bool,
    pub(crate) given_name: Option<String>,
    pub(crate) family_name: Option<String>,
}

/// A person by claims of either kind: they have the same names, and no trait in common.
macro_rules! person {
    ($claims:expr, $sid:expr) => {
        Person {
            subject: $claims.subject().to_string(),
            sid: $sid,
            email: $claims.email().map(|email| email.to_string()),
            is_email_verified: $claims.email_verified().unwrap_or_default(),
            given_name: $claims.given_name().and_then(|name| name.get(None)).map(|name| name.to_string()),
            family_name: $claims.family_name().and_then(|name| name.get(None)).map(|name| name.to_string()),
        }
    };
}

impl Provider {
    /// Reads the discovery document and the keys.
    pub(crate) async fn discover(http: &GuardedHttp, issuer: &str) -> Result<Self, Trouble> {
        let issuer = IssuerUrl::new(issuer.to_owned()).map_err(|_| Trouble::new("its issuer is no URL"))?;
        let call = caller(http);
        let metadata = Metadata::discover_async(issuer, &call).await.map_err(|error| undiscovered(&error))?;
        Ok(Self { metadata, http: http.clone() })
    }

    /// Whether answers of the authorization endpoint have to name their issuer (RFC 9207).
    pub(crate) fn names_issuer(&self) -> bool {
        self.metadata.additional_metadata().authorization_response_iss_parameter_supported
    }

    pub(crate) fn http(&self) -> &GuardedHttp {
        &self.http
    }

    fn client(&self, registered: &Registered<'_>) -> Result<Client, Trouble> {
        let secret = registered.secret.as_ref().map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
        let callback = RedirectUrl::new(registered.callback.clone()).map_err(Trouble::new)?;
        let methods = self.metadata.token_endpoint_auth_methods_supported();
        // Without a word about it, `client_secret_basic` is supported (Discovery, section 3).
        let basic = methods.is_none_or(|methods| methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
        let auth_type = if basic { AuthType::BasicAuth } else { AuthType::RequestBody };
        let client_id = ClientId::new(registered.oidc.client_id.clone());
        let client = Client::from_provider_metadata(self.metadata.clone(), client_id, secret);
        Ok(client.set_redirect_uri(callback).set_auth_type(auth_type))
    }

    /// Where to send a browser.
    pub(crate) fn depart(&self, registered: &Registered<'_>) -> Result<Departure, Trouble> {
        let client = self.client(registered)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let (state, nonce) = (|| CsrfToken::new_random_len(32), || Nonce::new_random_len(32));
        let scopes = registered.oidc.scopes.iter().filter(|scope| *scope != "openid");
        let request = client
            .authorize_url(flow, state, nonce)
            .add_scopes(scopes.map(|scope| Scope::new(scope.clone())))
            .set_pkce_challenge(challenge);
        let request = match &registered.acr {
            Some(acr) => request.add_auth_context_value(AuthenticationContextClass::new(acr.clone())),
            None => request,
        };
        let (url, state, nonce) = request.url();
        Ok(Departure { url, state, nonce, verifier })
    }

    /// Trades the code for an ID token and checks that (Core, section 3.1.3.7).
    pub(crate) async fn arrive(
        &self,
        registered: &Registered<'_>,
        arrival: Arrival,
        now: Timestamp,
    ) -> Result<Person, Trouble> {
        let client = self.client(registered)?;
        let call = caller(&self.http);
        let request = client.exchange_code(AuthorizationCode::new(arrival.code)).map_err(Trouble::new)?;
        let verifier = PkceCodeVerifier::new(arrival.verifier.expose_secret().to_owned());
        let tokens =
            request.set_pkce_verifier(verifier).request_async(&call).await.map_err(|error| untraded(&error))?;
        let id_token = tokens.id_token().ok_or_else(|| Trouble::new("it gave no ID token"))?;
        let announced = self.metadata.id_token_signing_alg_values_supported();
        let demanded = registered.acr.clone();
        let verifier = client
            .id_token_verifier()
            .set_allowed_algs(announced.iter().filter(|algorithm| SIGNATURES.contains(algorithm)).cloned())
            .set_time_fn(move || moment(now))
            .set_issue_time_verifier_fn(move |issued| {
                let from_future = issued.timestamp() > now.as_second() + LEEWAY;
                if from_future { Err("it was issued in the future".to_owned()) } else { Ok(()) }
            })
            .set_auth_context_verifier_fn(move |acr| match &demanded {
                Some(demanded) if acr.map(|acr| acr.as_str()) != Some(demanded) => {
                    Err(format!("the organization demands the authentication context class `{demanded}`"))
                }
                _ => Ok(()),
            });
        let nonce = |nonce: Option<&Nonce>| match nonce {
            Some(nonce) if mainsheet_store::identity_providers::sha256(nonce.secret()) == arrival.nonce_sha256 => {
                Ok(())
            }
            _ => Err("it answers another request".to_owned()),
        };
        let bad = |error: &dyn std::fmt::Display| Trouble::new(format!("its ID token is not valid: {error}"));
        let claims = id_token.claims(&verifier, nonce).map_err(|error| bad(&error))?;
        if let Some(expected) = claims.access_token_hash() {
            let algorithm = id_token.signing_alg().map_err(|error| bad(&error))?;
            let key = id_token.signing_key(&verifier).map_err(|error| bad(&error))?;
            let hash =
                AccessTokenHash::from_token(tokens.access_token(), algorithm, key).map_err(|error| bad(&error))?;
            if hash != *expected {
                return Err(bad(&"it belongs to another access token"));
            }
        }
        let sid = claims.additional_claims().sid.clone();
        if claims.email().is_some() || self.metadata.userinfo_endpoint().is_none() {
            return Ok(person!(claims, sid));
        }
        // By the letter of the standard, claims about the person are at the other endpoint when there is an access token.
        let request = client.user_info(tokens.access_token().clone(), Some(claims.subject().clone()));
        let request = request.map_err(Trouble::new)?;
        let told: Result<UserInfoClaims<EmptyAdditionalClaims, CoreGenderClaim>, _> =
            request.request_async(&call).await;
        let told =
            told.map_err(|error| Trouble::new(format!("its userinfo endpoint does not answer as it should: {error}")))?;
        Ok(person!(told, sid))
    }

    /// Reads a logout token (Back-Channel Logout, section 2.6).
    pub(crate) fn check_logout(&self, client_id: &str, token: &str, now: Timestamp) -> Result<LogoutClaims, Trouble> {
        let bad = |error: &dyn std::fmt::Display| Trouble::new(format!("the logout token is not valid: {error}"));
        let header = decode_header(token).map_err(|error| bad(&error))?;
        let typed = header.typ.as_deref().map(str::to_ascii_lowercase);
        // Explicit typing came late: there are providers that call it a JWT, or nothing.
        if !matches!(typed.as_deref(), None | Some("jwt" | "logout+jwt" | "application/logout+jwt")) {
            return Err(bad(&"it is of another type"));
        }
        let asymmetric = !matches!(header.alg, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512);
        let keys = serde_json::to_value(self.metadata.jwks()).and_then(serde_json::from_value::<JwkSet>);
        let keys = keys.map_err(|error| bad(&error))?;
        let key = match &header.kid {
            Some(kid) => keys.find(kid),
            None if keys.keys.len() == 1 => keys.keys.first(),
            None => None,
        };
        let key = key.filter(|_| asymmetric).ok_or_else(|| bad(&"no key of the provider signed it"))?;
        let key = DecodingKey::from_jwk(key).map_err(|error| bad(&error))?;
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[self.metadata.issuer().as_str()]);
        validation.set_audience(&[client_id]);
        validation.set_required_spec_claims(&["iss", "aud"]);
        // Times are compared below, with the injected clock.
        validation.validate_exp = false;
        let claims = decode::<LogoutClaims>(token, &key, &validation).map_err(|error| bad(&error))?.claims;
        claims.check(now).map_err(|why| bad(&why))?;
        Ok(claims)
    }
}

/// What a logout token says.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct LogoutClaims {
    pub(crate) jti: String,
    #[serde(default)]
    pub(crate) sub: Option<String>,
    #[serde(default)]
    pub(crate) sid: Option<String>,
    iat: i64,
    #[serde(default)]
    exp: Option<i64>,
    #[serde(default)]
    nonce: Option<serde_json::Value>,
    events: serde_json::Map<String, serde_json::Value>,
}

impl LogoutClaims {
    fn check(&self, now: Timestamp) -> Result<(), &'static str> {
        let now = now.as_second();
        if self.iat > now + LEEWAY || self.iat < now - LOGOUT_TOKEN_VALID - LEEWAY {
            return Err("it was not issued just now");
        }
        if self.exp.is_some_and(|exp| exp <= now - LEEWAY) {
            return Err("it has expired");
        }
        if self.nonce.is_some() {
            return Err("it has a nonce: it is no logout token");
        }
        if !self.events.get(LOGOUT_EVENT).is_some_and(serde_json::Value::is_object) {
            return Err("it does not tell of a logout");
        }
        if self.sub.is_none() && self.sid.is_none() {
            return Err("it says neither whose nor which session ended");
        }
        Ok(())
    }
}

fn moment(now: Timestamp) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp_millis(now.as_millisecond()).unwrap_or_default()
}

fn undiscovered(error: &DiscoveryError<Failure>) -> Trouble {
    match error {
        DiscoveryError::Request(failure) => Trouble::new(failure),
        DiscoveryError::Response(status, ..) => {
            Trouble::new(format!("its discovery document or its keys are answered with status {}", status.as_u16()))
        }
        DiscoveryError::Parse(error) => {
            Trouble::new(format!("its discovery document or its keys cannot be read: {error}"))
        }
        DiscoveryError::Validation(why) => Trouble::new(format!("its discovery document is not its own: {why}")),
        _ => Trouble::new("its discovery document cannot be read"),
    }
}

type TradeError = RequestTokenError<Failure, StandardErrorResponse<CoreErrorResponseType>>;

fn untraded(error: &TradeError) -> Trouble {
    match error {
        RequestTokenError::Request(failure) => Trouble::new(failure),
        RequestTokenError::ServerResponse(answer) => {
            Trouble::new(format!("it did not take the code ({}): check client and secret", answer.error().as_ref()))
        }
        _ => Trouble::new("its token endpoint does not answer as it should"),
    }
}
