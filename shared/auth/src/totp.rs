//! Authenticators: time-based one-time passwords (RFC 6238) of six digits, with SHA-1 and steps of 30 seconds.

use std::fmt;

use mainsheet_core::{Error, Result, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use totp_rs::{Algorithm, Builder, Secret, Totp};

/// What authenticators show beside the account.
const ISSUER: &str = "Mainsheet";
/// Digits of a code.
const DIGITS: u8 = 6;
/// Seconds of a step.
const STEP: u64 = 30;
/// Steps that the clocks of authenticator and server may differ by.
const SKEW: u16 = 1;

/// An authenticator. Prints as nothing.
pub struct Authenticator(Totp);

impl fmt::Debug for Authenticator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Authenticator")
    }
}

impl Authenticator {
    /// A new one for an account, with a secret of 160 bits (RFC 4226, section 4).
    ///
    /// # Errors
    /// [`Error::Internal`] when the account's name cannot be shown.
    pub fn generate(account: &str) -> Result<Self> {
        Self::build(account, Secret::generate())
    }

    /// The one with this secret.
    ///
    /// # Errors
    /// [`Error::Internal`] when the secret is not base32.
    pub fn of_secret(account: &str, secret: &SecretString) -> Result<Self> {
        Self::build(account, Secret::try_from_base32(secret.expose_secret()).map_err(Error::internal)?)
    }

    fn build(account: &str, secret: Secret) -> Result<Self> {
        let builder = Builder::new().with_algorithm(Algorithm::SHA1).with_digits(DIGITS).with_step_duration(STEP);
        // The key URI format has the colon between issuer and account alone.
        let account = account.replace(':', "");
        let builder = builder.with_skew(SKEW).with_secret(secret).with_account_name(account).with_issuer(Some(ISSUER));
        builder.build().map(Self).map_err(Error::internal)
    }

    /// Its secret in base32, for its owner and for sealing.
    #[must_use]
    pub fn secret(&self) -> SecretString {
        SecretString::from(self.0.secret().to_base32())
    }

    /// Its address, which authenticators read as a QR code (`otpauth://totp/...`).
    ///
    /// # Errors
    /// [`Error::Internal`] when the account has no name.
    pub fn url(&self) -> Result<SecretString> {
        self.0.to_url().map(SecretString::from).map_err(Error::internal)
    }

    /// The number of the step that a code is of, now, one before or one after; `None` when it is of none of them.
    #[must_use]
    pub fn step_of(&self, code: &str, now: Timestamp) -> Option<u64> {
        self.0.check(code, u64::try_from(now.as_second()).ok()?)
    }

    /// The code of a moment, as its owner reads it.
    #[must_use]
    pub fn code_at(&self, moment: Timestamp) -> String {
        self.0.generate(moment.as_second().unsigned_abs()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn codes_are_those_of_the_rfc() {
        // RFC 6238, appendix B, SHA-1; the last six of eight digits.
        let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".into();
        let authenticator = Authenticator::of_secret("ada@example.com", &secret).unwrap();
        for (second, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            assert_eq!(authenticator.code_at(Timestamp::from_millisecond(second * 1000)), code);
        }
    }

    #[test]
    fn one_step_of_skew_is_taken_and_no_more() {
        let authenticator = Authenticator::generate("ada:lovelace@example.com").unwrap();
        let now = Timestamp::from_millisecond(1_764_000_000_000);
        let code = authenticator.code_at(now);
        let step = authenticator.step_of(&code, now).unwrap();
        assert_eq!(authenticator.step_of(&code, now + Duration::from_secs(30)), Some(step));
        assert_eq!(authenticator.step_of(&code, now - Duration::from_secs(30)), Some(step));
        assert_eq!(authenticator.step_of(&code, now + Duration::from_secs(60)), None);
        for text in ["", "12345", "1234567", "abcdef", "12345\u{0}", "１２３４５６"] {
            assert_eq!(authenticator.step_of(text, now), None, "{text:?}");
        }
        assert!(!format!("{authenticator:?}").contains(authenticator.secret().expose_secret()));
    }
}
