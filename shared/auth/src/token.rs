//! Access tokens: JWTs (RFC 9068) that name a login and its user, and never what they may do.

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header, encode};
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

/// Checks a token: signature by a published key of the right purpose, algorithm, type, issuer, audience and times.
pub(crate) async fn check<K: Kind>(ring: &KeyRing, token: &str, now: Timestamp) -> Result<K> {
    let key = ring.find(&key_of::<K>(token)?).await?;
    read(token, &key, now)
}

/// The id of the key that a token says it is signed with. Keys that the token itself brings along (`jwk`, `jku`, `x5u`, `x5c`),
/// and extensions that have to be understood (`crit`), make it invalid.
fn key_of<K: Kind>(token: &str) -> Result<String> {
    if token.len() > MAX_LENGTH {
        return Err(Error::unauthenticated("token too long"));
    }
    let header = decode_header(token).map_err(Error::unauthenticated)?;
    let brings_keys = header.jwk.is_some() || header.jku.is_some() || header.x5u.is_some() || header.x5c.is_some();
    let brings_keys = brings_keys || header.crit.is_some();
    if header.alg != Algorithm::EdDSA || header.typ.as_deref() != Some(K::TYPE) || brings_keys {
        return Err(Error::unauthenticated("token of another algorithm or type, or with keys of its own"));
    }
    header.kid.ok_or_else(|| Error::unauthenticated("token without kid"))
}

fn read<K: Kind>(token: &str, key: &DecodingKey, now: Timestamp) -> Result<K> {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&[K::AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "aud", "iss"]);
    // Times are compared below, with the injected clock.
    validation.validate_exp = false;
    let claims = decode::<Claims<K>>(token, key, &validation).map_err(Error::unauthenticated)?.claims;
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
    /// The client's key that the token is bound to.
    #[serde(rename = "cnf", default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<Confirmation>,
}

/// A key that a token is bound to (RFC 9449, section 6.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// Its thumbprint (RFC 7638).
    pub jkt: String,
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

#[cfg(test)]
mod tests {
    use jsonwebtoken::EncodingKey;
    use mainsheet_core::{Error, LoginId, UserId};
    use serde_json::{Value, json};

    use super::*;
    use crate::keys::Purpose;

    fn key(secret: &str) -> SigningKey {
        SigningKey::derive(&secret.into(), Purpose::Access).unwrap()
    }

    const SECRET: &str = "a secret that only these tests know, and no one else";

    fn now() -> Timestamp {
        "2026-11-21T08:30:00Z".parse().unwrap()
    }

    fn right() -> Value {
        let (user, login) = (UserId::generate(now()), LoginId::generate(now()));
        let times = (now().as_second(), now().as_second() + 900);
        json!({ "iss": ISSUER, "aud": AccessToken::AUDIENCE, "iat": times.0, "exp": times.1, "sub": user, "sid": login })
    }

    /// Signed with the right key, whatever header and claims say.
    fn signed(change: impl FnOnce(&mut Header), claims: &Value) -> String {
        let key = key(SECRET);
        let mut header = Header::new(Algorithm::EdDSA);
        (header.typ, header.kid) = (Some(AccessToken::TYPE.to_owned()), Some(key.kid().to_owned()));
        change(&mut header);
        encode(&header, claims, key.encoding()).unwrap()
    }

    fn check_with(token: &str, signer: &SigningKey, at: Timestamp) -> Result<AccessToken> {
        let public = DecodingKey::from_ed_components(signer.x()).unwrap();
        let kid = key_of::<AccessToken>(token)?;
        if kid != signer.kid() {
            return Err(Error::unauthenticated("no such key"));
        }
        read(token, &public, at)
    }

    #[track_caller]
    fn refused(what: &str, token: &str) {
        let checked = check_with(token, &key(SECRET), now());
        assert!(matches!(checked, Err(Error::Unauthenticated { .. })), "{what}: {checked:?}");
    }

    #[test]
    fn headers_that_lead_elsewhere_are_refused_though_the_signature_is_right() {
        check_with(&signed(|_| {}, &right()), &key(SECRET), now()).unwrap();
        let jwk = serde_json::from_value(json!({ "kty": "OKP", "crv": "Ed25519", "x": key(SECRET).x() })).unwrap();
        refused("jwk", &signed(|header| header.jwk = Some(jwk), &right()));
        refused("jku", &signed(|header| header.jku = Some("https://keys.example/".to_owned()), &right()));
        refused("x5u", &signed(|header| header.x5u = Some("https://keys.example/".to_owned()), &right()));
        refused("x5c", &signed(|header| header.x5c = Some(vec!["AAAA".to_owned()]), &right()));
        refused("crit", &signed(|header| header.crit = Some(vec!["exp".to_owned()]), &right()));
        refused("no kid", &signed(|header| header.kid = None, &right()));
        refused("a foreign kid", &signed(|header| header.kid = Some("somebody".to_owned()), &right()));
        refused("typ", &signed(|header| header.typ = Some("JWT".to_owned()), &right()));
        refused("no typ", &signed(|header| header.typ = None, &right()));
        let mail = signed(|header| header.typ = Some("email-verification+jwt".to_owned()), &right());
        refused("another kind of token", &mail);
    }

    #[test]
    fn algorithms_are_not_confused() {
        let right_key = key(SECRET);
        // The public key as the secret of an HMAC: it is there for everybody to read.
        let mut header = Header::new(Algorithm::HS256);
        (header.typ, header.kid) = (Some(AccessToken::TYPE.to_owned()), Some(right_key.kid().to_owned()));
        refused("HS256", &encode(&header, &right(), &EncodingKey::from_secret(right_key.x().as_bytes())).unwrap());
        let good = signed(|_| {}, &right());
        let (_, claims_and_signature) = good.split_once('.').unwrap();
        for alg in ["none", "None", "NONE", "HS256", "RS256", "ES256"] {
            use base64::Engine as _;
            let header = json!({ "alg": alg, "typ": AccessToken::TYPE, "kid": right_key.kid() }).to_string();
            let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(header);
            refused(alg, &format!("{header}.{claims_and_signature}"));
            let claims = claims_and_signature.split('.').next().unwrap();
            refused(alg, &format!("{header}.{claims}."));
        }
        let others = key("another secret that only these tests know, no one else");
        let mut header = Header::new(Algorithm::EdDSA);
        (header.typ, header.kid) = (Some(AccessToken::TYPE.to_owned()), Some(right_key.kid().to_owned()));
        refused("another's key under our kid", &encode(&header, &right(), others.encoding()).unwrap());
    }

    #[test]
    fn claims_are_for_us_and_for_now() {
        let with = |name: &str, value: Value| {
            let mut claims = right();
            claims[name] = value;
            signed(|_| {}, &claims)
        };
        let second = now().as_second();
        for (name, value) in [
            ("aud", json!("somebody")),
            ("aud", json!(null)),
            ("iss", json!("somebody")),
            ("iss", json!(null)),
            ("exp", json!(second)),
            ("exp", json!(second - 61)),
            ("exp", json!(null)),
            ("iat", json!(second + 61)),
            ("iat", json!(null)),
            ("sub", json!("not an id")),
            ("sid", json!(null)),
        ] {
            refused(&format!("{name} {value}"), &with(name, value));
        }
        check_with(&with("iat", json!(second + 60)), &key(SECRET), now()).unwrap();
        check_with(&with("exp", json!(second + 1)), &key(SECRET), now()).unwrap();
    }
}
