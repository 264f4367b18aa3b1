//! Proof of possession (RFC 9449): a client shows with every request that it holds the key which its token is bound to.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use mainsheet_core::{Error, Result, Timestamp};
use mainsheet_store::Store;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use url::{Host, Url};

/// How far a proof's `iat` may be from now, either way.
const FRESH: Duration = Duration::from_secs(60);
/// A longer text is refused unread.
const MAX_LENGTH: usize = 4096;
/// The longest `jti`, in bytes.
const MAX_JTI: usize = 255;
const TYPE: &str = "dpop+jwt";

/// The request that a proof has to be for.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its host, with the port where it is not the scheme's own.
    pub authority: &'a str,
    /// Its path.
    pub path: &'a str,
}

/// What a proof's header may say of its signature.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
enum SignedWith {
    #[serde(rename = "ES256")]
    Es256,
    /// Clients of today call it `Ed25519` (RFC 9864), earlier ones `EdDSA` (RFC 8037).
    #[serde(alias = "EdDSA")]
    Ed25519,
}

#[derive(Deserialize)]
struct Header {
    typ: String,
    alg: SignedWith,
    jwk: BroughtKey,
    jku: Option<IgnoredAny>,
    x5u: Option<IgnoredAny>,
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct BroughtKey {
    #[serde(flatten)]
    public: Jwk,
    /// The private part, which nobody may bring.
    d: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: i64,
    #[serde(default)]
    ath: Option<String>,
}

/// A proof that is genuine and for the request; whether it is used for the first time is seen with [`Proof::spend`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    thumbprint: String,
    jti: String,
    token_sha256: Option<String>,
    expires_at: Timestamp,
}

impl Proof {
    /// Checks a proof (RFC 9449, section 4.3): type, algorithm, signature by the key that it brings, method, address and time.
    ///
    /// # Errors
    /// [`Error::NotProven`].
    pub fn check(text: &str, target: Target<'_>, now: Timestamp) -> Result<Self> {
        if text.len() > MAX_LENGTH {
            return Err(Error::not_proven("the proof is too long"));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or_else(malformed)?;
        let (header, claims) = signed.split_once('.').ok_or_else(malformed)?;
        let (jwk, algorithm) = own_key(part(header)?)?;
        let key = DecodingKey::from_jwk(&jwk).map_err(Error::not_proven)?;
        if !crypto::verify(signature, signed.as_bytes(), &key, algorithm).map_err(Error::not_proven)? {
            return Err(Error::not_proven("the proof is not signed by the key that it brings"));
        }
        let claims: Claims = part(claims)?;
        let issued_at = Timestamp::from_millisecond(claims.iat.saturating_mul(1000));
        if now.since(issued_at) > FRESH || issued_at.since(now) > FRESH {
            return Err(Error::not_proven("the proof is too old, or from the future"));
        }
        if claims.htm != target.method || !is_for(&claims.htu, target) {
            return Err(Error::not_proven("the proof is for another request"));
        }
        if !(1..=MAX_JTI).contains(&claims.jti.len()) {
            return Err(Error::not_proven("the proof has no usable id"));
        }
        let thumbprint = jwk.thumbprint(ThumbprintHash::SHA256).map_err(Error::not_proven)?;
        // Until the proof is too old whichever way the clocks differ.
        let expires_at = issued_at + FRESH * 3;
        Ok(Self { thumbprint, jti: claims.jti, token_sha256: claims.ath, expires_at })
    }

    /// The proof is for a token that is bound to its key.
    ///
    /// # Errors
    /// [`Error::NotProven`] when it is for another token, or the token is bound to another key.
    pub fn require(&self, token: &str, thumbprint: &str) -> Result<()> {
        if self.thumbprint != thumbprint {
            return Err(Error::not_proven("the token is bound to another key"));
        }
        let expected = URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes()));
        if self.token_sha256.as_deref() != Some(&expected) {
            return Err(Error::not_proven("the proof is for another token"));
        }
        Ok(())
    }

    /// Uses the proof, and says which key it is of: its thumbprint (RFC 7638).
    ///
    /// # Errors
    /// [`Error::NotProven`] when it was used before.
    pub async fn spend(self, store: &Store) -> Result<String> {
        store.use_dpop_proof(&self.thumbprint, &self.jti, self.expires_at).await?;
        Ok(self.thumbprint)
    }
}

/// A part of a proof that is JSON.
fn part<T: DeserializeOwned>(text: &str) -> Result<T> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(Error::not_proven)?;
    serde_json::from_slice(&bytes).map_err(Error::not_proven)
}

fn malformed() -> Error {
    Error::not_proven("the proof is no signed token")
}

/// The key that a proof brings and what it signs with, when header and key are as they have to be.
fn own_key(header: Header) -> Result<(Jwk, Algorithm)> {
    if header.typ != TYPE || header.jku.is_some() || header.x5u.is_some() || header.crit.is_some() {
        return Err(Error::not_proven("the proof is of another type, or has its key elsewhere"));
    }
    // A client that sends its private key along has none any more.
    if header.jwk.d.is_some() {
        return Err(Error::not_proven("the proof brings a private key"));
    }
    let jwk = header.jwk.public;
    let algorithm = match (&jwk.algorithm, header.alg) {
        (AlgorithmParameters::EllipticCurve(key), SignedWith::Es256) if key.curve == EllipticCurve::P256 => {
            Algorithm::ES256
        }
        (AlgorithmParameters::OctetKeyPair(key), SignedWith::Ed25519) if key.curve == EllipticCurve::Ed25519 => {
            Algorithm::EdDSA
        }
        _ => return Err(Error::not_proven("the proof is of another algorithm than ES256 and Ed25519")),
    };
    Ok((jwk, algorithm))
}

/// Whether `htu` is the address of the request, without query and fragment (RFC 9449, section 4.3, check 9). Who terminates TLS
/// stands in front of us, so the scheme has to be `https` wherever that is not this machine.
fn is_for(htu: &str, target: Target<'_>) -> bool {
    let Ok(named) = Url::parse(htu) else { return false };
    let Ok(actual) = Url::parse(&format!("{}://{}{}", named.scheme(), target.authority, target.path)) else {
        return false;
    };
    let is_local = match named.host() {
        Some(Host::Domain(domain)) => domain == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let same = |part: fn(&Url) -> Option<&str>| part(&named) == part(&actual);
    (named.scheme() == "https" || (named.scheme() == "http" && is_local))
        && same(Url::host_str)
        && same(|url| Some(url.path()))
        && named.port_or_known_default() == actual.port_or_known_default()
        && named.username().is_empty()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
    use serde_json::{Value, json};

    use super::*;

    enum Key {
        Es256(EcdsaKeyPair),
        EdDsa(Ed25519KeyPair),
    }

    fn encode(bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    impl Key {
        fn es256() -> Self {
            Self::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
        }

        fn jwk(&self) -> Value {
            match self {
                Self::Es256(pair) => {
                    let point = pair.public_key().as_ref();
                    json!({ "kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..]) })
                }
                Self::EdDsa(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()) }),
            }
        }

        fn sign(&self, header: &Value, claims: &Value) -> String {
            let text = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
            let signature = match self {
                Self::Es256(pair) => pair.sign(&SystemRandom::new(), text.as_bytes()).unwrap().as_ref().to_vec(),
                Self::EdDsa(pair) => pair.sign(text.as_bytes()).as_ref().to_vec(),
            };
            format!("{text}.{}", encode(&signature))
        }

        fn header(&self) -> Value {
            let alg = if matches!(self, Self::Es256(_)) { "ES256" } else { "Ed25519" };
            json!({ "typ": TYPE, "alg": alg, "jwk": self.jwk() })
        }
    }

    const NOW: i64 = 1_795_250_000;
    const TARGET: Target<'static> = Target { method: "GET", authority: "api.example", path: "/api/v1/me" };

    fn claims() -> Value {
        json!({ "jti": "one", "htm": "GET", "htu": "https://api.example/api/v1/me", "iat": NOW, "ath": encode(digest(&SHA256, b"token").as_ref()) })
    }

    fn check(text: &str) -> Result<Proof> {
        Proof::check(text, TARGET, Timestamp::from_millisecond(NOW * 1000))
    }

    fn with(mut value: Value, field: &str, to: Value) -> Value {
        value[field] = to;
        value
    }

    #[test]
    fn a_right_proof_by_either_algorithm_is_one() {
        for key in [Key::es256(), Key::EdDsa(Ed25519KeyPair::generate().unwrap())] {
            let proof = check(&key.sign(&key.header(), &claims())).unwrap();
            proof.require("token", &proof.thumbprint).unwrap();
            assert!(proof.require("another token", &proof.thumbprint).is_err());
            assert!(proof.require("token", "another key").is_err());
            let without = with(claims(), "ath", Value::Null);
            assert!(check(&key.sign(&key.header(), &without)).unwrap().require("token", &proof.thumbprint).is_err());
        }
    }

    #[test]
    fn ed25519_has_two_names() {
        let key = Key::EdDsa(Ed25519KeyPair::generate().unwrap());
        let as_earlier = with(key.header(), "alg", json!("EdDSA"));
        assert_eq!(
            check(&key.sign(&as_earlier, &claims())).unwrap().thumbprint,
            check(&key.sign(&key.header(), &claims())).unwrap().thumbprint
        );
    }

    #[test]
    fn addresses_are_compared_without_query_and_in_their_normal_form() {
        let key = Key::es256();
        let sent = |htu: &str| check(&key.sign(&key.header(), &with(claims(), "htu", json!(htu))));
        for htu in [
            "https://API.example:443/api/v1/me",
            "https://api.example/api/v1/me?x=1#y",
            "https://api.example/api/v1/./me",
        ] {
            sent(htu).unwrap();
        }
        for htu in [
            "http://api.example/api/v1/me",
            "https://api.example:8443/api/v1/me",
            "https://other.example/api/v1/me",
            "https://api.example/api/v1/me/",
            "https://api.example/api/v1/you",
            "https://user@api.example/api/v1/me",
            "/api/v1/me",
            "",
        ] {
            assert!(sent(htu).is_err(), "{htu}");
        }
    }

    #[test]
    fn whatever_is_wrong_with_a_proof_it_is_refused() {
        let key = Key::es256();
        let (header, right) = (key.header(), claims());
        let wrong_claims = [
            with(right.clone(), "htm", json!("POST")),
            with(right.clone(), "iat", json!(NOW - 61)),
            with(right.clone(), "iat", json!(NOW + 61)),
            with(right.clone(), "jti", json!("")),
            with(right.clone(), "jti", json!("x".repeat(256))),
            with(right.clone(), "jti", Value::Null),
        ];
        for claims in wrong_claims {
            assert!(matches!(check(&key.sign(&header, &claims)), Err(Error::NotProven { .. })), "{claims}");
        }
        let other = Key::es256().jwk();
        let wrong_headers = [
            with(header.clone(), "typ", json!("JWT")),
            with(header.clone(), "alg", json!("none")),
            with(header.clone(), "alg", json!("HS256")),
            with(header.clone(), "alg", json!("EdDSA")),
            with(header.clone(), "jwk", other),
            with(header.clone(), "jwk", Value::Null),
            with(header.clone(), "jwk", with(key.jwk(), "d", json!("AAAA"))),
            with(header.clone(), "jwk", json!({ "kty": "oct", "k": "AAAA" })),
            with(header.clone(), "jku", json!("https://keys.example/")),
            with(header.clone(), "crit", json!(["b64"])),
        ];
        for header in wrong_headers {
            assert!(matches!(check(&key.sign(&header, &right)), Err(Error::NotProven { .. })), "{header}");
        }
        for text in ["", "a.b.c", &"x".repeat(5000)] {
            assert!(check(text).is_err());
        }
    }
}
