//! What happens behind an answer: events go from the table's stream to queues and workflows, and from there to those who act on
//! them.

use std::sync::Arc;
use std::time::Duration;

use mainsheet_cloud::queue::{Message, Queue};
use mainsheet_core::{Error, Result};
use mainsheet_embedded::{EmbeddedDynamoDb, Stream};
use mainsheet_notifier::Notifier;
use mainsheet_store::Store;
use mainsheet_store::outbox::{Event, OutboxEvent};
use tokio::sync::{Mutex, Notify};
use tokio::time::timeout;

use crate::agents::BuiltInAgents;
use crate::executions::LocalWorkflows;
use crate::local_table::LocalTable;
use crate::queues::LocalQueues;

/// What the built-in agents have to hear. AWS has no such queue.
const BUILT_IN_AGENTS: &str = "built-in-agents";
/// Every queue of the embedded platform.
pub(crate) const QUEUES: [&str; 3] = [Queue::Mail.as_str(), Queue::Runs.as_str(), BUILT_IN_AGENTS];

const LIST: &str = "STREAM";
const KEY: &str = "LAST_RECORD";

/// How long nothing may happen before it looks by itself: some writes come from elsewhere, and failed messages come again.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Records that are read before the ones behind them are forgotten.
const FORGET_EVERY: usize = 2_000;
/// Rounds of one delivery; each may give rise to new events.
const MAX_ROUNDS: usize = 100;

/// Carries events and handles messages.
pub(crate) struct Outbox {
    store: Store,
    table: LocalTable,
    queues: LocalQueues,
    notifier: Notifier,
    agents: Arc<BuiltInAgents>,
    workflows: Arc<LocalWorkflows>,
    reading: Mutex<Reading>,
    something_was_written: Notify,
}

struct Reading {
    stream: Stream,
    unforgotten: usize,
}

impl Outbox {
    pub(crate) async fn open(
        dynamodb: &EmbeddedDynamoDb,
        (store, table_name): (Store, &str),
        (table, queues): (LocalTable, LocalQueues),
        notifier: Notifier,
        (agents, workflows): (Arc<BuiltInAgents>, Arc<LocalWorkflows>),
    ) -> Result<Self> {
        let last: Option<String> = table.get(LIST, KEY).await?;
        let stream = dynamodb.stream(table_name, last.as_deref())?;
        let reading = Mutex::new(Reading { stream, unforgotten: FORGET_EVERY });
        Ok(Self { store, table, queues, notifier, agents, workflows, reading, something_was_written: Notify::new() })
    }

    /// Has everything that was set aside handled once more.
    pub(crate) async fn redrive(&self) -> Result<()> {
        for queue in QUEUES {
            self.queues.redrive(queue).await?;
        }
        Ok(())
    }

    /// Something may have been written.
    pub(crate) fn wake(&self) {
        self.something_was_written.notify_one();
    }

    /// Delivers as things are written, for ever.
    pub(crate) async fn work(&self) {
        loop {
            let _ = timeout(LOOK_EVERY, self.something_was_written.notified()).await;
            if let Err(error) = self.deliver().await {
                tracing::error!(%error, "cannot deliver events; trying again");
            }
        }
    }

    /// Delivers until nothing is left that can be handled now.
    pub(crate) async fn deliver(&self) -> Result<()> {
        let mut reading = self.reading.lock().await;
        for _ in 0..MAX_ROUNDS {
            let carried = self.carry(&mut reading).await?;
            let mut handled = 0;
            for queue in QUEUES {
                handled += self.handle(queue).await?;
            }
            let walked = self.workflows.walk().await?;
            self.agents.follow_cloud().await;
            if carried + handled + walked == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Stream to queues and workflows. What fails half way, or is killed, carries the same events again.
    async fn carry(&self, reading: &mut Reading) -> Result<usize> {
        let records = reading.stream.peek()?;
        let Some(last) = records.last() else { return Ok(0) };
        for event in records.iter().filter_map(|record| record.event.as_ref()) {
            if concerns_agents(event) {
                let body = serde_json::to_string(event).map_err(Error::internal)?;
                self.queues.put(BUILT_IN_AGENTS, Message { id: event.id.to_string(), body }).await?;
            }
            mainsheet_relay::carry(&self.queues, &*self.workflows, event).await?;
        }
        self.table.put(LIST, KEY, &last.sequence_number).await?;
        reading.stream.acknowledge();
        reading.unforgotten += records.len();
        if reading.unforgotten >= FORGET_EVERY {
            reading.stream.forget_before(&last.sequence_number)?;
            reading.unforgotten = 0;
        }
        Ok(records.len())
    }

    /// Queues to those who act.
    async fn handle(&self, queue: &'static str) -> Result<usize> {
        let messages = self.queues.receive(queue).await?;
        for (id, message) in &messages {
            let handled = match serde_json::from_str::<OutboxEvent>(&message.body) {
                Ok(event) => self.act(queue, event).await,
                Err(error) => Err(Error::internal(error)),
            };
            match handled {
                Ok(()) => self.queues.done(queue, id).await?,
                Err(error) => {
                    tracing::warn!(queue, id, %error, "a message could not be handled");
                    self.queues.failed(queue, id, message).await?;
                }
            }
        }
        Ok(messages.len())
    }

    async fn act(&self, queue: &str, event: OutboxEvent) -> Result<()> {
        if queue == BUILT_IN_AGENTS {
            self.agents.hear(&event).await
        } else if queue == Queue::Mail.as_str() {
            self.notifier.handle(event).await
        } else {
            mainsheet_dispatcher::handle(&self.store, &event).await
        }
    }
}

/// The built-in agents come and go with their clusters.
fn concerns_agents(event: &OutboxEvent) -> bool {
    matches!(event.event, Event::ClusterRegistered { .. } | Event::ClusterRetired { .. })
}
