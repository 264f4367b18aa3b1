//! Carries events from the table's stream to those who act on them, queues and workflows: the second half of the outbox.

use mainsheet_cloud::queue::{Message, Queue, Queues};
use mainsheet_cloud::workflows::{WorkflowStart, Workflows};
use mainsheet_core::{Error, Result};
use mainsheet_store::outbox::{Event, OutboxEvent};

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

/// Who acts on an event; `None` when nobody does.
fn destination(event: &Event) -> Option<Queue> {
    match event {
        Event::MailRequested { .. } => Some(Queue::Mail),
        Event::JobRunPending { .. }
        | Event::JobRunEnded { .. }
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
