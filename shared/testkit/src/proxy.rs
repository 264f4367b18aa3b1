//! A proxy between the table's client and the table: it sees every round trip, refuses what breaks a rule of the design, and may
//! hold, break or shake one.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use dynoxide::Database;
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::sync::Notify;

use crate::fault::Fault;
use crate::guard;
use crate::late_index::LateIndex;
use crate::shake::{self, Shake, Shaking};

/// A call of the table, which the client sends again when it fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableCall {
    /// Its operation: `GetItem`, `TransactWriteItems` and so on.
    pub operation: String,
    /// Its place among the calls since the operations were last taken, from 0.
    pub index: usize,
    /// How often it was sent, from 1.
    pub attempt: usize,
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
}

struct Shared {
    upstream: String,
    client: reqwest::Client,
    /// What decides in place of `shaking`, while a test has set it.
    rule: Mutex<Option<Rule>>,
    shaking: Shaking,
    late: Mutex<LateIndex>,
    seen: Mutex<Seen>,
}

/// What came by.
#[derive(Default)]
struct Seen {
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
    fn note(&mut self, headers: &HeaderMap, body: &Value) -> TableCall {
        let operation = operation_of(headers);
        self.permissions.extend(permissions_of(&operation, body));
        let invocation = text(headers, "amz-sdk-invocation-id").to_owned();
        let next = self.calls.len();
        let (index, attempt) = self.by_invocation.entry(invocation).or_insert((next, 0));
        *attempt += 1;
        if *attempt == 1 {
            self.calls.push(operation.clone());
        }
        TableCall { operation, index: *index, attempt: *attempt }
    }
}

impl Proxy {
    /// Starts a proxy in front of `upstream` and says where it listens.
    pub(crate) async fn start(upstream: String, database: Database) -> (Self, String) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let shared = Shared {
            upstream,
            client,
            rule: Mutex::default(),
            shaking: Shaking::of_environment(),
            late: Mutex::new(LateIndex::of(database)),
            seen: Mutex::default(),
        };
        let proxy = Self { shared: Arc::new(shared) };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(proxy.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (proxy, address)
    }

    /// The operations of the calls since the last call of this, in order.
    pub(crate) fn take_operations(&self) -> Vec<String> {
        let mut seen = self.shared.seen.lock().unwrap();
        let breaches = std::mem::take(&mut seen.breaches);
        std::mem::replace(&mut *seen, Seen { breaches, ..Seen::default() }).calls
    }

    /// What the calls since the operations were last taken took.
    pub(crate) fn permissions(&self) -> BTreeSet<Permission> {
        self.shared.seen.lock().unwrap().permissions.clone()
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

    fn judge(&self, call: &TableCall) -> Verdict {
        let rule = self.shared.rule.lock().unwrap().clone();
        rule.map_or_else(|| self.shared.shaking.verdict(&call.operation), |rule| rule(call))
    }

    /// Whether the index may be late now.
    fn is_shaking(&self) -> bool {
        self.shared.shaking.is_on() && self.shared.rule.lock().unwrap().is_none()
    }
}

/// A round trip on its way to the table.
struct Trip {
    operation: String,
    parts: Parts,
    body: Value,
    /// The body as it is sent.
    text: Bytes,
}

impl Trip {
    /// Changes the body.
    fn change<T>(&mut self, change: impl FnOnce(&mut Value) -> T) -> T {
        let result = change(&mut self.body);
        self.text = self.body.to_string().into();
        result
    }
}

async fn pass(State(proxy): State<Proxy>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let text = body.collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&text).unwrap_or_default();
    let call = proxy.shared.seen.lock().unwrap().note(&parts.headers, &body);
    if let Some(breach) = guard::breach(&call.operation, &body) {
        let answer = refusal("ValidationException", &breach);
        proxy.shared.seen.lock().unwrap().breaches.push(breach);
        return answer;
    }
    let verdict = proxy.judge(&call);
    let mut trip = Trip { operation: call.operation, parts, body, text };
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
        Verdict::Break(fault) => broken(&proxy, trip, fault).await,
        Verdict::Shake(shake) => shaken(&proxy, trip, shake).await,
    }
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
    match shake {
        Shake::ShortPage(rows) => {
            trip.change(|query| shake::shorten(query, rows));
            forward(proxy, trip).await
        }
        Shake::EmptyPage => json(StatusCode::OK, &shake::empty_page(&trip.body)),
        Shake::UnprocessedKeys => {
            let left = trip.change(shake::leave_keys);
            let (status, answer) = ask(&proxy.shared, &trip).await;
            changed(status, answer, |answer| answer["UnprocessedKeys"] = left)
        }
        Shake::TransactionConflict => json(StatusCode::BAD_REQUEST, &shake::conflict(&trip.body)),
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// `DynamoDB_20120810.GetItem` is `GetItem`.
fn operation_of(headers: &HeaderMap) -> String {
    text(headers, "x-amz-target").rsplit('.').next().unwrap_or_default().to_owned()
}

/// To the table, by way of an index that may be late.
async fn forward(proxy: &Proxy, trip: Trip) -> Response {
    let (shared, is_shaking) = (&proxy.shared, proxy.is_shaking());
    let moved = shared.late.lock().unwrap().about_to_move(&trip.operation, &trip.body, is_shaking);
    let (status, answer) = ask(shared, &trip).await;
    if status == StatusCode::OK {
        let mut late = shared.late.lock().unwrap();
        for (row, before) in moved {
            late.moved(row, before, if is_shaking { shared.shaking.looks() } else { 0 });
        }
    }
    if is_shaking && LateIndex::is_look(&trip.body) {
        return changed(status, answer, |answer| shared.late.lock().unwrap().look(&trip.body, answer));
    }
    respond(status, answer)
}

async fn ask(shared: &Shared, trip: &Trip) -> (StatusCode, Bytes) {
    let url = format!("{}{}", shared.upstream, trip.parts.uri);
    let mut headers = trip.parts.headers.clone();
    headers.remove(CONTENT_LENGTH);
    let request = shared.client.request(trip.parts.method.clone(), url).headers(headers).body(trip.text.clone());
    let Ok(answer) = request.send().await else { return (StatusCode::BAD_GATEWAY, Bytes::new()) };
    (answer.status(), answer.bytes().await.unwrap_or_default())
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
