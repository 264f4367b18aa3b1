//! The public halves of the keys that sign tokens, so that every function can check what one of them signed.

use mainsheet_core::{Error, Result, Timestamp};
use serde::{Deserialize, Serialize};

use crate::change::Due;
use crate::{Change, Entity, Key, Listing, PageRequest, Row, Store};

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
    /// When nothing that it signed is good any more; absent for the key that is in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retires_at: Option<Timestamp>,
}

impl Entity for PublicKey {
    const KIND: &'static str = "signing_key";

    fn expires_at(&self) -> Option<Timestamp> {
        self.retires_at
    }
}

impl PublicKey {
    /// Whether what it signed may still be good.
    #[must_use]
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.retires_at.is_none_or(|retires_at| retires_at > now)
    }
}

const PARTITION: &str = "SIGNING_KEYS";

impl Store {
    /// Every key that tokens which are still good may be signed with.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn public_keys(&self) -> Result<Vec<PublicKey>> {
        let now = self.now();
        let keys = self.public_key_rows().await?.into_iter().map(|row| row.value);
        Ok(keys.filter(|key| key.is_good(now)).collect())
    }

    /// Every key that was published and not cleared away, as it lies in the table.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn public_key_rows(&self) -> Result<Vec<Row<PublicKey>>> {
        let request = PageRequest { limit: 100, ..PageRequest::default() };
        Ok(self.page(&Listing::of(PARTITION), &request).await?.rows)
    }
}

impl Change<'_> {
    /// A key that is from now on in use.
    pub fn publish_key(self, key: &PublicKey) -> Self {
        let published = Error::conflict("key_published", "This key is published already.");
        self.create(&Key::global(PARTITION, format!("{}#{}", key.purpose, key.kid)), key, published)
    }

    /// Another key is in use: this one is published until `retires_at`.
    pub fn retire_key(self, row: &Row<PublicKey>, retires_at: Timestamp) -> Self {
        self.replace(row, &PublicKey { retires_at: Some(retires_at), ..row.value.clone() }, Due::Keep)
    }

    /// A key that was in use before is in use again.
    pub fn restore_key(self, row: &Row<PublicKey>) -> Self {
        self.overwrite(&row.key, &PublicKey { retires_at: None, ..row.value.clone() })
    }
}
