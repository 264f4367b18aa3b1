//! What every handler can reach.

use mainsheet_auth::keys::{KeyRing, Purpose};
use mainsheet_core::{Result, Timestamp};
use mainsheet_store::Store;

/// The state of every router. Cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    /// The table.
    pub store: Store,
    /// The keys that access tokens are checked with.
    pub access_keys: KeyRing,
}

impl App {
    /// The state over a table.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { access_keys: KeyRing::new(store.clone(), Purpose::Access), store }
    }

    /// Reads what every function needs before its first request.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn warm(&self) -> Result<()> {
        futures::try_join!(self.access_keys.warm(), self.store.warm()).map(drop)
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.store.now()
    }
}
