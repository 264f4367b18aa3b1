//! Opaque secrets that are good for one use. The table keeps their hash; the text is told once.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mainsheet_core::{Error, Result};
use secrecy::{ExposeSecret, SecretString};

/// 256 random bits. Prints as nothing.
pub struct OneTimeToken(SecretString);

impl fmt::Debug for OneTimeToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OneTimeToken")
    }
}

impl OneTimeToken {
    /// A new one, 43 characters of base64url.
    ///
    /// # Errors
    /// [`Error::Internal`] when there is no randomness.
    pub fn generate() -> Result<Self> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).map_err(Error::internal)?;
        Ok(Self(SecretString::from(URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// A text that somebody presents.
    #[must_use]
    pub fn presented(text: SecretString) -> Self {
        Self(text)
    }

    /// SHA-256 of the text, in hex: how the table knows it.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex::encode(digest(&SHA256, self.0.expose_secret().as_bytes()))
    }

    /// The text, for its owner alone.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}
