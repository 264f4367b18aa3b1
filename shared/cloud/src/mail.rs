//! Mail to people.

use async_trait::async_trait;
use mainsheet_core::Result;

/// A mail, written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The id of the event that asked for it; a mail with the same id is the same mail.
    pub id: String,
    /// One address.
    pub to: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// HTML that says the same.
    pub html: String,
}

/// Where mails are handed over.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Hands a mail over.
    ///
    /// # Errors
    /// [`mainsheet_core::Error::Unavailable`] when it was not taken; it may be handed over again.
    async fn send(&self, mail: Mail) -> Result<()>;
}
