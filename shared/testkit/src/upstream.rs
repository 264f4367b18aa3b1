//! The table behind the proxy: the embedded one, or that of an emulated AWS.

use std::sync::Arc;

use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderValue};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use serde_json::Value;

/// Says which operation a call is.
const TARGET: &str = "x-amz-target";

/// Where a table answers.
#[derive(Debug, Clone)]
pub struct Upstream {
    url: String,
    client: reqwest::Client,
    access_key: Option<String>,
}

impl Upstream {
    /// A table that takes any signature, as the embedded one does.
    #[must_use]
    pub fn at(url: String) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { url, client, access_key: None }
    }

    /// A table that checks who calls: what the caller's signature does not fit is sent with an access key whose signatures it does
    /// not check, such as that of an account's root user in an emulated AWS.
    #[must_use]
    pub fn in_the_name_of(self, access_key: String) -> Self {
        Self { access_key: Some(access_key), ..self }
    }

    /// Whether it checks who calls.
    pub(crate) fn checks_callers(&self) -> bool {
        self.access_key.is_some()
    }

    /// What it answers.
    pub(crate) async fn ask(&self, trip: &Trip) -> (StatusCode, Bytes) {
        let url = format!("{}{}", self.url, trip.parts.uri);
        let mut headers = trip.parts.headers.clone();
        headers.remove(CONTENT_LENGTH);
        if let Some(access_key) = self.access_key.as_deref().filter(|_| trip.is_our_own) {
            rename(&mut headers, access_key);
        }
        let request = self.client.request(trip.parts.method.clone(), url).headers(headers).body(trip.text.clone());
        let lost = (StatusCode::BAD_GATEWAY, Bytes::new());
        let Ok(answer) = request.send().await else { return lost };
        let status = answer.status();
        answer.bytes().await.map_or(lost, |body| (status, body))
    }
}

/// Puts another access key in the caller's place. The rest of the signature stays, for its form: it fits neither.
fn rename(headers: &mut HeaderMap, access_key: &str) {
    headers.remove("x-amz-security-token");
    let renamed =
        text_of(headers, AUTHORIZATION.as_str()).split_once("Credential=").and_then(|(before, credential)| {
            let (_, scope) = credential.split_once('/')?;
            HeaderValue::try_from(format!("{before}Credential={access_key}/{scope}")).ok()
        });
    if let Some(renamed) = renamed {
        headers.insert(AUTHORIZATION, renamed);
    }
}

fn text_of<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// A round trip on its way to the table.
pub(crate) struct Trip {
    pub(crate) operation: String,
    pub(crate) body: Arc<Value>,
    parts: Parts,
    /// The body as it is sent.
    text: Bytes,
    /// Whether it is none that the caller has signed.
    is_our_own: bool,
}

impl Trip {
    /// A call as it came. `DynamoDB_20120810.GetItem` is `GetItem`.
    pub(crate) fn of_caller(parts: Parts, text: Bytes) -> Self {
        let operation = text_of(&parts.headers, TARGET).rsplit('.').next().unwrap_or_default().to_owned();
        let body = Arc::new(serde_json::from_slice(&text).unwrap_or_default());
        Self { operation, body, parts, text, is_our_own: false }
    }

    /// The name that its client gives the call, however often it sends it.
    pub(crate) fn invocation(&self) -> &str {
        text_of(&self.parts.headers, "amz-sdk-invocation-id")
    }

    /// A call of the proxy's own, beside this one.
    pub(crate) fn beside(&self, operation: &'static str, body: Value) -> Self {
        let mut parts = self.parts.clone();
        let target = HeaderValue::try_from(format!("DynamoDB_20120810.{operation}")).unwrap();
        parts.headers.insert(TARGET, target);
        let text = body.to_string().into();
        Self { operation: operation.to_owned(), body: Arc::new(body), parts, text, is_our_own: true }
    }

    /// Changes the body.
    pub(crate) fn change<T>(&mut self, change: impl FnOnce(&mut Value) -> T) -> T {
        let result = change(Arc::make_mut(&mut self.body));
        self.text = self.body.to_string().into();
        self.is_our_own = true;
        result
    }
}
