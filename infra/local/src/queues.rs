//! Queues that survive a restart: at least once, with growing delays, and a dead-letter queue after five tries.

use std::time::Duration;

use async_trait::async_trait;
use mainsheet_cloud::queue::{Message, Queue, Queues};
use mainsheet_core::{Clock, Result, Timestamp};
use serde::{Deserialize, Serialize};

use crate::local_table::LocalTable;

/// Tries before a message is set aside.
const MAX_TRIES: u32 = 5;

/// The queues.
#[derive(Clone)]
pub(crate) struct LocalQueues {
    table: LocalTable,
    clock: Clock,
}

/// A message in a queue.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Queued {
    pub(crate) body: String,
    pub(crate) tries: u32,
    pub(crate) visible_at: Timestamp,
}

#[async_trait]
impl Queues for LocalQueues {
    async fn send(&self, queue: Queue, message: Message) -> Result<()> {
        self.put(queue.as_str(), message).await
    }
}

impl LocalQueues {
    pub(crate) fn new(table: LocalTable, clock: Clock) -> Self {
        Self { table, clock }
    }

    /// Puts a message into a queue, also one that AWS does not have.
    pub(crate) async fn put(&self, queue: &str, message: Message) -> Result<()> {
        let queued = Queued { body: message.body, tries: 0, visible_at: self.clock.now() };
        self.table.put(&list(queue), &message.id, &queued).await
    }

    /// The messages that can be handled now, oldest first.
    pub(crate) async fn receive(&self, queue: &str) -> Result<Vec<(String, Queued)>> {
        let now = self.clock.now();
        let mut messages: Vec<(String, Queued)> = self.table.all(&list(queue)).await?;
        messages.retain(|(_, message)| message.visible_at <= now);
        Ok(messages)
    }

    /// A message was handled.
    pub(crate) async fn done(&self, queue: &str, id: &str) -> Result<()> {
        self.table.remove(&list(queue), id).await
    }

    /// A message could not be handled: it comes again later, or is set aside.
    pub(crate) async fn failed(&self, queue: &str, id: &str, message: &Queued) -> Result<()> {
        let tries = message.tries + 1;
        if tries >= MAX_TRIES {
            tracing::error!(queue, id, "a message failed {tries} times and was set aside");
            self.table.put(&dead_letters(queue), id, &Queued { tries, ..message.clone() }).await?;
            return self.done(queue, id).await;
        }
        let visible_at = self.clock.now() + Duration::from_secs(1 << tries);
        self.table.put(&list(queue), id, &Queued { tries, visible_at, ..message.clone() }).await
    }

    /// What was set aside comes again, as if it were new: whatever was in its way may be gone.
    pub(crate) async fn redrive(&self, queue: &str) -> Result<()> {
        let dead: Vec<(String, Queued)> = self.table.all(&dead_letters(queue)).await?;
        for (id, Queued { body, .. }) in dead {
            self.put(queue, Message { id: id.clone(), body }).await?;
            self.table.remove(&dead_letters(queue), &id).await?;
        }
        Ok(())
    }

    /// How many messages wait, and how many were set aside.
    pub(crate) async fn depth(&self, queue: &str) -> Result<(usize, usize)> {
        let waiting: Vec<(String, Queued)> = self.table.all(&list(queue)).await?;
        let dead: Vec<(String, Queued)> = self.table.all(&dead_letters(queue)).await?;
        Ok((waiting.len(), dead.len()))
    }
}

fn list(queue: &str) -> String {
    format!("QUEUE#{queue}")
}

fn dead_letters(queue: &str) -> String {
    format!("DEAD_LETTERS#{queue}")
}
