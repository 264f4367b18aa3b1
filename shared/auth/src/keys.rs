//! Keys that sign tokens, and the public halves that check them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey};
use mainsheet_core::{Error, Result, Timestamp};
use mainsheet_store::Store;
use mainsheet_store::audit::{Actor, Audit, Origin, Scope};
use mainsheet_store::signing_keys::PublicKey;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::mail_link::LONGEST_LINK_VALID;
use crate::token::ACCESS_TOKEN_VALID;

/// The shortest secret that a key is made from, in bytes.
const MIN_SECRET: usize = 32;
/// How soon after a look at the published keys the next one may follow.
const REFRESH_INTERVAL: Duration = Duration::from_secs(10);

/// How long an instance of a function that began with an earlier key may go on signing with it.
const INSTANCE_LASTS: Duration = Duration::from_secs(24 * 3600);
/// How long the published keys are taken for what they were when they were read: a key that was retired is of no use soon.
const RING_LASTS: Duration = Duration::from_secs(10 * 60);

/// What a key signs. A token of one purpose is never taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Access tokens.
    Access,
    /// Links in mails.
    MailLink,
    /// Checkpoints of audit trails.
    Audit,
}

impl Purpose {
    /// Its name in the table and in key derivation.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::MailLink => "mail_link",
            Self::Audit => "audit",
        }
    }

    /// How long what a key signs is good; `None` for good.
    fn valid(self) -> Option<Duration> {
        match self {
            Self::Access => Some(ACCESS_TOKEN_VALID),
            Self::MailLink => Some(LONGEST_LINK_VALID),
            Self::Audit => None,
        }
    }

    /// Whether others than Mainsheet check what such keys sign.
    #[must_use]
    pub fn is_public(self) -> bool {
        matches!(self, Self::Access | Self::Audit)
    }
}

/// A private Ed25519 key (RFC 8037). Prints as its id alone.
pub struct SigningKey {
    purpose: Purpose,
    kid: String,
    x: String,
    encoding: EncodingKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({} {})", self.purpose.as_str(), self.kid)
    }
}

struct SeedLength;

impl KeyType for SeedLength {
    fn len(&self) -> usize {
        32
    }
}

impl SigningKey {
    /// The key that a secret of at least 32 bytes stands for: the same secret and purpose always give the same key
    /// (HKDF-SHA256, RFC 5869), so a secret store's generated text is all that has to be kept.
    ///
    /// # Errors
    /// [`Error::Internal`] when the secret is too short.
    pub fn derive(secret: &SecretString, purpose: Purpose) -> Result<Self> {
        let secret = secret.expose_secret().as_bytes();
        if secret.len() < MIN_SECRET {
            return Err(Error::internal(format!(
                "the secret of the {} key is shorter than 32 bytes",
                purpose.as_str()
            )));
        }
        let info = [b"mainsheet signing key ".as_slice(), purpose.as_str().as_bytes()];
        let mut seed = [0; 32];
        let derived = Salt::new(HKDF_SHA256, b"mainsheet").extract(secret);
        derived.expand(&info, SeedLength).and_then(|material| material.fill(&mut seed)).map_err(Error::internal)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(Error::internal)?;
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let pkcs8 = pair.to_pkcs8v1().map_err(Error::internal)?;
        Ok(Self { purpose, kid: thumbprint(&x), x, encoding: EncodingKey::from_ed_der(pkcs8.as_ref()) })
    }

    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    #[cfg(test)]
    pub(crate) fn x(&self) -> &str {
        &self.x
    }

    pub(crate) fn encoding(&self) -> &EncodingKey {
        &self.encoding
    }

    fn public(&self, now: Timestamp) -> PublicKey {
        PublicKey {
            kid: self.kid.clone(),
            x: self.x.clone(),
            purpose: self.purpose.as_str().to_owned(),
            created_at: now,
            retires_at: None,
        }
    }

    /// Makes the public half known to every function; does nothing when it is. Earlier keys of the purpose stay published until
    /// nothing that they signed is good any more.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn publish(&self, store: &Store) -> Result<()> {
        let rows = store.public_key_rows().await?;
        let own = rows.iter().find(|row| row.value.kid == self.kid);
        if own.is_some_and(|row| row.value.retires_at.is_none()) {
            return Ok(());
        }
        let audit = Audit {
            scope: Scope::Platform,
            actor: Actor::Platform,
            origin: Origin::default(),
            action: "signing_key.publish",
            target: self.kid.clone(),
        };
        let change = store.change(audit);
        let now = change.now();
        let change = match own {
            Some(row) => change.restore_key(row),
            None => change.publish_key(&self.public(now)),
        };
        let in_use =
            |key: &PublicKey| key.purpose == self.purpose.as_str() && key.kid != self.kid && key.retires_at.is_none();
        let earlier = rows.iter().filter(|row| in_use(&row.value));
        let retires_at = self.purpose.valid().map(|valid| now + valid + INSTANCE_LASTS);
        let change = earlier.fold(change, |change, row| match retires_at {
            Some(retires_at) => change.retire_key(row, retires_at),
            None => change,
        });
        match change.commit().await {
            // Another instance was faster with the same key.
            Ok(()) | Err(Error::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The thumbprint of an Ed25519 key (RFC 7638, section 3; members as RFC 8037, appendix A.3).
fn thumbprint(x: &str) -> String {
    let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(digest(&SHA256, jwk.as_bytes()))
}

/// The published keys of one purpose, read when one is asked for that is not known yet.
#[derive(Clone)]
pub struct KeyRing {
    purpose: Purpose,
    store: Store,
    known: Arc<RwLock<Known>>,
}

#[derive(Default)]
struct Known {
    keys: HashMap<String, (DecodingKey, PublicKey)>,
    read_at: Option<Timestamp>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KeyRing({})", self.purpose.as_str())
    }
}

impl KeyRing {
    /// The keys of a purpose that are published in `store`.
    #[must_use]
    pub fn new(store: Store, purpose: Purpose) -> Self {
        Self { purpose, store, known: Arc::default() }
    }

    /// The key with this id. Unknown ids cost one read at most every ten seconds.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when no such key is published.
    pub(crate) async fn find(&self, kid: &str) -> Result<DecodingKey> {
        let now = self.store.now();
        let is_current = self.known().read_at.is_some_and(|read_at| now.since(read_at) < RING_LASTS);
        if let Some(key) = self.good(kid, now).filter(|_| is_current) {
            return Ok(key);
        }
        let recent = self.known().read_at.is_some_and(|read_at| now.since(read_at) < REFRESH_INTERVAL);
        if !recent {
            self.read(now).await?;
        }
        self.good(kid, now)
            .ok_or_else(|| Error::unauthenticated(format!("no published {} key {kid}", self.purpose.as_str())))
    }

    fn good(&self, kid: &str, now: Timestamp) -> Option<DecodingKey> {
        self.known().keys.get(kid).filter(|(_, key)| key.is_good(now)).map(|(decoding, _)| decoding.clone())
    }

    /// Reads the published keys, so that the first request need not.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn warm(&self) -> Result<()> {
        self.read(self.store.now()).await
    }

    async fn read(&self, now: Timestamp) -> Result<()> {
        let published = self.store.public_keys().await?;
        let mine = published.into_iter().filter(|key| key.purpose == self.purpose.as_str());
        let keys = mine
            .map(|key| Ok((key.kid.clone(), (DecodingKey::from_ed_components(&key.x).map_err(Error::internal)?, key))))
            .collect::<Result<_>>()?;
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known { keys, read_at: Some(now) };
        Ok(())
    }

    fn known(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The published keys that others check tokens and checkpoints with, as a JWK set (RFC 7517, RFC 8037).
///
/// # Errors
/// When the table does not answer.
pub async fn key_set(store: &Store) -> Result<KeySet> {
    let public = [Purpose::Access, Purpose::MailLink, Purpose::Audit].into_iter().filter(|purpose| purpose.is_public());
    let public: Vec<&str> = public.map(Purpose::as_str).collect();
    let keys = store.public_keys().await?.into_iter().filter(|key| public.contains(&key.purpose.as_str()));
    Ok(KeySet { keys: keys.map(PublishedKey::from).collect() })
}

/// A JWK set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeySet {
    /// The keys.
    pub keys: Vec<PublishedKey>,
}

/// An Ed25519 key as a JWK.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublishedKey {
    /// Its id, which tokens name in their header.
    pub kid: String,
    /// `OKP`.
    pub kty: &'static str,
    /// `Ed25519`.
    pub crv: &'static str,
    /// `EdDSA`.
    pub alg: &'static str,
    /// `sig`.
    #[serde(rename = "use")]
    pub usage: &'static str,
    /// The key, in base64url.
    pub x: String,
}

impl From<PublicKey> for PublishedKey {
    fn from(key: PublicKey) -> Self {
        Self { kid: key.kid, kty: "OKP", crv: "Ed25519", alg: "EdDSA", usage: "sig", x: key.x }
    }
}
