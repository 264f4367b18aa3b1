//! Proofs of possession that were used (RFC 9449, section 11.1).

use mainsheet_core::{Error, Result, Timestamp};
use serde::{Deserialize, Serialize};

use crate::identity_providers::sha256;
use crate::{Entity, Key, Store};

/// A proof that was used.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UsedProof {
    expires_at: Timestamp,
}

impl Entity for UsedProof {
    const KIND: &'static str = "dpop_proof";

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

impl Store {
    /// A proof is used: `jti` once a key, remembered until `expires_at`.
    ///
    /// # Errors
    /// [`Error::NotProven`] when it was used before.
    pub async fn use_dpop_proof(&self, thumbprint: &str, jti: &str, expires_at: Timestamp) -> Result<()> {
        let key = Key::global(format!("DPOP#{thumbprint}#{}", sha256(jti)), "DPOP");
        let used = Error::not_proven("the proof was used before");
        self.telemetry().create(&key, &UsedProof { expires_at }, used).commit().await
    }
}
