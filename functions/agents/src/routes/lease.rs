//! `POST /agent/lease`: work for an agent, and news about the work at hand.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use mainsheet_api::{AgentCaller, Body, Result};
use mainsheet_core::agent_protocol::{
    ASK_AGAIN, HeldRun, LEASE, LeaseAnswer, LeaseRequest, LeasedRun, LeasedSource, MAX_WAIT, Order, RunOrder,
};
use mainsheet_core::catalog::LeasedCatalogs;
use mainsheet_core::job::{ExecutionMode, VARIABLE_PREFIX};
use mainsheet_core::job_run::{JobRun, QueryDefaults, RunEvent, RunStatus};
use mainsheet_core::{Error, Timestamp};
use mainsheet_store::Change;
use mainsheet_store::clusters::{InboxEntry, InboxKind};
use mainsheet_store::job_runs::RunOfJob;
use tokio::time::{Instant, sleep};

use crate::source::{Resolved, resolve};
use crate::{AgentsState, Waiting};

/// How often a waiting request looks into the inbox: one query each.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Ask for work
///
/// Waits up to `waitSeconds` for something to do, or says with `askAgainAfterMs` when to come again.
#[utoipa::path(
    post, path = "/agent/lease", operation_id = "leaseJobRuns", tag = "agents",
    request_body = LeaseRequest,
    responses((status = 200, description = "Work and orders; both may be empty.", body = LeaseAnswer)),
    security(("agentToken" = []))
)]
pub(crate) async fn lease(
    State(state): State<AgentsState>,
    caller: AgentCaller,
    Body(body): Body<LeaseRequest>,
) -> Result<Json<LeaseAnswer>> {
    if state.waiting == Waiting::Polled {
        let answer = look(&state, &caller, &body).await?;
        return Ok(Json(LeaseAnswer { ask_again_after_ms: milliseconds(ASK_AGAIN), ..answer }));
    }
    let wait = Duration::from_secs(body.wait_seconds.into()).min(MAX_WAIT);
    let until = Instant::now() + wait;
    loop {
        let answer = look(&state, &caller, &body).await?;
        let found = !answer.runs.is_empty() || !answer.orders.is_empty();
        if found || Instant::now() + LOOK_EVERY > until {
            return Ok(Json(answer));
        }
        sleep(LOOK_EVERY).await;
    }
}

fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// One look into the inbox of the agent's cluster.
async fn look(state: &AgentsState, caller: &AgentCaller, request: &LeaseRequest) -> Result<LeaseAnswer> {
    let inbox = state.app.store.inbox(&caller.tenant, &caller.agent.value.cluster_id).await?;
    let mine = |entry: &&InboxEntry| entry.agent_id.as_ref() == Some(&caller.agent.value.id);
    let held = |entry: &&InboxEntry| request.holding.contains(&held_run(entry));
    let cancels = inbox.iter().filter(|entry| entry.kind == InboxKind::Cancel).filter(mine).filter(held);
    let orders = cancels.map(|entry| RunOrder { run: held_run(entry), order: Order::Cancel }).collect();
    let lost = inbox.iter().filter(|entry| entry.kind == InboxKind::Leased).filter(mine).filter(|entry| !held(entry));
    let ready = inbox.iter().filter(|entry| entry.kind == InboxKind::Ready);
    let mut runs = Vec::new();
    for entry in lost.chain(ready) {
        if runs.len() >= request.capacity as usize {
            break;
        }
        match take(state, caller, entry).await {
            Ok(run) => runs.extend(run),
            // Another agent was faster, or the run moved on: there is nothing to take.
            Err(Error::Conflict { .. }) => {}
            Err(error @ Error::Unauthenticated { .. }) => return Err(error.into()),
            // What is wrong with one run keeps no other from being executed, and what was leased has to be told.
            Err(error) => {
                tracing::error!(run = %entry.job_run_id, %error, "a run that waits cannot be leased");
            }
        }
    }
    Ok(LeaseAnswer { runs, orders, ask_again_after_ms: 0 })
}

fn held_run(entry: &InboxEntry) -> HeldRun {
    HeldRun { job_id: entry.job_id.clone(), job_run_id: entry.job_run_id.clone(), attempt: entry.attempt }
}

/// Leases a ready run, or hands a leased one out again whose answer was lost.
async fn take(
    state: &AgentsState,
    caller: &AgentCaller,
    entry: &InboxEntry,
) -> mainsheet_core::Result<Option<LeasedRun>> {
    let Some(found) = state.app.store.run_of_job(&caller.tenant, entry).await? else { return Ok(None) };
    match (entry.kind, found.run.value.status) {
        (InboxKind::Ready, RunStatus::Ready) => lease_run(state, caller, &found).await,
        (InboxKind::Leased, RunStatus::Starting) if found.run.value.attempt == entry.attempt => {
            lease_again(state, caller, &found).await
        }
        // An agent that lost a run that was under way cannot go on with it: its lease runs out.
        _ => Ok(None),
    }
}

async fn lease_run(
    state: &AgentsState,
    caller: &AgentCaller,
    found: &RunOfJob,
) -> mainsheet_core::Result<Option<LeasedRun>> {
    let app = &state.app;
    let change = app.store.change(caller.audit("job_run.lease", &found.run.value.id));
    let now = change.now();
    let mut run = found.run.value.clone();
    run.apply(RunEvent::Lease, now).map_err(Error::internal)?;
    run.leased_by = Some(caller.agent.value.id.clone());
    let work = match work(state, caller, found).await? {
        Ok(work) => work,
        Err(reason) => return fail(change, caller, found, run, reason).await,
    };
    if let LeasedSource::Sql { text } = &work.source {
        run.resolved_sql = Some(text.clone());
    }
    run.query_defaults.clone_from(&work.query_defaults);
    // A request that waits was let in before; the agent may have been dismissed since.
    let dismissed = |error| if matches!(error, Error::NotFound) { Error::unauthenticated("dismissed") } else { error };
    let change = change.require_agent(&caller.agent.value.id).replace_run(&caller.tenant, &found.run, &run);
    change.commit().await.map_err(dismissed)?;
    Ok(Some(leased(found, &run, work, now)))
}

/// Hands a leased run out again. The lease of one that cannot be handed out is not renewed: it would stand for ever.
async fn lease_again(
    state: &AgentsState,
    caller: &AgentCaller,
    found: &RunOfJob,
) -> mainsheet_core::Result<Option<LeasedRun>> {
    let app = &state.app;
    match work(state, caller, found).await? {
        Ok(work) => {
            app.store.renew_lease(&found.run, &caller.agent.value).await?;
            Ok(Some(leased(found, &found.run.value, work, app.now())))
        }
        Err(reason) => {
            let change = app.store.change(caller.audit("job_run.lease", &found.run.value.id));
            fail(change, caller, found, found.run.value.clone(), reason).await
        }
    }
}

/// Ends a leased run that cannot be executed, for this reason.
async fn fail(
    change: Change<'_>,
    caller: &AgentCaller,
    found: &RunOfJob,
    mut run: JobRun,
    reason: String,
) -> mainsheet_core::Result<Option<LeasedRun>> {
    run.apply(RunEvent::Fail, change.now()).map_err(Error::internal)?;
    run.status_message = Some(reason);
    change.replace_run(&caller.tenant, &found.run, &run).commit().await?;
    Ok(None)
}

/// What a run executes, and in which catalogs.
struct Work {
    source: LeasedSource,
    /// What names in a saved query's text mean.
    query_defaults: Option<QueryDefaults>,
    catalogs: Option<LeasedCatalogs>,
}

/// What a run executes, or why it cannot: a text for its status message.
async fn work(
    state: &AgentsState,
    caller: &AgentCaller,
    found: &RunOfJob,
) -> mainsheet_core::Result<Result<Work, String>> {
    let (source, query_defaults) = match resolve(&state.app.store, &caller.tenant, found).await? {
        Resolved::Source(source, query_defaults) => (source, query_defaults),
        Resolved::Impossible(reason) => return Ok(Err(reason)),
    };
    let defaults = query_defaults.clone().unwrap_or_default();
    let catalogs = crate::catalogs::catalogs(state, &caller.tenant, found, defaults).await?;
    Ok(catalogs.map(|catalogs| Work { source, query_defaults, catalogs }))
}

fn leased(found: &RunOfJob, run: &JobRun, work: Work, now: Timestamp) -> LeasedRun {
    let config = &found.version.config;
    let engine = config.lakesail.clone().unwrap_or_default();
    // What cannot be used was refused with the source.
    let environment = engine.environment().unwrap_or_default();
    let mut settings = engine.settings;
    settings.retain(|name, _| !name.starts_with(VARIABLE_PREFIX));
    let mode = match engine.execution_mode {
        ExecutionMode::Standalone => "standalone",
        ExecutionMode::Cluster => "cluster",
    };
    settings.insert("executionMode".to_owned(), mode.to_owned());
    LeasedRun {
        run: HeldRun { job_id: run.job_id.clone(), job_run_id: run.id.clone(), attempt: run.attempt },
        job_key: found.job.value.job_key.clone(),
        lease_expires_at: now + LEASE,
        timeout_seconds: (run.timeout_seconds > 0).then_some(run.timeout_seconds),
        resource_cleanup_mode: run.resource_cleanup_mode,
        source: work.source,
        engine: settings,
        catalogs: work.catalogs,
        environment,
        libraries: engine.libraries,
        compute: config.compute.clone(),
        image: engine.lakesail_image_uri,
    }
}
