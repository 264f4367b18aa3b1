//! The codes of six digits that people are mailed to sign in with.
//!
//! A code is not kept anywhere: six digits cannot be hashed so that they could not be tried out. It is the truncated
//! HMAC-SHA-256 of the code's id and its address, under a key that is derived from the secret of mailed links. Who writes the
//! mail and who checks the code derive the same; neither the table nor a queue tells it.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;
use mainsheet_core::user::NormalizedEmail;
use mainsheet_core::{Error, LoginCodeId, Result, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// The shortest secret that a key is made from, in bytes.
const MIN_SECRET: usize = 32;
/// How many codes there are.
const CODES: u64 = 1_000_000;

/// For how long codes of the secret before are taken after it was changed: they are good for ten minutes, and functions that began
/// before the change go on making them until others take their place.
const BEFORE_COUNTS: Duration = Duration::from_secs(3600);

/// What codes are derived with. Prints as nothing.
pub struct LoginCodeKey {
    key: hmac::Key,
    /// The one of the secret before, and until when it counts.
    before: Option<(hmac::Key, Timestamp)>,
}

impl fmt::Debug for LoginCodeKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LoginCodeKey")
    }
}

struct KeyLength;

impl KeyType for KeyLength {
    fn len(&self) -> usize {
        32
    }
}

impl LoginCodeKey {
    /// The key that a secret of at least 32 bytes stands for (HKDF-SHA256, RFC 5869): another one than the key that signs links,
    /// which is made of the same secret.
    ///
    /// # Errors
    /// [`Error::Internal`] when the secret is too short.
    pub fn derive(secret: &SecretString) -> Result<Self> {
        Ok(Self { key: derive(secret)?, before: None })
    }

    /// The same, which takes codes of the secret before for an hour after it was changed.
    ///
    /// # Errors
    /// [`Error::Internal`] when that secret is too short.
    pub fn with_before(self, secret: &SecretString, changed_at: Timestamp) -> Result<Self> {
        Ok(Self { before: Some((derive(secret)?, changed_at + BEFORE_COUNTS)), ..self })
    }

    /// The code of an id for an address.
    #[must_use]
    pub fn code(&self, id: &LoginCodeId, email: &str) -> String {
        code(&self.key, id, email)
    }

    /// Whether a text is the code of an id for an address at `now`.
    #[must_use]
    pub fn is_code(&self, text: &str, id: &LoginCodeId, email: &str, now: Timestamp) -> bool {
        let is_of = |key: &hmac::Key| bool::from(code(key, id, email).as_bytes().ct_eq(text.as_bytes()));
        let before = self.before.as_ref().filter(|(_, until)| now < *until);
        is_of(&self.key) || before.is_some_and(|(key, _)| is_of(key))
    }
}

fn derive(secret: &SecretString) -> Result<hmac::Key> {
    let secret = secret.expose_secret().as_bytes();
    if secret.len() < MIN_SECRET {
        return Err(Error::internal("the secret of the login codes' key is shorter than 32 bytes"));
    }
    let mut key = [0; 32];
    let derived = Salt::new(HKDF_SHA256, b"mainsheet").extract(secret);
    let material = derived.expand(&[b"mainsheet login codes"], KeyLength);
    material.and_then(|material| material.fill(&mut key)).map_err(Error::internal)?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &key))
}

fn code(key: &hmac::Key, id: &LoginCodeId, email: &str) -> String {
    let email = NormalizedEmail::of(email);
    let tag = hmac::sign(key, format!("{id}/{}", email.as_str()).as_bytes());
    let number = tag.as_ref().iter().take(8).fold(0u64, |number, byte| (number << 8) | u64::from(*byte));
    format!("{:06}", number % CODES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_six_digits_and_belong_to_one_id_and_address() {
        let key = LoginCodeKey::derive(&"a secret that only tests know, and no one else".into()).unwrap();
        let ids: Vec<LoginCodeId> = (0..200).map(|number| format!("C{number}").parse().unwrap()).collect();
        let codes: std::collections::HashSet<String> = ids.iter().map(|id| key.code(id, "ada@example.com")).collect();
        assert!(codes.len() > 190 && codes.iter().all(|code| code.len() == 6));
        let code = key.code(&ids[0], "Ada@example.com");
        let now = Timestamp::from_millisecond(0);
        assert!(key.is_code(&code, &ids[0], "ada@example.com", now));
        assert!(!key.is_code(&code, &ids[1], "ada@example.com", now));
        assert!(!key.is_code(&code, &ids[0], "grace@example.com", now));
        assert!(LoginCodeKey::derive(&"too short".into()).is_err());
    }

    #[test]
    fn codes_of_the_secret_before_are_good_for_an_hour() {
        let (old, new) =
            ("a secret that only tests know, and no one else", "another one, which only tests know as well");
        let before = LoginCodeKey::derive(&old.into()).unwrap();
        let changed_at = Timestamp::from_millisecond(1_000_000);
        let after = LoginCodeKey::derive(&new.into()).unwrap().with_before(&old.into(), changed_at).unwrap();
        let (id, email) = ("C1".parse().unwrap(), "ada@example.com");
        let (first, second) = (before.code(&id, email), after.code(&id, email));
        assert_ne!(first, second);
        for (seconds, taken) in [(0, true), (3599, true), (3600, false)] {
            let now = changed_at + Duration::from_secs(seconds);
            assert_eq!(after.is_code(&first, &id, email, now), taken, "after {seconds} s");
            assert!(after.is_code(&second, &id, email, now));
        }
        assert!(!before.is_code(&second, &id, email, changed_at));
    }
}
