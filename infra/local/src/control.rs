//! Control endpoints of the embedded platform, outside the protocol: the caught mail, the clock, the queues, its health.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use garde::Validate;
use mainsheet_api::{Body, Result};
use mainsheet_core::Timestamp;
use mainsheet_simulator::CloudSimulator;
use mainsheet_store::Store;
use serde::{Deserialize, Serialize};

use crate::agents::BuiltInAgents;
use crate::clock::PlatformClock;
use crate::executions::LocalWorkflows;
use crate::mailbox::{CaughtMail, Mailbox};
use crate::outbox::{self, Outbox};
use crate::queues::LocalQueues;

/// What the control endpoints reach.
#[derive(Clone)]
pub(crate) struct Control {
    pub(crate) store: Store,
    pub(crate) clock: PlatformClock,
    pub(crate) mailbox: Mailbox,
    pub(crate) queues: LocalQueues,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) agents: Arc<BuiltInAgents>,
    pub(crate) workflows: Arc<LocalWorkflows>,
    pub(crate) cloud: CloudSimulator,
}

/// The routes under `/_local`.
pub(crate) fn router(control: Control) -> Router {
    Router::new()
        .route("/_local/health", get(health))
        .route("/_local/mail", get(mail))
        .route("/_local/clock", post(move_clock))
        .route("/_local/queues", get(queues))
        .with_state(control)
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    now: Timestamp,
}

async fn health(State(control): State<Control>) -> Result<Json<Health>> {
    control.store.public_keys().await?;
    Ok(Json(Health { status: "ok", now: control.store.now() }))
}

#[derive(Serialize)]
struct Mails {
    items: Vec<CaughtMail>,
}

/// Delivers first, so that the mail of a request that was answered is there.
async fn mail(State(control): State<Control>) -> Result<Json<Mails>> {
    control.outbox.deliver().await?;
    Ok(Json(Mails { items: control.mailbox.mails().await? }))
}

/// How far to move the clock: at most a year at once.
#[derive(Debug, Deserialize, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MoveClock {
    #[garde(range(max = 366 * 24 * 3600))]
    advance_seconds: u64,
}

#[derive(Serialize)]
struct Moved {
    now: Timestamp,
}

/// Moves the clock, then runs everything that became due. The built-in agents are alive all the while, so they say so first.
///
/// Workflows do what is due on the way at the moment when it is due: a poll finds what came about since the one before. Two that move it
/// at once move it one after the other.
async fn move_clock(State(control): State<Control>, Body(body): Body<MoveClock>) -> Result<Json<Moved>> {
    let clock = control.clock.moving().await;
    let target = control.store.now() + Duration::from_secs(body.advance_seconds);
    while let Some(due_at) = control.workflows.next_due().await?.filter(|due_at| *due_at < target) {
        clock.advance(due_at.since(control.store.now())).await?;
        control.agents.send_heartbeats().await;
        control.outbox.deliver().await?;
    }
    let now = clock.advance(target.since(control.store.now())).await?;
    control.agents.send_heartbeats().await;
    // A clock that was moved is no pause: nobody was away.
    control.store.note_tick(now, Duration::MAX).await?;
    mainsheet_scheduler::tick(&control.store, mainsheet_scheduler::INTERVAL).await?;
    control.outbox.deliver().await?;
    Ok(Json(Moved { now: control.store.now() }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QueueDepth {
    queue: &'static str,
    waiting: usize,
    dead_letters: usize,
}

#[derive(Serialize)]
struct Depths {
    items: Vec<QueueDepth>,
}

async fn queues(State(control): State<Control>) -> Result<Json<Depths>> {
    let mut items = Vec::new();
    for queue in outbox::QUEUES {
        let (waiting, dead_letters) = control.queues.depth(queue).await?;
        items.push(QueueDepth { queue, waiting, dead_letters });
    }
    Ok(Json(Depths { items }))
}
