//! Recovery codes: what a person keeps for the day when their authenticator is gone. Each is good for once.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use mainsheet_core::{Error, Result};
use secrecy::{ExposeSecret, SecretString};

/// How many a person gets (contract, decisions, Identity).
pub const CODES: usize = 10;
/// Characters of a code, 5 bits each. With 80 bits a plain hash cannot be tried out.
const LENGTH: usize = 16;
/// Letters and digits that nobody mistakes for each other (Crockford's base32, in lower case).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A new set, as its owner is shown it: `xxxx-xxxx-xxxx-xxxx`.
///
/// # Errors
/// [`Error::Internal`] when there is no randomness.
pub fn generate() -> Result<Vec<SecretString>> {
    (0..CODES).map(|_| one()).collect()
}

fn one() -> Result<SecretString> {
    let mut bytes = [0; LENGTH];
    rand::fill(&mut bytes).map_err(Error::internal)?;
    let letters = bytes.map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    Ok(SecretString::from(groups.join("-")))
}

/// How the table knows a code: SHA-256 of its letters and digits in hex, however it is written.
#[must_use]
pub fn sha256(code: &SecretString) -> String {
    let letters =
        code.expose_secret().chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase());
    let plain: String = letters
        .map(|letter| match letter {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        })
        .collect();
    hex::encode(digest(&SHA256, plain.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ten_different_codes_are_found_again_however_they_are_written() {
        let codes = generate().unwrap();
        let hashes: HashSet<String> = codes.iter().map(sha256).collect();
        assert_eq!(hashes.len(), CODES);
        for code in &codes {
            let text = code.expose_secret();
            assert_eq!(text.len(), 19);
            let written = text.to_uppercase().replace('-', " ").replace('0', "O").replace('1', "l");
            assert_eq!(sha256(&written.into()), sha256(code));
        }
    }
}
