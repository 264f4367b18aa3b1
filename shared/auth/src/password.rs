//! Passwords: argon2id at OWASP's parameters (m = 19 MiB, t = 2, p = 1), 23-34 ms of one core.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use mainsheet_core::{Error, Result};
use secrecy::{ExposeSecret, SecretString};

/// The shortest password, in characters (NIST SP 800-63B, section 3.1.1.2, asks for 8 and recommends 15).
pub const MIN_LENGTH: usize = 12;
/// The longest password, in characters.
pub const MAX_LENGTH: usize = 128;

/// A hash that no password has: checked in place of an unknown account's, so that both take the same time.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bWFpbnNoZWV0bm9ib2R5cw$9u4Q0m1yXo2b7H2oA8m9u5J7d8d0dS3H0l1gH0v8n7E";

fn argon2id() -> Result<Argon2<'static>> {
    let params = Params::new(19_456, 2, 1, None).map_err(Error::internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes a password off the async threads.
///
/// # Errors
/// [`Error::Internal`] when hashing fails.
pub async fn hash(password: SecretString) -> Result<String> {
    off_thread(move || {
        let hash = argon2id()?.hash_password(password.expose_secret().as_bytes()).map_err(Error::internal)?;
        Ok(hash.to_string())
    })
    .await
}

/// Whether a password is the one that was hashed. Without a hash it is not, after the same time.
///
/// # Errors
/// [`Error::Internal`] when the hash cannot be read.
pub async fn verify(password: SecretString, hash: Option<String>) -> Result<bool> {
    off_thread(move || {
        let parsed = PasswordHash::new(hash.as_deref().unwrap_or(NOBODYS)).map_err(Error::internal)?;
        let matches = argon2id()?.verify_password(password.expose_secret().as_bytes(), &parsed).is_ok();
        Ok(matches && hash.is_some())
    })
    .await
}

async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_a_known_account_verifies() {
        let hash = hash("correct horse battery".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify("correct horse battery".into(), Some(hash.clone())).await.unwrap());
        assert!(!verify("incorrect horse battery".into(), Some(hash)).await.unwrap());
        assert!(!verify("correct horse battery".into(), None).await.unwrap());
    }
}
