//! Requests that may be sent again: the key, what it stood for and what came of it, in the change's own transaction.

use aws_lc_rs::digest::{SHA256, digest};
use mainsheet_core::{Error, Result, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::service_accounts::service_key_partition;
use crate::{Batch, Entity, Key};

/// How long a key is remembered.
pub const REMEMBERED_SECONDS: u64 = 24 * 3600;

/// A caller's `Idempotency-Key` (1 to 255 visible ASCII characters).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Checks a header's text.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is empty, too long or has other characters.
    pub fn parse(text: &str) -> Result<Self> {
        let well_formed = (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::malformed(
                "invalid_idempotency_key",
                "`Idempotency-Key` must be 1 to 255 visible ASCII characters.",
            ))
        }
    }

    /// Where it is remembered: by whoever sent it, before an organization is known.
    pub(crate) fn row(&self, sender: &Sender) -> Key {
        let hash = digest(&SHA256, self.0.as_bytes());
        let sk = format!("IDEMPOTENCY#{}", hex::encode(hash.as_ref()));
        match sender {
            Sender::User(user) => Key::of_user(user, sk),
            Sender::ServiceKey { sha256 } => Key::global(service_key_partition(sha256), sk),
        }
    }
}

/// Who sends a request that may be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sender {
    /// A person.
    User(UserId),
    /// Whoever holds this key of a service account.
    ServiceKey {
        /// SHA-256 of the key, in hex.
        sha256: String,
    },
}

/// What a key stood for and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdempotencyRecord {
    /// SHA-256 of method, path, organization and body, in hex.
    pub request_sha256: String,
    /// The id of what was created or acted on; the answer is derived from it again.
    pub result: String,
    /// When the key is forgotten.
    pub expires_at: Timestamp,
}

impl Entity for IdempotencyRecord {
    const KIND: &'static str = "idempotency";

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

/// A request with a key, on its way into a change.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// Who sent it.
    pub sender: Sender,
    /// Its key.
    pub key: IdempotencyKey,
    /// SHA-256 of the request, in hex.
    pub request_sha256: String,
}

/// The record of an earlier request among rows that were read together, unless it is forgotten.
pub(crate) fn take_earlier(batch: &mut Batch, key: &Key, now: Timestamp) -> Result<Option<IdempotencyRecord>> {
    let row = batch.take::<IdempotencyRecord>(key)?;
    Ok(row.map(|row| row.value).filter(|record| record.expires_at > now))
}
