//! Carries events from the table's stream to those who act on them, queues and workflows: the second half of the outbox.

use std::time::Duration;

use mainsheet_cloud::queue::{Message, Queue, Queues};
use mainsheet_cloud::workflows::{WorkflowStart, Workflows};
use mainsheet_core::{Error, Result, Timestamp};
use mainsheet_store::outbox::{Event, OutboxEvent};
use mainsheet_store::{Row, Store};
use serde::Deserialize;

/// How far the time when a record came into the stream may be from the one when its event was made: a change takes its time, its
/// tries count, and clocks differ.
const MARGIN: Duration = Duration::from_secs(60);

/// Sends an event to the queue of whoever acts on it, or starts the workflow that it is about. Carried again, it arrives again:
/// consumers expect that.
///
/// # Errors
/// [`Error::Unavailable`] when it is not taken.
pub async fn carry(queues: &dyn Queues, workflows: &dyn Workflows, event: &OutboxEvent) -> Result<()> {
    if let Event::OperationStarted { operation_id, kind } = &event.event {
        let organization_id = event.tenant()?.organization_id().clone();
        return workflows
            .start(WorkflowStart { kind: *kind, organization_id, operation_id: operation_id.clone() })
            .await;
    }
    let Some(queue) = destination(&event.event) else { return Ok(()) };
    let body = serde_json::to_string(event).map_err(Error::internal)?;
    queues.send(queue, Message { id: event.id.to_string(), body }).await
}

/// What AWS Lambda sets aside in place of records that it gave up: not what they are, but when they came.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html>
#[derive(Deserialize)]
struct GivenUp {
    #[serde(rename = "DDBStreamBatchInfo")]
    batch: GivenUpBatch,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GivenUpBatch {
    approximate_arrival_of_first_record: Timestamp,
    approximate_arrival_of_last_record: Timestamp,
}

/// Carries the events of a time of which records were given up, by the message that was set aside for them: the table has them still.
/// Those that were carried at the time come a second time; those that were carried again do not.
///
/// # Errors
/// The last of what went wrong, once all others were carried; [`Error::Internal`] when the message is of something else.
pub async fn carry_again(store: &Store, queues: &dyn Queues, workflows: &dyn Workflows, message: &str) -> Result<()> {
    let GivenUp { batch } = serde_json::from_str(message).map_err(Error::internal)?;
    let from = batch.approximate_arrival_of_first_record - MARGIN;
    let to = batch.approximate_arrival_of_last_record + MARGIN;
    let mut outcome = Ok(());
    for event in store.events_to_carry_again(from, to).await? {
        if let Err(error) = carry_once_more(store, queues, workflows, event).await {
            tracing::error!(%error, "an event could not be carried again");
            outcome = Err(error);
        }
    }
    outcome
}

async fn carry_once_more(
    store: &Store,
    queues: &dyn Queues,
    workflows: &dyn Workflows,
    event: Result<Row<OutboxEvent>>,
) -> Result<()> {
    let event = event?;
    carry(queues, workflows, &event.value).await?;
    store.note_carried_again(&event).await
}

/// Who acts on an event; `None` when nobody does.
fn destination(event: &Event) -> Option<Queue> {
    match event {
        Event::MailRequested { .. } => Some(Queue::Mail),
        Event::JobRunPending { .. }
        | Event::JobRunEnded { .. }
        | Event::JobRenamed { .. }
        | Event::JobDeleted { .. }
        | Event::JobRunDeleted { .. }
        | Event::MemberRemoved { .. }
        | Event::TeamDeleted { .. }
        | Event::UserDeleted { .. }
        | Event::ClusterRetired { .. }
        | Event::EmergencyUsed { .. } => Some(Queue::Runs),
        Event::ClusterRegistered { .. } | Event::OperationStarted { .. } => None,
    }
}
