//! Answers, and what every one of them has to be.

use std::collections::BTreeMap;

use axum::http::header::{CONTENT_TYPE, ETAG, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::Value;

/// An answer, read whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Method and path of the request, for messages.
    pub sent: String,
}

/// What a problem response says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The status, in the body as on the wire.
    pub status: u16,
    /// Stable, machine-readable.
    pub code: String,
    /// For a person.
    pub message: String,
    /// The coarse class.
    pub error_type: String,
    /// Whether it may succeed later.
    pub retryable: bool,
    /// Messages by field path.
    pub field_errors: BTreeMap<String, String>,
}

impl Answer {
    /// Reads an answer and checks what holds for all of them: it names its request, and a failure is a problem response.
    pub(crate) async fn read(response: Response, sent: String) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("bodies in process do not break off").to_bytes();
        let answer = Self { status: parts.status, headers: parts.headers, body, sent };
        if answer.is_of_the_gateway() {
            return answer;
        }
        assert!(answer.header("x-request-id").is_some(), "{answer} has no x-request-id");
        if answer.status.as_u16() >= 400 {
            let _ = answer.problem();
        }
        answer
    }

    /// Whether no function had a say in it: the gateway's own refusals are a message and nothing else.
    fn is_of_the_gateway(&self) -> bool {
        let body: Option<BTreeMap<String, String>> = serde_json::from_slice(&self.body).ok();
        self.status.as_u16() >= 400 && body.is_some_and(|body| body.keys().eq(["message"]))
    }

    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Asserts the status.
    #[must_use]
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self}");
        self
    }

    /// The body as JSON.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{self}: not JSON: {error}"))
    }

    /// The text of a field at the body's top.
    #[must_use]
    #[track_caller]
    pub fn text(&self, field: &str) -> String {
        self.json()[field].as_str().unwrap_or_else(|| panic!("{self}: no text `{field}`")).to_owned()
    }

    /// The version that the answer shows.
    #[must_use]
    #[track_caller]
    pub fn etag(&self) -> String {
        self.header(ETAG.as_str()).unwrap_or_else(|| panic!("{self}: no ETag")).to_owned()
    }

    /// The problem that the answer is, with every field that the contract has.
    #[must_use]
    #[track_caller]
    pub fn problem(&self) -> Problem {
        assert_eq!(self.header(CONTENT_TYPE.as_str()), Some("application/problem+json"), "{self}");
        let body = self.json();
        let text = |value: &Value, field: &str| {
            let text = value[field].as_str().filter(|text| !text.is_empty());
            text.unwrap_or_else(|| panic!("{self}: no `{field}`")).to_owned()
        };
        let details = &body["details"];
        assert_eq!(body["status"], self.status.as_u16(), "{self}");
        assert_eq!(text(&body, "type"), "about:blank", "{self}");
        assert_eq!(text(&body, "detail"), text(&body, "message"), "{self}");
        text(&body, "title");
        assert_eq!(Some(text(details, "requestId").as_str()), self.header("x-request-id"), "{self}");
        let retry_after = details["retryAfter"].as_u64().map(|seconds| seconds.to_string());
        assert_eq!(retry_after.as_deref(), self.header(RETRY_AFTER.as_str()), "{self}");
        assert_eq!(
            self.status == StatusCode::UNAUTHORIZED,
            self.header(WWW_AUTHENTICATE.as_str()).is_some(),
            "{self}: WWW-Authenticate goes with 401"
        );
        let field_errors = match &details["fieldErrors"] {
            Value::Null => BTreeMap::new(),
            errors => serde_json::from_value(errors.clone()).unwrap_or_else(|error| panic!("{self}: {error}")),
        };
        Problem {
            status: self.status.as_u16(),
            code: text(&body, "code"),
            message: text(&body, "message"),
            error_type: text(&body, "errorType"),
            retryable: details["retryable"].as_bool().unwrap_or_else(|| panic!("{self}: no `retryable`")),
            field_errors,
        }
    }

    /// Status and body with the request's id left out: two answers that say the same are the same text.
    #[must_use]
    pub fn anonymous(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let body = self.header("x-request-id").map_or(body.to_string(), |id| body.replace(id, ""));
        format!("{} {body}", self.status)
    }

    /// Asserts a 422 whose `fieldErrors` name this field.
    #[track_caller]
    pub fn assert_names_field(&self, field: &str) {
        assert_eq!(self.status, StatusCode::UNPROCESSABLE_ENTITY, "{self}");
        let errors = self.problem().field_errors;
        assert!(errors.contains_key(field), "{self}: `{field}` is not among {:?}", errors.keys());
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        write!(formatter, "{} -> {} {body}", self.sent, self.status)
    }
}
