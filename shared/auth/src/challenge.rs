//! Challenge tokens: who presents one has given the first factor, and nothing more.

use mainsheet_core::{ChallengeId, Result, Timestamp, UserId};
use mainsheet_store::sign_in::CHALLENGE_VALID;
use serde::{Deserialize, Serialize};

use crate::keys::{KeyRing, SigningKey};
use crate::token::{Kind, check, sign};

/// Which half-done sign-in a token is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChallengeToken {
    /// The person.
    #[serde(rename = "sub")]
    pub user_id: UserId,
    /// The sign-in.
    #[serde(rename = "jti")]
    pub challenge_id: ChallengeId,
}

impl Kind for ChallengeToken {
    const TYPE: &'static str = "challenge+jwt";
    const AUDIENCE: &'static str = "mainsheet-challenge";
}

impl ChallengeToken {
    /// Signs a token, good for 10 minutes. That it is good for once, the table sees to.
    ///
    /// # Errors
    /// [`mainsheet_core::Error::Internal`] when the key does not sign.
    pub fn sign(self, key: &SigningKey, now: Timestamp) -> Result<String> {
        sign(key, self, now, now + CHALLENGE_VALID)
    }

    /// Reads a token.
    ///
    /// # Errors
    /// [`mainsheet_core::Error::Unauthenticated`] for any text that we did not sign for this, or that has expired.
    pub async fn check(ring: &KeyRing, token: &str, now: Timestamp) -> Result<Self> {
        check(ring, token, now).await
    }
}
