//! Secrets at rest, sealed as envelopes: a data key for each secret, itself sealed by the key that a secret store keeps.
//!
//! Whose secret it is and what for is bound to the envelope. One that was moved to another organization, user or field does
//! not open there.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
pub use mainsheet_core::sealed::Sealed;
use mainsheet_core::{Error, OrganizationId, Result, UserId};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

/// The shortest secret that the sealing key is made from, in bytes.
const MIN_SECRET: usize = 32;
/// A data key's length in bytes (AES-256).
const DATA_KEY: usize = 32;
/// A nonce and a tag, as `RandomizedNonceKey` writes them around a ciphertext.
const NONCE: usize = 12;

/// Whose secret it is, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context(String);

impl Context {
    /// A secret of an organization.
    #[must_use]
    pub fn organization(organization: &OrganizationId, field: &'static str) -> Self {
        Self(format!("organization/{organization}/{field}"))
    }

    /// A secret of a person.
    #[must_use]
    pub fn user(user: &UserId, field: &'static str) -> Self {
        Self(format!("user/{user}/{field}"))
    }
}

/// Seals and opens secrets.
pub struct Sealer(RandomizedNonceKey);

impl fmt::Debug for Sealer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sealer")
    }
}

struct DataKeyLength;

impl KeyType for DataKeyLength {
    fn len(&self) -> usize {
        DATA_KEY
    }
}

impl Sealer {
    /// The sealer that a secret of at least 32 bytes stands for; the same secret always gives the same one (HKDF-SHA256).
    ///
    /// # Errors
    /// [`Error::Internal`] when the secret is too short.
    pub fn derive(secret: &SecretString) -> Result<Self> {
        let secret = secret.expose_secret().as_bytes();
        if secret.len() < MIN_SECRET {
            return Err(Error::internal("the secret of the sealing key is shorter than 32 bytes"));
        }
        let mut key = Zeroizing::new([0; DATA_KEY]);
        let derived = Salt::new(HKDF_SHA256, b"mainsheet").extract(secret);
        derived
            .expand(&[b"mainsheet sealing key"], DataKeyLength)
            .and_then(|material| material.fill(key.as_mut()))
            .map_err(Error::internal)?;
        Ok(Self(cipher(key.as_ref())?))
    }

    /// Seals a secret.
    ///
    /// # Errors
    /// [`Error::Internal`] when there is no randomness.
    pub fn seal(&self, context: &Context, secret: &SecretString) -> Result<Sealed> {
        let mut data_key = Zeroizing::new([0; DATA_KEY]);
        rand::fill(data_key.as_mut()).map_err(Error::internal)?;
        Ok(Sealed {
            secret: encrypt(&cipher(data_key.as_ref())?, context, secret.expose_secret().as_bytes())?,
            data_key: encrypt(&self.0, context, data_key.as_ref())?,
        })
    }

    /// Opens an envelope.
    ///
    /// # Errors
    /// [`Error::Internal`] when it was sealed for another context or with another key, or was changed.
    pub fn open(&self, context: &Context, sealed: &Sealed) -> Result<SecretString> {
        let data_key = decrypt(&self.0, context, &sealed.data_key)?;
        let secret = decrypt(&cipher(&data_key)?, context, &sealed.secret)?;
        std::str::from_utf8(&secret).map(SecretString::from).map_err(Error::internal)
    }
}

fn cipher(key: &[u8]) -> Result<RandomizedNonceKey> {
    RandomizedNonceKey::new(&AES_256_GCM, key).map_err(Error::internal)
}

fn encrypt(key: &RandomizedNonceKey, context: &Context, plain: &[u8]) -> Result<String> {
    let mut text = plain.to_vec();
    let nonce = key.seal_in_place_append_tag(Aad::from(context.0.as_bytes()), &mut text).map_err(Error::internal)?;
    Ok(URL_SAFE_NO_PAD.encode([nonce.as_ref().as_slice(), &text].concat()))
}

fn decrypt(key: &RandomizedNonceKey, context: &Context, sealed: &str) -> Result<Zeroizing<Vec<u8>>> {
    let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(Error::internal)?;
    let (nonce, text) =
        bytes.split_first_chunk::<NONCE>().ok_or_else(|| Error::internal("a sealed secret is cut off"))?;
    let mut text = Zeroizing::new(text.to_vec());
    let opened = key.open_in_place(nonce.into(), Aad::from(context.0.as_bytes()), &mut text);
    let length = opened.map_err(|_| Error::internal("a sealed secret does not open"))?.len();
    text.truncate(length);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(secret: &str) -> Sealer {
        Sealer::derive(&secret.into()).unwrap()
    }

    #[test]
    fn an_envelope_opens_only_where_and_with_what_it_was_sealed() {
        let ours = sealer("a secret that only tests know, and no one else");
        let (one, other): (OrganizationId, OrganizationId) = ("ACME".parse().unwrap(), "OTHER".parse().unwrap());
        let context = Context::organization(&one, "client_secret");
        let sealed = ours.seal(&context, &"open sesame".into()).unwrap();
        assert_eq!(ours.open(&context, &sealed).unwrap().expose_secret(), "open sesame");
        assert!(!format!("{sealed:?}").contains("sesame"));
        assert_ne!(sealed, ours.seal(&context, &"open sesame".into()).unwrap());
        assert!(ours.open(&Context::organization(&other, "client_secret"), &sealed).is_err());
        assert!(ours.open(&Context::organization(&one, "totp"), &sealed).is_err());
        assert!(sealer("another secret that only tests know, no one else").open(&context, &sealed).is_err());
        let swapped = Sealed { data_key: sealed.secret.clone(), secret: sealed.data_key.clone() };
        assert!(ours.open(&context, &swapped).is_err());
        assert!(Sealer::derive(&"too short".into()).is_err());
    }
}
