//! Access tokens: JWTs (RFC 9068) that name a login and its user, and never what they may do.

use std::time::Duration;

use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use mainsheet_core::{Error, LoginId, OrganizationId, Result, Timestamp, UserId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::keys::{KeyRing, SigningKey};

/// How long an access token can be used.
pub const ACCESS_TOKEN_VALID: Duration = Duration::from_secs(15 * 60);
/// Clocks may differ by this much.
const LEEWAY: Duration = Duration::from_secs(60);
/// Nothing we issue is longer; a longer text is refused unread.
const MAX_LENGTH: usize = 4096;

const ISSUER: &str = "mainsheet";

/// What a kind of token says besides the registered claims.
pub(crate) trait Kind: Serialize + DeserializeOwned {
    /// The header's `typ`.
    const TYPE: &'static str;
    /// The `aud` claim.
    const AUDIENCE: &'static str;
}

#[derive(Serialize, Deserialize)]
struct Claims<K> {
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
    #[serde(flatten)]
    kind: K,
}

/// Signs a token.
pub(crate) fn sign<K: Kind>(key: &SigningKey, kind: K, now: Timestamp, expires_at: Timestamp) -> Result<String> {
    let claims = Claims {
        iss: ISSUER.to_owned(),
        aud: K::AUDIENCE.to_owned(),
        iat: now.as_second(),
        exp: expires_at.as_second(),
        kind,
    };
    let header =
        Header { typ: Some(K::TYPE.to_owned()), kid: Some(key.kid().to_owned()), ..Header::new(Algorithm::EdDSA) };
    encode(&header, &claims, key.encoding()).map_err(Error::internal)
}

/// Checks a token: signature by a published key of the right purpose, algorithm, type, issuer, audience and times. Keys that
/// the token itself brings along (`jwk`, `jku`, `x5u`, `x5c`) make it invalid.
pub(crate) async fn check<K: Kind>(ring: &KeyRing, token: &str, now: Timestamp) -> Result<K> {
    if token.len() > MAX_LENGTH {
        return Err(Error::unauthenticated("token too long"));
    }
    let header = decode_header(token).map_err(Error::unauthenticated)?;
    let brings_keys = header.jwk.is_some() || header.jku.is_some() || header.x5u.is_some() || header.x5c.is_some();
    if header.alg != Algorithm::EdDSA || header.typ.as_deref() != Some(K::TYPE) || brings_keys {
        return Err(Error::unauthenticated("token of another algorithm or type, or with keys of its own"));
    }
    let kid = header.kid.ok_or_else(|| Error::unauthenticated("token without kid"))?;
    let key = ring.find(&kid).await?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&[K::AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "aud", "iss"]);
    // Times are compared below, with the injected clock.
    validation.validate_exp = false;
    let claims = decode::<Claims<K>>(token, &key, &validation).map_err(Error::unauthenticated)?.claims;
    let leeway = i64::try_from(LEEWAY.as_secs()).unwrap_or_default();
    if claims.exp <= now.as_second() {
        return Err(Error::unauthenticated("token expired"));
    }
    if claims.iat > now.as_second() + leeway {
        return Err(Error::unauthenticated("token from the future"));
    }
    Ok(claims.kind)
}

/// Whom an access token is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessToken {
    /// The user.
    #[serde(rename = "sub")]
    pub user_id: UserId,
    /// Their login.
    #[serde(rename = "sid")]
    pub login_id: LoginId,
    /// The only organization of the user when the token was signed: a hint what to read together with the login. It permits
    /// nothing.
    #[serde(rename = "org", default, skip_serializing_if = "Option::is_none")]
    pub organization_hint: Option<OrganizationId>,
}

impl Kind for AccessToken {
    const TYPE: &'static str = "at+jwt";
    const AUDIENCE: &'static str = "mainsheet-api";
}

impl AccessToken {
    /// Signs a token, and says when it expires.
    ///
    /// # Errors
    /// [`Error::Internal`] when the key does not sign.
    pub fn sign(self, key: &SigningKey, now: Timestamp) -> Result<(String, Timestamp)> {
        let expires_at = now + ACCESS_TOKEN_VALID;
        Ok((sign(key, self, now, expires_at)?, expires_at))
    }

    /// Reads a token that a published key signed and that has not expired.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for any other text.
    pub async fn check(ring: &KeyRing, token: &str, now: Timestamp) -> Result<Self> {
        check(ring, token, now).await
    }
}
