//! The embedded table behind a door that loses writes when it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use mainsheet_core::{Clock, Timestamp};
use mainsheet_embedded::{EmbeddedDynamoDb, client};
use mainsheet_store::{Store, schema};
use serde_json::Value;

const TABLE: &str = "mainsheet";

/// Where a write is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LostWrite {
    /// Before it has its effect.
    Before,
    /// After it.
    After,
}

/// The table.
pub(crate) struct TestTable {
    _dynamodb: EmbeddedDynamoDb,
    client: aws_sdk_dynamodb::Client,
    door: Arc<Door>,
}

struct Door {
    upstream: String,
    http: reqwest::Client,
    plan: Mutex<Plan>,
    /// What was asked for while writes were counted, as IAM names it, and the indexes that it was asked of.
    asked: Mutex<BTreeSet<String>>,
}

#[derive(Default)]
struct Plan {
    lost: BTreeMap<usize, LostWrite>,
    /// How many writes there were; `None` while they are not counted.
    counted: Option<usize>,
    /// What second it is for whoever writes.
    second: i64,
    /// What was written last of the progress of each resource, by its URN.
    known: BTreeMap<String, Value>,
    /// How often something else was written of a resource, by the second and its URN.
    told: BTreeMap<(i64, String), usize>,
}

impl TestTable {
    pub(crate) async fn start() -> Self {
        let dynamodb = EmbeddedDynamoDb::in_memory().await.unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let door =
            Arc::new(Door { upstream: dynamodb.endpoint(), http, plan: Mutex::default(), asked: Mutex::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(Arc::clone(&door));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let client = client(&address);
        schema::create_table(&client, TABLE).await.unwrap();
        Self { _dynamodb: dynamodb, client, door }
    }

    pub(crate) fn store(&self, clock: Clock) -> Store {
        Store::new(self.client.clone(), TABLE, clock)
    }

    /// From now on the writes with these numbers are lost, of those that are counted.
    pub(crate) fn lose(&self, lost: BTreeMap<usize, LostWrite>) {
        *self.door.plan.lock().unwrap() = Plan { lost, ..Plan::default() };
    }

    /// Counts writes from now on, the next one as `next`.
    pub(crate) fn count(&self, next: usize, now: Timestamp) {
        let mut plan = self.door.plan.lock().unwrap();
        (plan.counted, plan.second) = (Some(next), now.as_millisecond() / 1_000);
    }

    /// How often the progress of a resource was written since [`Self::lose`], by the second and its URN.
    pub(crate) fn told(&self) -> BTreeMap<(i64, String), usize> {
        self.door.plan.lock().unwrap().told.clone()
    }

    /// What steps asked of the table: actions as IAM names them, and indexes.
    pub(crate) fn asked(&self) -> BTreeSet<String> {
        self.door.asked.lock().unwrap().clone()
    }

    /// Counts no more, and answers how many there were.
    pub(crate) fn pause(&self) -> usize {
        self.door.plan.lock().unwrap().counted.take().unwrap_or_default()
    }
}

impl Door {
    /// Notes what a step asks for.
    fn note(&self, operation: &str, body: &[u8]) {
        if self.plan.lock().unwrap().counted.is_none() {
            return;
        }
        let body: Value = serde_json::from_slice(body).unwrap();
        let mut asked = self.asked.lock().unwrap();
        // `Put`, `Update`, `Delete`, `ConditionCheck`: each is permitted by itself.
        let parts = body["TransactItems"].as_array().into_iter().flatten().filter_map(Value::as_object);
        asked.extend(parts.flat_map(|part| part.keys()).map(|kind| format!("dynamodb:{kind}Item")));
        if operation != "TransactWriteItems" {
            asked.insert(format!("dynamodb:{operation}"));
        }
        asked.extend(body["IndexName"].as_str().map(|index| format!("index/{index}")));
    }

    /// What happens to a write.
    fn fate(&self, body: &[u8]) -> Option<LostWrite> {
        let mut plan = self.plan.lock().unwrap();
        let number = plan.counted?;
        plan.counted = Some(number + 1);
        plan.hear(body);
        plan.lost.get(&number).copied()
    }
}

impl Plan {
    /// Notes what a write tells of the progress of resources.
    fn hear(&mut self, body: &[u8]) {
        for (urn, resource) in resources(&serde_json::from_slice(body).unwrap()) {
            if self.known.insert(urn.clone(), resource.clone()).as_ref() != Some(&resource) {
                *self.told.entry((self.second, urn)).or_default() += 1;
            }
        }
    }
}

/// The resources in the progress that a transaction writes, by their URN, wherever in it that stands.
fn resources(written: &Value) -> Vec<(String, Value)> {
    let told = |item: &Value| (item["M"]["urn"]["S"].as_str().unwrap().to_owned(), item["M"].clone());
    match written {
        Value::Object(fields) if fields.contains_key("stage") => {
            fields["resources"]["L"].as_array().unwrap().iter().map(told).collect()
        }
        Value::Object(fields) => fields.values().flat_map(resources).collect(),
        Value::Array(items) => items.iter().flat_map(resources).collect(),
        _ => Vec::new(),
    }
}

async fn pass(State(door): State<Arc<Door>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    door.note(target.rsplit('.').next().unwrap_or_default(), &body);
    let fate = if target.ends_with("TransactWriteItems") { door.fate(&body) } else { None };
    match fate {
        None => forward(&door, parts, body).await,
        Some(LostWrite::Before) => lost(),
        Some(LostWrite::After) => {
            let _ = forward(&door, parts, body).await;
            lost()
        }
    }
}

async fn forward(door: &Door, parts: Parts, body: Bytes) -> Response {
    let url = format!("{}{}", door.upstream, parts.uri);
    let answer = door.http.request(parts.method, url).headers(parts.headers).body(body).send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut response = Response::new(Body::from(answer.bytes().await.unwrap()));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// What the SDK does not try again.
fn lost() -> Response {
    let body = r#"{"__type":"com.amazon.coral.service#AccessDeniedException","message":"lost by a test"}"#;
    (StatusCode::BAD_REQUEST, [("content-type", "application/x-amz-json-1.0")], body).into_response()
}
