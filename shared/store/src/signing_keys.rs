//! The public halves of the keys that sign tokens, so that every function can check what one of them signed.

use mainsheet_core::{Error, Result, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Change, Entity, Key, Listing, PageRequest, Store};

/// A public key that tokens are checked with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicKey {
    /// Its id: the JWK thumbprint (RFC 7638).
    pub kid: String,
    /// Ed25519, as RFC 8037 writes it: base64url.
    pub x: String,
    /// What it signs.
    pub purpose: String,
    /// Since when it is in use.
    pub created_at: Timestamp,
}

impl Entity for PublicKey {
    const KIND: &'static str = "signing_key";
}

const PARTITION: &str = "SIGNING_KEYS";

impl Store {
    /// Every key that tokens may be signed with.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn public_keys(&self) -> Result<Vec<PublicKey>> {
        let request = PageRequest { limit: 100, ..PageRequest::default() };
        Ok(self.page::<PublicKey>(&Listing::of(PARTITION), &request).await?.map(|row| row.value).rows)
    }
}

impl Change<'_> {
    /// A key that is from now on in use.
    pub fn publish_key(self, key: &PublicKey) -> Self {
        let published = Error::conflict("key_published", "This key is published already.");
        self.create(&Key::global(PARTITION, format!("{}#{}", key.purpose, key.kid)), key, published)
    }
}
