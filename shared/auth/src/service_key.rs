//! Keys of service accounts: opaque, shown once, kept as their hash.

use secrecy::{ExposeSecret, SecretString};

use crate::one_time::OneTimeToken;

/// Begins every key, so that secret scanners know one (contract, decisions, Identity).
const PREFIX: &str = "msk_";
/// Characters of a key that are shown to tell keys apart: 36 bits of 256.
const SHOWN: usize = PREFIX.len() + 6;

/// A new key.
#[derive(Debug)]
pub struct NewServiceKey(SecretString);

impl NewServiceKey {
    /// `msk_` and 256 random bits as base64url.
    ///
    /// # Errors
    /// [`mainsheet_core::Error::Internal`] when there is no randomness.
    pub fn generate() -> mainsheet_core::Result<Self> {
        let random = OneTimeToken::generate()?;
        Ok(Self(SecretString::from(format!("{PREFIX}{}", random.reveal()))))
    }

    /// How it begins.
    #[must_use]
    pub fn prefix(&self) -> String {
        self.0.expose_secret().chars().take(SHOWN).collect()
    }

    /// SHA-256 of the key, in hex: how the table knows it.
    #[must_use]
    pub fn sha256(&self) -> String {
        sha256(self.0.expose_secret())
    }

    /// The key, for the answer that shows it once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Whether a bearer token claims to be a key of a service account.
pub(crate) fn is_key(token: &str) -> bool {
    token.starts_with(PREFIX)
}

/// SHA-256 of a key, in hex. With 256 random bits it needs no salt and can be looked up.
pub(crate) fn sha256(key: &str) -> String {
    crate::agent::sha256(key)
}
