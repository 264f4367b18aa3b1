//! Errors as problem responses (RFC 9457) that also carry the contract's fields. The one place that knows both.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{MatchedPath, Request};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use mainsheet_core::measurement::Answer;
use mainsheet_core::{Error, RequestId};
use serde::Serialize;

/// What handlers return.
pub type Result<T, E = Problem> = std::result::Result<T, E>;

/// An error on its way to the client. It gets its body from [`render`], which knows the request.
#[derive(Debug, Clone)]
pub struct Problem(pub Error);

impl<E: Into<Error>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// The name that a request has in logs and answers.
pub(crate) const REQUEST_ID: &str = "x-request-id";

/// A problem (RFC 9457) with the contract's `code`, `message`, `errorType` and `details`.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub struct ProblemDetails {
    /// `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What was wrong and what to do; the same as `message`.
    pub detail: String,
    /// Stable, machine-readable.
    #[schema(examples("validation_failed"))]
    pub code: String,
    /// What was wrong and what to do.
    pub message: String,
    /// The coarse class.
    #[schema(examples("validation"))]
    pub error_type: String,
    /// More about it.
    pub details: Details,
}

/// More about a problem.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ProblemMore)]
pub struct Details {
    /// Whether the very same request may succeed later.
    pub retryable: bool,
    /// Seconds until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// Messages by field path.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub field_errors: BTreeMap<String, String>,
    /// The request, for asking about it.
    pub request_id: String,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = describe(&self.0).status.into_response();
        response.extensions_mut().insert(self.0);
        response
    }
}

/// Gives every request its id, and every error that comes back its body and its place in the log.
pub(crate) async fn render(mut request: Request, next: Next, now: mainsheet_core::Timestamp) -> Response {
    let request_id = RequestId::generate(now);
    // The path itself may hold a secret: that of an invitation has its token.
    let (method, matched) = (request.method().clone(), request.extensions().get::<MatchedPath>().cloned());
    request.extensions_mut().insert(request_id.clone());
    let mut response = next.run(request).await;
    if let Some(error) = response.extensions_mut().remove::<Error>() {
        let headers = std::mem::take(response.headers_mut());
        response = body(&error, &request_id);
        response.headers_mut().extend(
            headers
                .into_iter()
                .filter_map(|(name, value)| Some((name?, value)))
                .filter(|(name, _)| name != CONTENT_TYPE),
        );
        let route = matched.as_ref().map(MatchedPath::as_str);
        match &error {
            Error::Internal { .. } | Error::Unavailable { .. } => {
                tracing::error!(%request_id, %method, route, %error, "failed");
            }
            Error::ProviderUnavailable { .. } => {
                tracing::warn!(%request_id, %method, route, %error, "hindered");
                response.extensions_mut().insert(Answer::Hindered);
            }
            _ => tracing::debug!(%request_id, %method, route, %error, "refused"),
        }
    }
    if let Ok(id) = HeaderValue::from_str(request_id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

struct Described {
    status: StatusCode,
    code: &'static str,
    error_type: &'static str,
    message: String,
}

fn describe(error: &Error) -> Described {
    let described =
        |status, code, error_type, message: &str| Described { status, code, error_type, message: message.to_owned() };
    match error {
        Error::Malformed { code, message } => described(StatusCode::BAD_REQUEST, code, "invalid_request", message),
        Error::Unauthenticated { .. } => described(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "authentication",
            "The credentials are missing, wrong or have expired. Sign in, or refresh the access token.",
        ),
        Error::NotProven { .. } => described(
            StatusCode::UNAUTHORIZED,
            "invalid_dpop_proof",
            "authentication",
            "The token has to be bound to a key of yours, and the request to prove that you hold it: send `Authorization: DPoP \
             <token>` with a new `DPoP` proof (RFC 9449). A token is bound when a proof came with signing in.",
        ),
        Error::Forbidden { code, message } => described(StatusCode::FORBIDDEN, code, "permission", message),
        Error::NotFound => {
            described(StatusCode::NOT_FOUND, "not_found", "not_found", "There is nothing here that you can reach.")
        }
        Error::Conflict { code, message } => described(StatusCode::CONFLICT, code, "conflict", message),
        Error::StaleVersion => described(
            StatusCode::PRECONDITION_FAILED,
            "stale_version",
            "conflict",
            "It has changed since the version that `If-Match` names. Read it again and repeat the request.",
        ),
        Error::TooLarge { limit } => {
            let message = format!("The body is larger than the {limit} bytes that are taken here.");
            described(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "invalid_request", &message)
        }
        Error::UnsupportedMediaType { takes } => {
            let message = format!("Send the body as `{takes}`, and say so in `Content-Type`.");
            described(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "invalid_request", &message)
        }
        Error::Invalid(_) => described(
            StatusCode::UNPROCESSABLE_ENTITY,
            "validation_failed",
            "validation",
            "Some fields break a rule; `details.fieldErrors` names each.",
        ),
        Error::IdempotencyKeyReused => described(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "validation",
            "This `Idempotency-Key` came before with another request. Use a new key for each request of its own.",
        ),
        Error::TooManyRequests { .. } => described(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            "rate_limit",
            "Too many tries. Wait as long as `Retry-After` says.",
        ),
        Error::Unavailable { .. } => described(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "unavailable",
            "Something that Mainsheet stands on does not answer. A change may have been made all the same: look, or send the \
             request again with the same `Idempotency-Key`.",
        ),
        Error::ProviderUnavailable { .. } => described(
            StatusCode::SERVICE_UNAVAILABLE,
            "provider_unavailable",
            "unavailable",
            "The provider of your account does not answer. Nothing was changed; try again.",
        ),
        Error::Internal { .. } => described(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "internal",
            "Mainsheet failed. Try again; if it stays so, report `details.requestId`.",
        ),
    }
}

fn body(error: &Error, request_id: &RequestId) -> Response {
    let Described { status, code, error_type, message } = describe(error);
    let retry_after = match error {
        Error::TooManyRequests { retry_after } => Some(retry_after.as_secs().max(1)),
        Error::Unavailable { .. } | Error::ProviderUnavailable { .. } => Some(1),
        _ => None,
    };
    let field_errors = match error {
        Error::Invalid(fields) => fields.iter().map(|(field, text)| (field.to_owned(), text.to_owned())).collect(),
        _ => BTreeMap::new(),
    };
    let problem = ProblemDetails {
        kind: "about:blank".to_owned(),
        title: status.canonical_reason().unwrap_or("Error").to_owned(),
        status: status.as_u16(),
        detail: message.clone(),
        code: code.to_owned(),
        message,
        error_type: error_type.to_owned(),
        details: Details {
            retryable: error.is_retryable(),
            retry_after,
            field_errors,
            request_id: request_id.to_string(),
        },
    };
    let mut response = (status, Json(problem)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(seconds) = retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    match error {
        Error::Unauthenticated { .. } => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Error::NotProven { .. } => {
            let challenge = HeaderValue::from_static(r#"DPoP error="invalid_dpop_proof", algs="ES256 Ed25519 EdDSA""#);
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        _ => {}
    }
    response
}
