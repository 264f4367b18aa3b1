//! A small control plane that speaks the agent's protocol strictly: it writes down whatever an agent does wrong.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use axum::{Json, Router};
use bytes::Bytes;
use mainsheet_core::agent_protocol::*;
use mainsheet_core::job_run::{ResourceCleanupMode, RunEvent, RunStatus};
use mainsheet_core::{AgentId, Clock, ClusterId, JobId, JobRunId, OrganizationId};
use serde_json::json;
use tokio::sync::Notify;

/// The one-time token that an agent registers with.
pub(crate) const TOKEN: &str = "one-time-token";

/// A run, as this control plane knows it.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) lease: LeasedRun,
    pub(crate) status: RunStatus,
    pub(crate) reports: Vec<RunReport>,
    pub(crate) log: Vec<LogLine>,
    pub(crate) preview: Option<ResultPreview>,
    pub(crate) cleaned: bool,
    cancel: bool,
    /// It was given to somebody else.
    lost: bool,
}

impl Run {
    pub(crate) fn ended(&self) -> bool {
        self.status.is_terminal()
    }

    pub(crate) fn last(&self) -> &RunReport {
        self.reports.iter().rfind(|report| report.event != ReportedEvent::Cleaned).unwrap()
    }

    pub(crate) fn events(&self) -> Vec<ReportedEvent> {
        self.reports.iter().map(|report| report.event).collect()
    }

    /// What was written by `source` to `stream`.
    pub(crate) fn lines(&self, source: LogSource, stream: LogStream) -> Vec<&str> {
        let wanted = |line: &&LogLine| line.source == source && line.stream == stream;
        self.log.iter().filter(wanted).map(|line| line.message.as_str()).collect()
    }

    fn order(&self) -> Order {
        match () {
            () if self.lost || self.ended() => Order::Abandon,
            () if self.cancel => Order::Cancel,
            () => Order::Continue,
        }
    }
}

#[derive(Default)]
struct Table {
    runs: BTreeMap<JobRunId, Run>,
    violations: Vec<String>,
    secret_sha256: Option<String>,
    registrations: usize,
    messages: Vec<String>,
}

pub(crate) struct ControlPlane {
    pub(crate) url: String,
    pub(crate) agent_id: AgentId,
    table: Mutex<Table>,
    changed: Notify,
    answers: AtomicUsize,
    /// Every second answer is lost, after it had its effect.
    pub(crate) loses_answers: AtomicBool,
    /// Nothing is taken and nothing answered.
    pub(crate) is_down: AtomicBool,
    pub(crate) has_revoked: AtomicBool,
}

type Answer = Result<Response, Problem>;
type Plane = Arc<ControlPlane>;

pub(crate) struct Problem(StatusCode, &'static str);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let problem = json!({"title": "Refused", "code": self.1, "detail": self.1, "status": self.0.as_u16()});
        (self.0, [("content-type", "application/problem+json")], problem.to_string()).into_response()
    }
}

impl ControlPlane {
    pub(crate) async fn start() -> Plane {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let plane = Arc::new(Self {
            url: format!("http://{}/api/v1", listener.local_addr().unwrap()),
            agent_id: AgentId::generate(Clock::system().now()),
            table: Mutex::default(),
            changed: Notify::new(),
            answers: AtomicUsize::new(0),
            loses_answers: AtomicBool::new(true),
            is_down: AtomicBool::new(false),
            has_revoked: AtomicBool::new(false),
        });
        let agent = Router::new()
            .route("/register", post(register))
            .route("/heartbeat", post(heartbeat))
            .route("/lease", post(lease))
            .route("/jobs/{job}/runs/{run}/events", post(events))
            .route("/jobs/{job}/runs/{run}/logs", post(logs))
            .route("/jobs/{job}/runs/{run}/results", put(results))
            .layer(from_fn_with_state(Arc::clone(&plane), unreliable))
            .with_state(Arc::clone(&plane));
        let app = Router::new().nest("/api/v1/agent", agent);
        tokio::spawn(async move { axum::serve(listener, app).await });
        plane
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap()
    }

    /// Makes a run ready.
    pub(crate) fn add(&self, source: LeasedSource, change: impl FnOnce(&mut LeasedRun)) -> JobRunId {
        let now = Clock::system().now();
        let id = JobRunId::generate(now);
        let mut lease = LeasedRun {
            run: HeldRun { job_id: JobId::generate(now), job_run_id: id.clone(), attempt: 1 },
            job_key: "a-job".to_owned(),
            lease_expires_at: now + LEASE,
            timeout_seconds: Some(300),
            resource_cleanup_mode: ResourceCleanupMode::Always,
            source,
            engine: BTreeMap::from([("executionMode".to_owned(), "standalone".to_owned())]),
            catalogs: None,
            environment: BTreeMap::new(),
            libraries: Vec::new(),
            compute: None,
            image: None,
        };
        change(&mut lease);
        let run = Run {
            lease,
            status: RunStatus::Ready,
            reports: Vec::new(),
            log: Vec::new(),
            preview: None,
            cleaned: false,
            cancel: false,
            lost: false,
        };
        self.table().runs.insert(id.clone(), run);
        self.changed.notify_waiters();
        id
    }

    pub(crate) fn cancel(&self, id: &JobRunId) {
        self.table().runs.get_mut(id).unwrap().cancel = true;
        self.changed.notify_waiters();
    }

    pub(crate) fn give_to_somebody_else(&self, id: &JobRunId) {
        self.table().runs.get_mut(id).unwrap().lost = true;
        self.changed.notify_waiters();
    }

    pub(crate) fn run(&self, id: &JobRunId) -> Run {
        self.table().runs[id].clone()
    }

    pub(crate) fn registrations(&self) -> usize {
        self.table().registrations
    }

    /// What the agent did wrong.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.table().violations.clone()
    }
}

async fn unreliable(State(plane): State<Plane>, headers: HeaderMap, request: Request, next: Next) -> Response {
    if plane.is_down.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let path = request.uri().path().to_owned();
    if plane.has_revoked.load(Ordering::SeqCst) {
        return Problem(StatusCode::UNAUTHORIZED, "unauthenticated").into_response();
    }
    let bearer = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let known = bearer.starts_with(&format!("Bearer msa_{}_", plane.agent_id));
    if known == path.ends_with("/register") {
        plane.table().violations.push(format!("{path} with credentials {bearer:?}"));
    }
    let response = next.run(request).await;
    let count = plane.answers.fetch_add(1, Ordering::SeqCst);
    if !plane.loses_answers.load(Ordering::SeqCst) || count.is_multiple_of(2) || path.ends_with("results") {
        return response;
    }
    if count % 4 == 1 {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let broken = futures::stream::iter([Err::<Bytes, _>(io::Error::other("the connection broke"))]);
    Body::from_stream(broken).into_response()
}

async fn register(State(plane): State<Plane>, Json(body): Json<AgentRegistration>) -> Answer {
    let mut table = plane.table();
    table.registrations += 1;
    if body.registration_token != TOKEN {
        return Err(Problem(StatusCode::UNAUTHORIZED, "invalid_token"));
    }
    if table.secret_sha256.get_or_insert(body.secret_sha256.clone()) != &body.secret_sha256 {
        table.violations.push("registered again with another secret".to_owned());
        return Err(Problem(StatusCode::CONFLICT, "token_used"));
    }
    let now = Clock::system().now();
    let answer = AgentRegistered {
        agent_id: plane.agent_id.clone(),
        organization_id: OrganizationId::generate(now),
        cluster_id: ClusterId::generate(now),
    };
    Ok(Json(answer).into_response())
}

async fn heartbeat(State(plane): State<Plane>, Json(body): Json<Heartbeat>) -> Answer {
    let mut table = plane.table();
    table.messages.extend(body.message);
    if !(0.0..=1.0).contains(&body.utilization.cpu) || body.utilization.capacity == 0 {
        table.violations.push(format!("{:?}", body.utilization));
    }
    Ok(Json(HeartbeatAnswer { runs: orders(&table, &body.holding) }).into_response())
}

fn orders(table: &Table, holding: &[HeldRun]) -> Vec<RunOrder> {
    let order = |run: &HeldRun| match table.runs.get(&run.job_run_id) {
        Some(known) if known.lease.run == *run => known.order(),
        _ => Order::Abandon,
    };
    holding.iter().map(|run| RunOrder { run: run.clone(), order: order(run) }).collect()
}

async fn lease(State(plane): State<Plane>, Json(body): Json<LeaseRequest>) -> Answer {
    if body.wait_seconds > 20 || body.capacity > 10 {
        plane.table().violations.push(format!("{body:?}"));
    }
    let deadline = tokio::time::Instant::now() + Duration::from_secs(body.wait_seconds.into());
    loop {
        // Before the look, so that nothing is missed in between.
        let changed = plane.changed.notified();
        let answer = try_lease(&mut plane.table(), &body);
        if !answer.runs.is_empty() || !answer.orders.is_empty() {
            return Ok(Json(answer).into_response());
        }
        if tokio::time::timeout_at(deadline, changed).await.is_err() {
            return Ok(Json(answer).into_response());
        }
    }
}

fn try_lease(table: &mut Table, body: &LeaseRequest) -> LeaseAnswer {
    let orders = orders(table, &body.holding).into_iter().filter(|order| order.order != Order::Continue).collect();
    let mut runs = Vec::new();
    for run in table.runs.values_mut().filter(|run| !run.lost && !run.ended()) {
        if runs.len() >= body.capacity as usize || body.holding.contains(&run.lease.run) {
            continue;
        }
        if run.status == RunStatus::Ready {
            run.status = run.status.next(RunEvent::Lease).unwrap();
        }
        runs.push(run.lease.clone());
    }
    LeaseAnswer { runs, orders, ask_again_after_ms: 0 }
}

/// Finds a run under its present lease.
fn find<'a>(table: &'a mut Table, id: &JobRunId, attempt: u32) -> Result<&'a mut Run, Problem> {
    let run = table.runs.get_mut(id).ok_or(Problem(StatusCode::NOT_FOUND, "not_found"))?;
    if run.lost || run.lease.run.attempt != attempt {
        return Err(Problem(StatusCode::CONFLICT, "lease_lost"));
    }
    Ok(run)
}

async fn events(
    State(plane): State<Plane>,
    Path((_, id)): Path<(JobId, JobRunId)>,
    Json(body): Json<RunReports>,
) -> Answer {
    let mut table = plane.table();
    let mut violations = Vec::new();
    let run = find(&mut table, &id, body.attempt)?;
    for report in body.reports {
        let next = run.reports.len() as u64 + 1;
        if report.sequence < next {
            if run.reports[report.sequence as usize - 1] != report {
                violations.push(format!("said again otherwise: {report:?}"));
            }
            continue;
        }
        if report.sequence > next {
            violations.push(format!("expected report {next}: {report:?}"));
        }
        match report.event.transition().map(|event| run.status.next(event)) {
            Some(Ok(status)) => run.status = status,
            None if run.ended() && !run.cleaned => run.cleaned = true,
            _ => violations.push(format!("{:?} when {:?}", report.event, run.status)),
        }
        if report.event == ReportedEvent::Succeed && run.preview.is_none() {
            violations.push("succeeded without results".to_owned());
        }
        run.reports.push(report);
    }
    let answer = ReportsTaken { order: run.order(), last_report: run.reports.len() as u64 };
    table.violations.extend(violations);
    Ok(Json(answer).into_response())
}

async fn logs(
    State(plane): State<Plane>,
    Path((_, id)): Path<(JobId, JobRunId)>,
    Json(body): Json<LogBatch>,
) -> Answer {
    let mut table = plane.table();
    let bytes: usize = body.lines.iter().map(|line| line.message.len()).sum();
    let longest = body.lines.iter().map(|line| line.message.len()).max().unwrap_or_default();
    if body.lines.len() > MAX_LOG_LINES || bytes > MAX_LOG_BYTES || longest > MAX_LOG_LINE_BYTES {
        table.violations.push(format!("{} lines, {bytes} bytes, one of {longest}", body.lines.len()));
    }
    let run = find(&mut table, &id, body.attempt)?;
    let mut violations = Vec::new();
    for (number, line) in (body.first_line as usize..).zip(body.lines) {
        match run.log.get(number) {
            Some(known) if *known == line => {}
            Some(known) => violations.push(format!("line {number} was {known:?}, is {line:?}")),
            None if number > run.log.len() => violations.push(format!("line {number} after {}", run.log.len())),
            None if run.ended() => violations.push(format!("line {number} after the end")),
            None => run.log.push(line),
        }
    }
    let answer = LogTaken { next_line: run.log.len() as u64 };
    table.violations.extend(violations);
    Ok(Json(answer).into_response())
}

async fn results(
    State(plane): State<Plane>,
    Path((_, id)): Path<(JobId, JobRunId)>,
    Json(body): Json<ResultsReport>,
) -> Answer {
    let mut table = plane.table();
    let size = serde_json::to_vec(&body.preview).unwrap().len();
    if size > MAX_PREVIEW_BYTES || body.preview.rows.len() > PREVIEW_ROWS {
        table.violations.push(format!("a preview of {size} bytes and {} rows", body.preview.rows.len()));
    }
    find(&mut table, &id, body.attempt)?.preview = Some(body.preview);
    Ok(StatusCode::NO_CONTENT.into_response())
}
