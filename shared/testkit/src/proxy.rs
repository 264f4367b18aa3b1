//! A proxy between the table's client and the table: it sees every round trip, refuses what breaks a rule of the design, and may
//! hold, break or shake one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::fault::Fault;
use crate::guard;
use crate::late_index::{self, LateIndex, RowKey, Time};
use crate::shake::{self, Shake, Shaking};
use crate::upstream::{Trip, Upstream};

/// A call of the table, which the client sends again when it fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableCall {
    /// Its operation: `GetItem`, `TransactWriteItems` and so on.
    pub operation: String,
    /// Its place among the calls since the operations were last taken, from 0; after 10,000 of them from 0 again.
    pub index: usize,
    /// How often it was sent, from 1.
    pub attempt: usize,
    /// What it asks for, in DynamoDB's JSON.
    pub body: Arc<Value>,
}

/// What the policy of whoever sends a call has to allow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// `dynamodb:Query` and so on. A transaction takes those of what it holds.
    pub action: String,
    /// The index; none for the table itself.
    pub index: Option<String>,
}

/// The permissions that a call takes (DynamoDB developer guide, "Using IAM with DynamoDB transactions" and "...with indexes").
fn permissions_of(operation: &str, body: &Value) -> Vec<Permission> {
    let actions: Vec<String> = match operation {
        "TransactWriteItems" => {
            // `Put`, `Update`, `Delete`, `ConditionCheck`.
            let items = body["TransactItems"].as_array().into_iter().flatten().filter_map(Value::as_object);
            items.flat_map(|item| item.keys().map(|kind| format!("{kind}Item"))).collect()
        }
        other => vec![other.to_owned()],
    };
    let index = body["IndexName"].as_str().map(str::to_owned);
    let permission = |action| Permission { action: format!("dynamodb:{action}"), index: index.clone() };
    actions.into_iter().map(permission).collect()
}

/// What becomes of a round trip.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It goes to the table.
    Forward,
    /// It is answered as AWS answers a caller whose policy does not allow it.
    Deny,
    /// It waits, and then goes to the table.
    Hold(Pause),
    /// It goes to the table, and its answer waits.
    HoldAnswer(Pause),
    /// It goes wrong.
    Break(Fault),
    /// It is answered as DynamoDB may answer it at any time.
    Shake(Shake),
}

/// Holds a round trip while a test does something else.
#[derive(Debug, Clone, Default)]
pub struct Pause {
    reached: Arc<Notify>,
    over: Arc<Notify>,
}

impl Pause {
    /// Waits until the round trip is there.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Lets it go on.
    pub fn end(&self) {
        self.over.notify_one();
    }

    async fn hold(&self) {
        self.reached.notify_one();
        self.over.notified().await;
    }
}

/// Decides what becomes of a round trip.
pub type Rule = Arc<dyn Fn(&TableCall) -> Verdict + Send + Sync>;

/// A running proxy. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Proxy {
    shared: Arc<Shared>,
    /// Takes in connections until the last clone is gone that a test holds: one that starts many would else run out of them. None
    /// where somebody else serves.
    _serving: Option<Arc<JoinSet<()>>>,
}

struct Shared {
    upstream: Upstream,
    /// What decides in place of `shaking`, while a test has set it.
    rule: Mutex<Option<Rule>>,
    shaking: Shaking,
    late: Mutex<LateIndex>,
    seen: Mutex<Seen>,
}

/// The calls that are kept at most; with the next one they are counted anew. No test counts as many, and nobody takes those of a proxy in
/// front of processes, which may run for days.
pub(crate) const MOST_CALLS: usize = 10_000;

/// What came by.
#[derive(Default)]
pub(crate) struct Seen {
    /// The operation of each call.
    calls: Vec<String>,
    /// The place of each call, and how often it was sent, by the name that its client gives it.
    by_invocation: HashMap<String, (usize, usize)>,
    /// What all of them took.
    permissions: BTreeSet<Permission>,
    /// Which rules of the design were broken.
    breaches: Vec<String>,
}

impl Seen {
    pub(crate) fn note(&mut self, trip: &Trip) -> TableCall {
        let operation = trip.operation.clone();
        self.permissions.extend(permissions_of(&operation, &trip.body));
        if self.calls.len() == MOST_CALLS && !self.by_invocation.contains_key(trip.invocation()) {
            self.calls.clear();
            self.by_invocation.clear();
        }
        let next = self.calls.len();
        let (index, attempt) = self.by_invocation.entry(trip.invocation().to_owned()).or_insert((next, 0));
        *attempt += 1;
        if *attempt == 1 {
            self.calls.push(operation.clone());
        }
        TableCall { operation, index: *index, attempt: *attempt, body: Arc::clone(&trip.body) }
    }
}

impl Proxy {
    /// A proxy in front of a table, whose index is late by `time`.
    pub(crate) fn of(upstream: Upstream, time: Time) -> Self {
        let shared = Shared {
            upstream,
            rule: Mutex::default(),
            shaking: Shaking::of_environment(),
            late: Mutex::new(LateIndex::of(time)),
            seen: Mutex::default(),
        };
        Self { shared: Arc::new(shared), _serving: None }
    }

    /// Starts a proxy in front of the table at `upstream`, for tests that move time themselves, and says where it listens.
    pub(crate) async fn start(upstream: String) -> (Self, String) {
        let proxy = Self::of(Upstream::at(upstream), Time::Standing);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let mut serving = JoinSet::new();
        let _ = serving.spawn(proxy.clone().serve(listener));
        (Self { _serving: Some(Arc::new(serving)), ..proxy }, address)
    }

    /// Answers whoever connects.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let router = Router::new().fallback(pass).with_state(self);
        let _ = axum::serve(listener, router).await;
    }

    /// The operations of the calls since the last call of this, in order, [`MOST_CALLS`] at most.
    pub(crate) fn take_operations(&self) -> Vec<String> {
        let mut seen = self.shared.seen.lock().unwrap();
        let breaches = std::mem::take(&mut seen.breaches);
        std::mem::replace(&mut *seen, Seen { breaches, ..Seen::default() }).calls
    }

    /// What the calls since the operations were last taken took.
    pub(crate) fn permissions(&self) -> BTreeSet<Permission> {
        self.shared.seen.lock().unwrap().permissions.clone()
    }

    /// Whether a call came by since the operations were last taken.
    pub(crate) fn was_asked(&self) -> bool {
        !self.shared.seen.lock().unwrap().calls.is_empty()
    }

    /// Which rules of the design were broken so far.
    pub(crate) fn breaches(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap().breaches.clone()
    }

    /// Decides from now on what becomes of each round trip; without a rule the table shakes again.
    pub(crate) fn set_rule(&self, rule: Option<Rule>) {
        *self.shared.rule.lock().unwrap() = rule;
    }

    /// What shakes the table while no rule is set.
    pub(crate) fn shaking(&self) -> &Shaking {
        &self.shared.shaking
    }

    /// The index shows everything that was written. Says whether it did not before.
    pub(crate) fn catch_up(&self) -> bool {
        self.shared.late.lock().unwrap().catch_up()
    }

    /// Notes at once that a rule of the design was broken: whoever broke it may not live to be asked.
    fn tell(&self, breach: String) {
        eprintln!("the design forbids it: {breach}");
        self.shared.seen.lock().unwrap().breaches.push(breach);
    }

    fn judge(&self, call: &TableCall) -> Verdict {
        let rule = self.shared.rule.lock().unwrap().clone();
        rule.map_or_else(|| self.shared.shaking.verdict(&call.operation), |rule| rule(call))
    }

    /// Whether the index may be late now.
    fn is_shaking(&self) -> bool {
        self.shared.shaking.is_on() && self.shared.rule.lock().unwrap().is_none()
    }
}

async fn pass(State(proxy): State<Proxy>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    // Who is killed half way gets no answer.
    let Ok(body) = body.collect().await else { return lost() };
    let mut trip = Trip::of_caller(parts, body.to_bytes());
    let call = proxy.shared.seen.lock().unwrap().note(&trip);
    if let Some(breach) = broken_rule(&proxy, &trip).await {
        let answer = refusal("ValidationException", &breach);
        proxy.tell(breach);
        return answer;
    }
    let verdict = proxy.judge(&call);
    if shake::begins_again(&trip.body) {
        trip.change(shake::begin_again);
    }
    match verdict {
        Verdict::Forward => forward(&proxy, trip).await,
        Verdict::Deny => refusal("AccessDeniedException", "by the test's rule"),
        Verdict::Hold(pause) => {
            pause.hold().await;
            forward(&proxy, trip).await
        }
        Verdict::HoldAnswer(pause) => {
            let answer = forward(&proxy, trip).await;
            pause.hold().await;
            answer
        }
        Verdict::Break(fault) => broken(&proxy, trip, fault).await,
        Verdict::Shake(shake) => shaken(&proxy, trip, shake).await,
    }
}

/// Which rule of the design a call breaks, by itself or with the rows that it writes.
async fn broken_rule(proxy: &Proxy, trip: &Trip) -> Option<String> {
    let breach = guard::breach(&trip.operation, &trip.body);
    let asked = guard::rows_to_weigh(&trip.operation, &trip.body).filter(|_| breach.is_none());
    let Some(asked) = asked else { return breach };
    let (_, answer) = ask(proxy, &trip.beside("BatchGetItem", asked)).await;
    guard::breach_of_weight(&trip.body, &serde_json::from_slice(&answer).unwrap_or_default())
}

async fn broken(proxy: &Proxy, trip: Trip, fault: Fault) -> Response {
    if fault.takes_effect() {
        let _ = forward(proxy, trip).await;
    }
    match fault {
        Fault::Throttled => refusal("ProvisionedThroughputExceededException", "by the test's rule"),
        Fault::ServerError | Fault::ServerErrorAfter => server_error(),
        Fault::RequestLost | Fault::AnswerLost => lost(),
    }
}

async fn shaken(proxy: &Proxy, mut trip: Trip, shake: Shake) -> Response {
    if shake != Shake::TransactionConflict
        && let Some(refusal) = refused(proxy, &trip).await
    {
        return refusal;
    }
    match shake {
        Shake::ShortPage(rows) => {
            trip.change(|query| shake::shorten(query, rows));
            forward(proxy, trip).await
        }
        Shake::EmptyPage => json(StatusCode::OK, &shake::empty_page(&trip.body)),
        Shake::UnprocessedKeys => {
            let left = trip.change(shake::leave_keys);
            let (status, answer) = ask(proxy, &trip).await;
            changed(status, answer, |answer| answer["UnprocessedKeys"] = left)
        }
        Shake::TransactionConflict => json(StatusCode::BAD_REQUEST, &shake::conflict(&trip.body)),
    }
}

/// What the table answers a caller who may not read what it asks for. A table that checks callers sees the call as it came, before it
/// is changed and sent in another's name.
async fn refused(proxy: &Proxy, trip: &Trip) -> Option<Response> {
    if !proxy.shared.upstream.checks_callers() {
        return None;
    }
    let (status, answer) = ask(proxy, trip).await;
    (status != StatusCode::OK).then(|| respond(status, answer))
}

/// To the table, by way of an index that may be late.
async fn forward(proxy: &Proxy, trip: Trip) -> Response {
    let (shared, is_shaking) = (&proxy.shared, proxy.is_shaking());
    let moved = shared.late.lock().unwrap().about_to_move(&trip.operation, &trip.body, is_shaking);
    let mut before = if is_shaking && !moved.is_empty() { entries_before(proxy, &trip).await } else { BTreeMap::new() };
    let (status, answer) = ask(proxy, &trip).await;
    if status == StatusCode::OK {
        let mut late = shared.late.lock().unwrap();
        for row in moved {
            let before = before.remove(&row);
            late.moved(row, before, if is_shaking { shared.shaking.looks() } else { 0 });
        }
    }
    if is_shaking && LateIndex::is_look(&trip.body) {
        return changed(status, answer, |answer| shared.late.lock().unwrap().look(&trip.body, answer));
    }
    respond(status, answer)
}

/// The entries in the index that a transaction is about to move.
async fn entries_before(proxy: &Proxy, transaction: &Trip) -> BTreeMap<RowKey, Value> {
    let Some(asked) = late_index::entries_asked(&transaction.body) else { return BTreeMap::new() };
    let (_, answer) = ask(proxy, &transaction.beside("BatchGetItem", asked)).await;
    late_index::entries_told(&serde_json::from_slice(&answer).unwrap_or_default())
}

/// What the table answers. A row that has grown too large bit by bit is seen when it is read.
async fn ask(proxy: &Proxy, trip: &Trip) -> (StatusCode, Bytes) {
    let (status, answer) = proxy.shared.upstream.ask(trip).await;
    if let Some(breach) = guard::breach_of_answer(&answer) {
        proxy.tell(breach);
    }
    (status, answer)
}

/// The table's answer, changed if it is one.
fn changed(status: StatusCode, answer: Bytes, change: impl FnOnce(&mut Value)) -> Response {
    if status != StatusCode::OK {
        return respond(status, answer);
    }
    let mut answer = serde_json::from_slice(&answer).unwrap();
    change(&mut answer);
    json(status, &answer)
}

fn respond(status: StatusCode, answer: Bytes) -> Response {
    (status, [("content-type", "application/x-amz-json-1.0")], answer).into_response()
}

fn json(status: StatusCode, answer: &Value) -> Response {
    respond(status, answer.to_string().into())
}

/// As DynamoDB refuses.
fn refusal(kind: &str, message: &str) -> Response {
    json(StatusCode::BAD_REQUEST, &shake::error(kind, message))
}

fn server_error() -> Response {
    json(StatusCode::INTERNAL_SERVER_ERROR, &shake::error("InternalServerError", "by the test's rule"))
}

/// The connection breaks before an answer has come: what waits for one cannot know more than after a timeout.
fn lost() -> Response {
    let broken = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("by the test's rule")) });
    Body::from_stream(broken).into_response()
}
