//! Refresh tokens: opaque, rotated at each use; the use of an old one gives the login away as stolen.
//!
//! A token names its login and carries two secrets: one that all tokens of the login share, and one of its own. The login
//! keeps both hashed. A token with the right shared secret and another own one was genuine once: it is used again.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mainsheet_core::{Error, LoginId, Result, UserId};
use mainsheet_store::users::Login;
use subtle::ConstantTimeEq;

/// Begins every refresh token, so that secret scanners know one.
const PREFIX: &str = "msr_";
const SECRET: usize = 32;

/// A refresh token. Prints without its secrets.
#[derive(Clone)]
pub struct RefreshToken {
    /// Whose login.
    pub user_id: UserId,
    /// Which login.
    pub login_id: LoginId,
    family: [u8; SECRET],
    own: [u8; SECRET],
}

/// What a presented token is to its login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presented {
    /// The one that was given out last.
    Current,
    /// One that was exchanged before.
    Old,
    /// None of the login's.
    Foreign,
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RefreshToken({} {})", self.user_id, self.login_id)
    }
}

impl RefreshToken {
    /// A new login's first token.
    ///
    /// # Errors
    /// [`Error::Internal`] when there is no randomness.
    pub fn first(user_id: UserId, login_id: LoginId) -> Result<Self> {
        Ok(Self { user_id, login_id, family: random()?, own: random()? })
    }

    /// The token that takes this one's place.
    ///
    /// # Errors
    /// [`Error::Internal`] when there is no randomness.
    pub fn next(&self) -> Result<Self> {
        Ok(Self { own: random()?, ..self.clone() })
    }

    /// SHA-256 of the secret that all tokens of the login share, in hex.
    #[must_use]
    pub fn family_sha256(&self) -> String {
        hex::encode(digest(&SHA256, &self.family))
    }

    /// SHA-256 of the token's own secret, in hex.
    #[must_use]
    pub fn own_sha256(&self) -> String {
        hex::encode(digest(&SHA256, &self.own))
    }

    /// What the token is to a login.
    #[must_use]
    pub fn presented_to(&self, login: &Login) -> Presented {
        let same = |left: &str, right: &str| bool::from(left.as_bytes().ct_eq(right.as_bytes()));
        let family = same(&self.family_sha256(), &login.refresh_family_sha256);
        let own = same(&self.own_sha256(), &login.refresh_current_sha256);
        match (family, own) {
            (true, true) => Presented::Current,
            (true, false) => Presented::Old,
            (false, _) => Presented::Foreign,
        }
    }

    /// The token's text.
    #[must_use]
    pub fn reveal(&self) -> String {
        let secrets = URL_SAFE_NO_PAD.encode([self.family, self.own].concat());
        format!("{PREFIX}{}.{}.{secrets}", self.user_id, self.login_id)
    }

    /// Reads a token's text.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when it is none.
    pub fn parse(text: &str) -> Result<Self> {
        Self::read(text).ok_or_else(|| Error::unauthenticated("not a refresh token"))
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(PREFIX)?.splitn(3, '.');
        let (user_id, login_id) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let secrets = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
        let (family, own) = secrets.split_at_checked(SECRET)?;
        Some(Self { user_id, login_id, family: family.try_into().ok()?, own: own.try_into().ok()? })
    }
}

fn random() -> Result<[u8; SECRET]> {
    let mut bytes = [0; SECRET];
    rand::fill(&mut bytes).map_err(Error::internal)?;
    Ok(bytes)
}
