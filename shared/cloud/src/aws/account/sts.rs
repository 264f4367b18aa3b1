//! AWS STS: assuming roles, and the tokens of clusters' Kubernetes APIs.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_sdk_sts::config::Credentials;
use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_sdk_sts::config::http::HttpResponse;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mainsheet_core::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::Session;
use super::refusal::{Asked, Refusal, refusal};
use crate::account::{Access, CloudError, CloudResult, EksToken};

/// How long the signed request inside a token is good for STS (as in the AWS CLI, `eks get-token`).
const SIGNATURE: Duration = Duration::from_secs(60);
/// How long a token is good for a cluster, which takes it for 15 minutes after it was signed; a minute less, for clocks.
const TOKEN: Duration = Duration::from_secs(14 * 60);
/// The header that says which cluster a token is for (aws-iam-authenticator).
const CLUSTER_HEADER: &str = "x-k8s-aws-id";

/// A role that was assumed.
pub(super) struct Assumed {
    pub(super) credentials: Credentials,
    pub(super) expires_at: Timestamp,
}

/// Assumes a role as whoever `config` says, at STS of the platform's own region: what that hands out is good everywhere.
pub(super) async fn assume(config: &SdkConfig, access: &Access) -> CloudResult<Assumed> {
    let request = aws_sdk_sts::Client::new(config)
        .assume_role()
        .role_arn(access.role_arn.as_str())
        .external_id(access.external_id.expose_secret())
        .role_session_name(&access.session_name);
    let answer = request.send().await.map_err(|error| not_assumed(access, &error))?;
    let credentials = answer
        .credentials
        .ok_or_else(|| CloudError::Unavailable { message: "STS answered without credentials".to_owned() })?;
    let expires_at = Timestamp::from_millisecond(credentials.expiration.to_millis().unwrap_or_default());
    let expiry = SystemTime::try_from(credentials.expiration).ok();
    let (key, secret, token) =
        (credentials.access_key_id, credentials.secret_access_key, Some(credentials.session_token));
    Ok(Assumed { credentials: Credentials::new(key, secret, token, expiry, "AssumeRole"), expires_at })
}

/// A refusal of a role that is gone is the same as one for a wrong external id. A platform that is nobody to AWS is no
/// customer's fault.
fn not_assumed(access: &Access, error: &SdkError<AssumeRoleError, HttpResponse>) -> CloudError {
    let role_arn = &access.role_arn;
    let message = error.message().unwrap_or_default().to_owned();
    match error.code() {
        Some("AccessDenied" | "AccessDeniedException") => {
            return CloudError::RoleNotAssumable { role_arn: role_arn.clone(), message };
        }
        Some("RegionDisabledException") => return CloudError::RegionUnavailable { region: access.region.clone() },
        _ => {}
    }
    match refusal(Asked::assume_role(role_arn.as_str()), error) {
        Refusal::Call(error) => error,
        Refusal::Credentials { message, .. } => CloudError::Unavailable { message },
    }
}

impl Session {
    /// What a cluster's API takes as bearer token.
    pub(super) async fn cluster_token(&self, cluster: &str) -> CloudResult<EksToken> {
        let now = self.accounts.now();
        let expires_at = self.expires_at.min(now + TOKEN);
        let endpoint = regional_endpoint(self.access.region.as_str()).await?;
        let url = presigned(&self.credentials, (&endpoint, self.access.region.as_str()), cluster, now);
        let url =
            url.map_err(|error| CloudError::Invalid { message: format!("the token cannot be signed: {error}") })?;
        let token = SecretString::from(format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(url)));
        Ok(EksToken { token, expires_at })
    }
}

/// Where STS answers in a region. Clusters refuse tokens that name any other host.
async fn regional_endpoint(region: &str) -> CloudResult<String> {
    let unknown = |error: String| CloudError::Invalid { message: format!("STS has no endpoint in {region}: {error}") };
    let params = Params::builder().region(region).build().map_err(|error| unknown(error.to_string()))?;
    let endpoint = DefaultResolver::new().resolve_endpoint(&params).await;
    endpoint.map(|endpoint| endpoint.url().to_owned()).map_err(|error| unknown(error.to_string()))
}

/// The URL of a signed request of `sts:GetCallerIdentity` that names a cluster.
fn presigned(
    credentials: &Credentials,
    (endpoint, region): (&str, &str),
    cluster: &str,
    now: Timestamp,
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(SIGNATURE);
    let identity = credentials.clone().into();
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(now.as_millisecond().unsigned_abs());
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("sts")
        .time(time)
        .settings(settings)
        .build()?;
    let uri = format!("{endpoint}/?Action=GetCallerIdentity&Version=2011-06-15");
    let headers = [(CLUSTER_HEADER, cluster)].into_iter();
    let signable = SignableRequest::new("GET", &uri, headers, SignableBody::Bytes(&[]))?;
    let (instructions, _) = sign(signable, &params.into())?.into_parts();
    let mut request = http::Request::get(&uri).body(())?;
    instructions.apply_to_request_http1x(&mut request);
    Ok(request.uri().to_string())
}
