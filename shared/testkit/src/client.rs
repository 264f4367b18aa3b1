//! Clients: requests into the router, in process.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Request};
use bytes::Bytes;
use mainsheet_api::BASE;
use serde_json::Value;
use tower::ServiceExt;

use crate::answer::Answer;

/// Somebody who sends requests, with headers of their own.
#[derive(Clone)]
pub struct Client {
    router: Router,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// A request in the making.
#[must_use = "nothing is sent before `send`"]
pub struct Call {
    client: Client,
    method: Method,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Client {
    pub(crate) fn new(router: Router) -> Self {
        Self { router, headers: Vec::new() }
    }

    /// The same client with a header more.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        let name: HeaderName = name.parse().unwrap();
        client.headers.retain(|(known, _)| *known != name);
        client.headers.push((name, value.parse().unwrap()));
        client
    }

    /// The same client with another token.
    #[must_use]
    pub fn bearer(&self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// A request to a path below `/api/v1`.
    pub fn call(&self, method: &str, path: &str) -> Call {
        Call {
            client: self.clone(),
            method: method.parse().unwrap(),
            path: format!("{BASE}{path}"),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// A request to a path at the root, outside the protocol.
    pub fn call_at_root(&self, method: &str, path: &str) -> Call {
        Call { path: path.to_owned(), ..self.call(method, path) }
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path).send().await
    }

    /// Creates or acts.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path).json(&body).send().await
    }

    /// Acts without a body.
    pub async fn act(&self, path: &str) -> Answer {
        self.call("POST", path).send().await
    }

    /// Changes.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call("PATCH", path).json(&body).send().await
    }

    /// Replaces.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.call("PUT", path).json(&body).send().await
    }

    /// Removes.
    pub async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path).send().await
    }
}

impl Call {
    /// With a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.parse().unwrap(), value.parse().unwrap()));
        self
    }

    /// With a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.raw("application/json", body.to_string())
    }

    /// Without the body that it had.
    pub fn without_body(mut self) -> Self {
        self.body = Bytes::new();
        self.headers.retain(|(name, _)| name != "content-type");
        self
    }

    /// With any body.
    pub fn raw(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }

    /// With a name, so that it can be sent again.
    pub fn idempotent(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// For this version only.
    pub fn if_match(self, etag: &str) -> Self {
        self.header("if-match", etag)
    }

    /// Sends it.
    pub async fn send(self) -> Answer {
        let sent = format!("{} {}", self.method, self.path);
        let mut request = Request::builder().method(self.method).uri(self.path);
        for (name, value) in self.client.headers.into_iter().chain(self.headers) {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(self.body)).unwrap();
        let Ok(response) = self.client.router.oneshot(request).await;
        Answer::read(response, sent).await
    }
}
