//! What every handler can reach.

use std::sync::Arc;

use axum::extract::FromRef;
use mainsheet_auth::keys::{KeyRing, Purpose};
use mainsheet_cloud::breached::{BreachedPasswords, OfflineList};
use mainsheet_core::{Error, Result, Timestamp};
use mainsheet_store::Store;
use secrecy::{ExposeSecret, SecretString};

/// The state of every router. Cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    /// The table.
    pub store: Store,
    /// The keys that access tokens are checked with.
    pub access_keys: KeyRing,
    breached: Arc<dyn BreachedPasswords>,
}

impl App {
    /// The state over a table. Of leaked passwords it knows the offline list.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { access_keys: KeyRing::new(store.clone(), Purpose::Access), store, breached: Arc::new(OfflineList) }
    }

    /// Another one to ask for leaked passwords.
    #[must_use]
    pub fn with_breached_passwords(self, breached: Arc<dyn BreachedPasswords>) -> Self {
        Self { breached, ..self }
    }

    /// A new password is not one that is known from leaks.
    ///
    /// # Errors
    /// [`Error::Invalid`] for the field that it came in when it is.
    pub async fn refuse_breached(&self, field: &str, password: &SecretString) -> Result<()> {
        if self.breached.contains(password.expose_secret()).await {
            return Err(Error::invalid(field, "is known from leaks; choose another one"));
        }
        Ok(())
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

/// A router's state that holds an [`App`]: what extractors ask of it.
pub trait HasApp: Send + Sync {
    /// What every handler can reach.
    fn app(&self) -> App;
}

impl<S> HasApp for S
where
    S: Send + Sync,
    App: FromRef<S>,
{
    fn app(&self) -> App {
        App::from_ref(self)
    }
}
