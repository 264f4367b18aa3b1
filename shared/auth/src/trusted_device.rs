//! What a trusted device keeps: `mst_<device id>.<secret>`. The table keeps the secret's hash.

use mainsheet_core::{Result, TrustedDeviceId};
use mainsheet_store::second_factors::TrustedDevice;
use secrecy::SecretString;
use subtle::ConstantTimeEq;

use crate::one_time::OneTimeToken;

/// Begins every token, so that secret scanners know one.
const PREFIX: &str = "mst_";

/// A trusted device's token. Prints without its secret.
#[derive(Debug)]
pub struct TrustedDeviceToken {
    /// The device.
    pub device_id: TrustedDeviceId,
    secret: OneTimeToken,
}

impl TrustedDeviceToken {
    /// A new device's token.
    ///
    /// # Errors
    /// [`mainsheet_core::Error::Internal`] when there is no randomness.
    pub fn generate(device_id: TrustedDeviceId) -> Result<Self> {
        Ok(Self { device_id, secret: OneTimeToken::generate()? })
    }

    /// Reads a token's text; `None` when it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (device_id, secret) = text.strip_prefix(PREFIX)?.split_once('.')?;
        Some(Self { device_id: device_id.parse().ok()?, secret: OneTimeToken::presented(SecretString::from(secret)) })
    }

    /// SHA-256 of its secret, in hex.
    #[must_use]
    pub fn sha256(&self) -> String {
        self.secret.sha256()
    }

    /// Whether it is the token of a device.
    #[must_use]
    pub fn is_of(&self, device: &TrustedDevice) -> bool {
        self.sha256().as_bytes().ct_eq(device.secret_sha256.as_bytes()).into()
    }

    /// The token's text.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}.{}", self.device_id, self.secret.reveal())
    }
}
