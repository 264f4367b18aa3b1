//! A proxy between the table's client and the table: it sees every round trip, and may refuse one.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;

/// What becomes of a round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes to the table.
    Forward,
    /// It is answered as AWS answers a caller whose policy does not allow it.
    Deny,
}

/// Decides what becomes of a round trip, by its operation (`GetItem`, `TransactWriteItems`, ...).
pub type Rule = Arc<dyn Fn(&str) -> Verdict + Send + Sync>;

/// The rule that stands unless another one is set: everything but a Scan goes through.
#[must_use]
pub fn refuse_scan() -> Rule {
    Arc::new(|operation| if operation == "Scan" { Verdict::Deny } else { Verdict::Forward })
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
    operations: Mutex<Vec<String>>,
}

impl Proxy {
    /// Starts a proxy in front of `upstream` and says where it listens.
    pub(crate) async fn start(upstream: String) -> (Self, String) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let shared = Shared { upstream, client, rule: Mutex::new(refuse_scan()), operations: Mutex::default() };
        let proxy = Self { shared: Arc::new(shared) };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(proxy.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (proxy, address)
    }

    /// The operations since the last call of this, in order.
    pub(crate) fn take_operations(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.operations.lock().unwrap())
    }

    pub(crate) fn set_rule(&self, rule: Rule) {
        *self.shared.rule.lock().unwrap() = rule;
    }

    fn judge(&self, operation: String) -> Verdict {
        let verdict = (self.shared.rule.lock().unwrap())(&operation);
        self.shared.operations.lock().unwrap().push(operation);
        verdict
    }
}

async fn pass(State(proxy): State<Proxy>, request: Request) -> Response {
    match proxy.judge(operation_of(request.headers())) {
        Verdict::Forward => forward(&proxy.shared, request).await,
        Verdict::Deny => denied(),
    }
}

/// `DynamoDB_20120810.GetItem` is `GetItem`.
fn operation_of(headers: &HeaderMap) -> String {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    target.rsplit('.').next().unwrap_or_default().to_owned()
}

async fn forward(shared: &Shared, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let url = format!("{}{}", shared.upstream, parts.uri);
    let sent = shared.client.request(parts.method, url).headers(parts.headers).body(body).send().await;
    let Ok(answer) = sent else { return StatusCode::BAD_GATEWAY.into_response() };
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut response = Response::new(Body::from(answer.bytes().await.unwrap_or_default()));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn denied() -> Response {
    let body = r#"{"__type":"com.amazon.coral.service#AccessDeniedException","message":"refused by the test's rule"}"#;
    (StatusCode::BAD_REQUEST, [("content-type", "application/x-amz-json-1.0")], body).into_response()
}
