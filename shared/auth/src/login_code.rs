//! The codes of six digits that people are mailed to sign in with.
//!
//! A code is not kept anywhere: six digits cannot be hashed so that they could not be tried out. It is the truncated
//! HMAC-SHA-256 of the code's id and its address, under a key that is derived from the secret of mailed links. Who writes the
//! mail and who checks the code derive the same; neither the table nor a queue tells it.

use std::fmt;

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;
use mainsheet_core::user::NormalizedEmail;
use mainsheet_core::{Error, LoginCodeId, Result};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// The shortest secret that a key is made from, in bytes.
const MIN_SECRET: usize = 32;
/// How many codes there are.
const CODES: u64 = 1_000_000;

/// What codes are derived with. Prints as nothing.
pub struct LoginCodeKey(hmac::Key);

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
        let secret = secret.expose_secret().as_bytes();
        if secret.len() < MIN_SECRET {
            return Err(Error::internal("the secret of the login codes' key is shorter than 32 bytes"));
        }
        let mut key = [0; 32];
        let derived = Salt::new(HKDF_SHA256, b"mainsheet").extract(secret);
        let material = derived.expand(&[b"mainsheet login codes"], KeyLength);
        material.and_then(|material| material.fill(&mut key)).map_err(Error::internal)?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// The code of an id for an address.
    #[must_use]
    pub fn code(&self, id: &LoginCodeId, email: &str) -> String {
        let email = NormalizedEmail::of(email);
        let tag = hmac::sign(&self.0, format!("{id}/{}", email.as_str()).as_bytes());
        let number = tag.as_ref().iter().take(8).fold(0u64, |number, byte| (number << 8) | u64::from(*byte));
        format!("{:06}", number % CODES)
    }

    /// Whether a text is the code of an id for an address.
    #[must_use]
    pub fn is_code(&self, text: &str, id: &LoginCodeId, email: &str) -> bool {
        self.code(id, email).as_bytes().ct_eq(text.as_bytes()).into()
    }
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
        assert!(key.is_code(&code, &ids[0], "ada@example.com"));
        assert!(!key.is_code(&code, &ids[1], "ada@example.com"));
        assert!(!key.is_code(&code, &ids[0], "grace@example.com"));
        assert!(LoginCodeKey::derive(&"too short".into()).is_err());
    }
}
