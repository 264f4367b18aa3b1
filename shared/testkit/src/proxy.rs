//! A proxy between the table's client and the table: it sees every round trip, and may refuse, hold or break one.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::sync::Notify;

use crate::fault::Fault;

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
fn permissions_of(operation: &str, body: &[u8]) -> Vec<Permission> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
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

/// The rule that stands unless another one is set: everything but a Scan goes through.
#[must_use]
pub fn refuse_scan() -> Rule {
    Arc::new(|call| if call.operation == "Scan" { Verdict::Deny } else { Verdict::Forward })
}

/// A running proxy. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Proxy {
    shared: Arc<Shared>,
}

struct Shared {
    upstream: String,
    client: reqwest::Client,
    rule: Mutex<Rule>,
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
}

impl Seen {
    fn note(&mut self, headers: &HeaderMap, body: &[u8]) -> TableCall {
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
    pub(crate) async fn start(upstream: String) -> (Self, String) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let shared = Shared { upstream, client, rule: Mutex::new(refuse_scan()), seen: Mutex::default() };
        let proxy = Self { shared: Arc::new(shared) };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(proxy.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (proxy, address)
    }

    /// The operations of the calls since the last call of this, in order.
    pub(crate) fn take_operations(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.seen.lock().unwrap()).calls
    }

    /// What the calls since the operations were last taken took.
    pub(crate) fn permissions(&self) -> BTreeSet<Permission> {
        self.shared.seen.lock().unwrap().permissions.clone()
    }

    pub(crate) fn set_rule(&self, rule: Rule) {
        *self.shared.rule.lock().unwrap() = rule;
    }

    fn judge(&self, headers: &HeaderMap, body: &[u8]) -> Verdict {
        let call = self.shared.seen.lock().unwrap().note(headers, body);
        let rule = Arc::clone(&self.shared.rule.lock().unwrap());
        rule(&call)
    }
}

async fn pass(State(proxy): State<Proxy>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    match proxy.judge(&parts.headers, &body) {
        Verdict::Forward => forward(&proxy.shared, parts, body).await,
        Verdict::Deny => refusal("AccessDeniedException"),
        Verdict::Hold(pause) => {
            pause.hold().await;
            forward(&proxy.shared, parts, body).await
        }
        Verdict::Break(Fault::Throttled) => refusal("ProvisionedThroughputExceededException"),
        Verdict::Break(Fault::ServerError) => server_error(),
        Verdict::Break(Fault::RequestLost) => lost(),
        Verdict::Break(Fault::ServerErrorAfter) => {
            let _ = forward(&proxy.shared, parts, body).await;
            server_error()
        }
        Verdict::Break(Fault::AnswerLost) => {
            let _ = forward(&proxy.shared, parts, body).await;
            lost()
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// `DynamoDB_20120810.GetItem` is `GetItem`.
fn operation_of(headers: &HeaderMap) -> String {
    text(headers, "x-amz-target").rsplit('.').next().unwrap_or_default().to_owned()
}

async fn forward(shared: &Shared, parts: Parts, body: Bytes) -> Response {
    let url = format!("{}{}", shared.upstream, parts.uri);
    let sent = shared.client.request(parts.method, url).headers(parts.headers).body(body).send().await;
    let Ok(answer) = sent else { return StatusCode::BAD_GATEWAY.into_response() };
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut response = Response::new(Body::from(answer.bytes().await.unwrap_or_default()));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// As DynamoDB refuses.
fn refusal(kind: &str) -> Response {
    let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{kind}","message":"by the test's rule"}}"#);
    (StatusCode::BAD_REQUEST, [("content-type", "application/x-amz-json-1.0")], body).into_response()
}

fn server_error() -> Response {
    let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"by the test's rule"}"#;
    (StatusCode::INTERNAL_SERVER_ERROR, [("content-type", "application/x-amz-json-1.0")], body).into_response()
}

/// The connection breaks before an answer has come: what waits for one cannot know more than after a timeout.
fn lost() -> Response {
    let broken = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("by the test's rule")) });
    Body::from_stream(broken).into_response()
}
