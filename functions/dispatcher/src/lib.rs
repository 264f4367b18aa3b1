//! Acts on what happened to jobs, runs and clusters: releases runs, clears away what is left of deleted things.
//!
//! Events come at least once and in any order; each handler looks at what is there now and can be repeated.

mod events;

use mainsheet_core::{Error, Result};
use mainsheet_store::audit::{Actor, Audit, Origin, Scope};
use mainsheet_store::outbox::{Event, HANDLED_BEFORE, OutboxEvent};
use mainsheet_store::{Store, Tenant};

use events::emergency_used::Use;
use events::{
    cluster_retired, emergency_used, job_deleted, job_run_deleted, job_run_ended, job_run_pending, member_removed,
    team_deleted, user_deleted,
};

/// Acts on an event.
///
/// # Errors
/// When the table does not answer; the event is to be handled again.
pub async fn handle(store: &Store, event: &OutboxEvent) -> Result<()> {
    let tenant = event.tenant()?;
    match &event.event {
        Event::JobRunPending { job_id, job_run_id } => {
            job_run_pending::handle(store, &tenant, job_id, job_run_id).await
        }
        Event::JobRunEnded { job_id, .. } | Event::JobRenamed { job_id } => {
            job_run_ended::handle(store, &tenant, job_id).await
        }
        Event::JobDeleted { job_id } => job_deleted::handle(store, &tenant, event, job_id).await,
        Event::JobRunDeleted { job_run_id } => job_run_deleted::handle(store, &tenant, event, job_run_id).await,
        Event::ClusterRetired { cluster_id } => cluster_retired::handle(store, &tenant, cluster_id).await,
        Event::MemberRemoved { member_id, team_ids } => {
            member_removed::handle(store, &tenant, member_id, team_ids).await
        }
        Event::TeamDeleted { team_id } => team_deleted::handle(store, &tenant, team_id).await,
        Event::UserDeleted { user_id } => user_deleted::handle(store, user_id).await,
        Event::EmergencyUsed { member_id, action, target } => {
            emergency_used::handle(store, &tenant, event, &Use { member_id, action, target }).await
        }
        Event::MailRequested { .. } | Event::ClusterRegistered { .. } | Event::OperationStarted { .. } => Ok(()),
    }
}

/// What an event asks for is more than one message has time for: the same event comes again, once however often this one does.
async fn go_on(
    store: &Store,
    tenant: &Tenant,
    event: &OutboxEvent,
    action: &'static str,
    target: &impl ToString,
) -> Result<()> {
    let change = store.change(audit(tenant, action, target)).once(tenant, &event.id, 0);
    match change.emit(event.event.clone()).commit().await {
        Err(Error::Conflict { code: HANDLED_BEFORE, .. }) => Ok(()),
        emitted => emitted,
    }
}

/// The beginning of an audit record of what the platform does by itself.
fn audit(tenant: &Tenant, action: &'static str, target: &impl ToString) -> Audit {
    Audit {
        scope: Scope::Tenant(tenant.clone()),
        actor: Actor::Platform,
        origin: Origin::default(),
        action,
        target: target.to_string(),
    }
}
