//! `GET /workloads/jobs/{job}/runs/{jobRun}/blockers`: why a run does not run.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, Result};
use mainsheet_auth::needs::CanViewJobs;
use mainsheet_auth::{Caller, Relation};
use mainsheet_core::cluster::ClusterStatus;
use mainsheet_core::job::Job;
use mainsheet_core::job_run::{JobRun, RunStatus, Waiting};
use mainsheet_core::{ClusterId, Error, JobId, JobRunId};
use mainsheet_store::PageRequest;
use mainsheet_store::clusters::{InboxKind, pulse};
use mainsheet_store::job_runs::{Dependency, LatestRun};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::JobRunFor;

/// The most runs that are named as being in the way.
const NAMED: u32 = 20;

/// What keeps a run from running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BlockerType {
    /// Somebody holds it.
    Hold,
    /// A job that it depends on has not succeeded since the job's run before.
    Dependency,
    /// A run of the job that it replaces has not ended.
    Replace,
    /// Nothing: it is being looked at, and goes on by itself.
    Release,
    /// Its cluster was retired.
    ClusterGone,
    /// The agent of its cluster never reported.
    NoAgent,
    /// The agent of its cluster has not reported for 2 minutes.
    ClusterUnreachable,
    /// The agent of its cluster has as many runs as it takes at once.
    Capacity,
    /// Nothing: the agent of its cluster takes it the next time that it asks.
    Agent,
}

/// One thing that keeps a run from running.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = JobRunBlocker)]
pub(crate) struct Blocker {
    #[serde(rename = "type")]
    kind: BlockerType,
    /// What it is, and what to do.
    message: String,
    /// The job that it depends on, by its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    job_key: Option<String>,
    /// The job that it depends on, if there is one with that key and the caller may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<JobId>,
    /// The latest run of the job that it depends on, or the run that it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    job_run_id: Option<JobRunId>,
    /// Where that run stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    job_run_status: Option<RunStatus>,
    /// Its cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_id: Option<ClusterId>,
}

impl Blocker {
    fn new(kind: BlockerType, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { kind, message, job_key: None, job_id: None, job_run_id: None, job_run_status: None, cluster_id: None }
    }

    fn of_cluster(kind: BlockerType, run: &JobRun, message: impl Into<String>) -> Self {
        Self { cluster_id: Some(run.cluster_id.clone()), ..Self::new(kind, message) }
    }
}

/// What keeps a run from running.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobRunBlockers)]
pub(crate) struct Blockers {
    /// Empty when it runs, or has ended.
    items: Vec<Blocker>,
}

/// Show why a run does not run
///
/// Everything that stands in its way: somebody who holds it, jobs that it depends on, runs that it replaces, its cluster and that
/// cluster's agent. Empty for a run that an agent has, and for one that has ended.
#[utoipa::path(
    get, path = "/workloads/jobs/{job}/runs/{jobRun}/blockers", operation_id = "getJobRunBlockers", tag = "job-runs",
    params(("job" = JobId, Path, description = "The job."), ("jobRun" = JobRunId, Path, description = "The run.")),
    responses((status = 200, description = "What keeps it from running.", body = Blockers)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("team:CanViewJobs")))
)]
pub(crate) async fn blockers(State(app): State<App>, found: JobRunFor<CanViewJobs>) -> Result<Json<Blockers>> {
    let (caller, run) = (&found.caller, &found.row.value);
    let items = match run.status {
        RunStatus::Pending => pending(&app, caller, run).await?,
        RunStatus::Ready => vec![ready(&app, caller, run).await?],
        _ => Vec::new(),
    };
    Ok(Json(Blockers { items }))
}

async fn pending(app: &App, caller: &Caller, run: &JobRun) -> Result<Vec<Blocker>> {
    let mut items = Vec::new();
    if run.hold {
        items.push(Blocker::new(BlockerType::Hold, "It is held. Release it with `POST .../ready`."));
    }
    if let Some(waiting) = &run.waiting {
        if waiting.replaces {
            items.extend(replaced(app, caller, run).await?);
        }
        items.extend(dependencies(app, caller, waiting).await?);
    }
    match app.store.cluster(caller.tenant(), &run.cluster_id).await {
        Ok(_) => {}
        Err(Error::NotFound) => items.push(cluster_gone(run)),
        Err(error) => return Err(error.into()),
    }
    if items.is_empty() {
        items.push(Blocker::new(BlockerType::Release, "Nothing stands in its way: it is ready in a moment."));
    }
    Ok(items)
}

/// The older runs that it takes the place of.
async fn replaced(app: &App, caller: &Caller, run: &JobRun) -> Result<Vec<Blocker>> {
    let request = PageRequest { limit: NAMED, ..PageRequest::default() };
    let live = app.store.live_runs(caller.tenant(), &run.job_id, &request).await?;
    let older = live.rows.into_iter().map(|row| row.value).filter(|other| other.is_older_than(run));
    let blocker = |other: JobRun| Blocker {
        job_run_id: Some(other.id.clone()),
        job_run_status: Some(other.status),
        ..Blocker::new(
            BlockerType::Replace,
            format!("It takes the place of run {}, which is being stopped and has not ended.", other.id),
        )
    };
    Ok(older.map(blocker).collect())
}

async fn dependencies(app: &App, caller: &Caller, waiting: &Waiting) -> Result<Vec<Blocker>> {
    let all = app.store.awaited(caller.tenant(), waiting).await?;
    let missing: Vec<Dependency> = all.into_iter().filter(|dependency| dependency.success.is_none()).collect();
    let ids = missing.iter().filter_map(|dependency| dependency.job_id.clone());
    let mut latest = app.store.latest_runs(caller.tenant(), ids).await?;
    let blocker = |dependency: Dependency| {
        let job = dependency.job_id.and_then(|id| latest.remove(&id));
        of_dependency(caller, dependency.job_key, job, waiting)
    };
    Ok(missing.into_iter().map(blocker).collect())
}

/// Whoever cannot see the other job hears its key, which this job names, and no more.
fn of_dependency(caller: &Caller, key: String, job: Option<LatestRun>, waiting: &Waiting) -> Blocker {
    let sees = |job: &Job| caller.may_in_any(Relation::CanViewJobs, &job.team_ids);
    let since = match waiting.since {
        Some(since) => format!("created after {since}"),
        None => "at all".to_owned(),
    };
    let Some(LatestRun { job, run }) = job else {
        let message = format!(
            "It depends on `{key}`, and no job has that key. Publish a version without it, or release this run."
        );
        return Blocker { job_key: Some(key), ..Blocker::new(BlockerType::Dependency, message) };
    };
    if !sees(&job) {
        let message = format!("It depends on `{key}`, of which no run {since} has succeeded.");
        return Blocker { job_key: Some(key), ..Blocker::new(BlockerType::Dependency, message) };
    }
    let stands = match &run {
        None => "It never ran".to_owned(),
        Some(run) => format!("Its latest run {} is {}", run.id, status(run.status)),
    };
    Blocker {
        job_key: Some(key.clone()),
        job_id: Some(job.id.clone()),
        job_run_id: run.as_ref().map(|run| run.id.clone()),
        job_run_status: run.as_ref().map(|run| run.status),
        ..Blocker::new(
            BlockerType::Dependency,
            format!("It depends on `{key}`, of which no run {since} has succeeded. {stands}."),
        )
    }
}

fn status(status: RunStatus) -> String {
    serde_json::to_value(status).ok().and_then(|value| Some(value.as_str()?.to_owned())).unwrap_or_default()
}

fn cluster_gone(run: &JobRun) -> Blocker {
    let message = "Its cluster was retired. Cancel it, and publish a version with another cluster.";
    Blocker::of_cluster(BlockerType::ClusterGone, run, message)
}

async fn ready(app: &App, caller: &Caller, run: &JobRun) -> Result<Blocker> {
    let cluster = match app.store.cluster(caller.tenant(), &run.cluster_id).await {
        Ok(cluster) => cluster,
        Err(Error::NotFound) => return Ok(cluster_gone(run)),
        Err(error) => return Err(error.into()),
    };
    let (name, pulse) = (&cluster.value.name, pulse(&cluster));
    if pulse.status(app.now()) == ClusterStatus::Unreachable {
        return Ok(match pulse.seen_at {
            None => {
                let message = format!("No agent of the cluster `{name}` has reported yet. Start one with its token.");
                Blocker::of_cluster(BlockerType::NoAgent, run, message)
            }
            Some(seen_at) => {
                let message = format!("The agent of the cluster `{name}` was last heard of at {seen_at}. Start it.");
                Blocker::of_cluster(BlockerType::ClusterUnreachable, run, message)
            }
        });
    }
    let inbox = app.store.inbox(caller.tenant(), &run.cluster_id).await?;
    let held = inbox.iter().filter(|entry| entry.kind == InboxKind::Leased).count();
    let capacity = pulse.utilization.map_or(usize::MAX, |utilization| utilization.capacity as usize);
    if held >= capacity {
        let message = format!("The agent of the cluster `{name}` executes {held} runs, and takes {capacity} at once.");
        return Ok(Blocker::of_cluster(BlockerType::Capacity, run, message));
    }
    let message = format!("The agent of the cluster `{name}` takes it the next time that it asks for work.");
    Ok(Blocker::of_cluster(BlockerType::Agent, run, message))
}
