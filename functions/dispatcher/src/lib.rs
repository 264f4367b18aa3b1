//! Acts on what happened to jobs, runs and clusters: releases runs, clears away what is left of deleted things.
//!
//! Events come at least once and in any order; each handler looks at what is there now and can be repeated.

mod events;

use mainsheet_core::Result;
use mainsheet_store::Store;
use mainsheet_store::audit::{Actor, Audit, Origin, Scope};
use mainsheet_store::outbox::{Event, OutboxEvent};

use events::emergency_used::Use;
use events::{
    cluster_retired, emergency_used, job_deleted, job_run_deleted, job_run_pending, member_removed, team_deleted,
    user_deleted,
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
        Event::JobDeleted { job_id } => job_deleted::handle(store, &tenant, job_id).await,
        Event::JobRunDeleted { job_run_id } => job_run_deleted::handle(store, &tenant, job_run_id).await,
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

/// The beginning of an audit record of what the platform does by itself.
fn audit(tenant: &mainsheet_store::Tenant, action: &'static str, target: &impl ToString) -> Audit {
    Audit {
        scope: Scope::Tenant(tenant.clone()),
        actor: Actor::Platform,
        origin: Origin::default(),
        action,
        target: target.to_string(),
    }
}
