//! Queues between functions.

use async_trait::async_trait;
use mainsheet_core::Result;

/// The queues there are. Each has one consumer and a dead-letter queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Queue {
    /// Mails to write; the notifier's.
    Mail,
    /// Runs to release and remains to clear away; the dispatcher's.
    Runs,
}

impl Queue {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Mail, Self::Runs];

    /// Its name in settings and in `/_local/queues`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Runs => "runs",
        }
    }
}

/// A message: JSON text, and an id that stays the same when it is sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The id of the event that it carries.
    pub id: String,
    /// The event as JSON.
    pub body: String,
}

/// Where messages are sent.
#[async_trait]
pub trait Queues: Send + Sync {
    /// Sends a message. It arrives at least once.
    ///
    /// # Errors
    /// [`mainsheet_core::Error::Unavailable`] when it was not taken; it may be sent again.
    async fn send(&self, queue: Queue, message: Message) -> Result<()>;
}
