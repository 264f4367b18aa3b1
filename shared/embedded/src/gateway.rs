//! API Gateway in front of Lambda, without AWS: what a request and its answer may weigh, and how long an answer may take. What is
//! beyond is answered as an HTTP API answers it, so that what passes here passes there.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};

/// What passes.
#[derive(Debug, Clone, Copy)]
pub struct Gateway {
    /// Bytes of the request line and all headers.
    pub head: usize,
    /// Bytes of a request's body.
    pub body: usize,
    /// Bytes of the JSON that a function gets or answers. A body is a text in it, with each quotation mark escaped.
    pub payload: usize,
    /// How long a function may take.
    pub patience: Duration,
}

/// What an event says beside the request's own head and body, about.
const ENVELOPE: usize = 1024;

impl Gateway {
    /// An HTTP API in front of functions (API Gateway developer guide, "Quotas for configuring and running an HTTP API"; Lambda
    /// developer guide, "Lambda quotas"). Lambda takes answers that are 100 bytes larger; nothing may rest on these.
    pub const AWS: Self =
        Self { head: 10_240, body: 10 * 1024 * 1024, payload: 6 * 1024 * 1024, patience: Duration::from_secs(30) };

    /// The router, behind this gateway.
    pub fn before(self, router: Router) -> Router {
        router.layer(from_fn(move |request: Request, next: Next| self.pass(request, next)))
    }

    async fn pass(self, request: Request, next: Next) -> Response {
        match self.invoke(request, next).await {
            Ok(answer) => answer,
            Err(status) => refusal(status),
        }
    }

    async fn invoke(self, request: Request, next: Next) -> Result<Response, StatusCode> {
        let (head, body) = request.into_parts();
        let head_size = size_of_head(&head);
        if head_size > self.head {
            return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
        let body =
            Limited::new(body, self.body).collect().await.map_err(|error| match error.is::<LengthLimitError>() {
                true => StatusCode::PAYLOAD_TOO_LARGE,
                false => StatusCode::BAD_REQUEST,
            })?;
        let body = body.to_bytes();
        // An event has the query twice, as it is and taken apart.
        if ENVELOPE + 2 * head_size + size_as_text(&body) > self.payload {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let path = head.uri.path().to_owned();
        let answer = tokio::time::timeout(self.patience, answer(next, Request::from_parts(head, Body::from(body))));
        let (head, body) = answer.await.map_err(|_| {
            tracing::error!(path, "no answer within {:?}", self.patience);
            StatusCode::SERVICE_UNAVAILABLE
        })?;
        let size = ENVELOPE + size_of_headers(&head.headers) + size_as_text(&body);
        if size > self.payload {
            tracing::error!(path, size, "the answer is larger than a function's may be");
            return Err(StatusCode::INTERNAL_SERVER_ERROR);
        }
        Ok(Response::from_parts(head, Body::from(body)))
    }
}

/// A function answers all at once.
async fn answer(next: Next, request: Request) -> (axum::http::response::Parts, Bytes) {
    let (head, body) = next.run(request).await.into_parts();
    // A body that breaks off was made of what is in memory: it does not.
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    (head, body)
}

/// In the gateway's own words, which are no problem details.
fn refusal(status: StatusCode) -> Response {
    let message = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
        other => other.canonical_reason().unwrap_or_default(),
    };
    (status, [(CONTENT_TYPE, "application/json")], format!(r#"{{"message":"{message}"}}"#)).into_response()
}

fn size_of_head(head: &Parts) -> usize {
    let line = head.method.as_str().len() + 1 + head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    line + " HTTP/1.1\r\n".len() + size_of_headers(&head.headers)
}

fn size_of_headers(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + ": \r\n".len() + value.len()).sum()
}

/// The bytes of a body as a text in JSON: escaped, or in base64 when it is no text.
fn size_as_text(body: &[u8]) -> usize {
    if std::str::from_utf8(body).is_err() {
        return 2 + body.len().div_ceil(3) * 4;
    }
    let escaped = |byte: &u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    2 + body.iter().map(escaped).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use axum::routing::{get, post};
    use tower::ServiceExt;

    use super::*;

    const SMALL: Gateway = Gateway { head: 200, body: 3_000, payload: 2_500, patience: Duration::from_millis(20) };

    async fn send(request: Request) -> (u16, String) {
        let echo = post(|body: Bytes| async { body });
        let long = get(|| async { "\"".repeat(1_000) });
        let never = get(std::future::pending::<&str>);
        let router = Router::new().route("/echo", echo).route("/long", long).route("/never", never);
        let Ok(answer) = SMALL.before(router).oneshot(request).await;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    fn request(method: &str, path: &str, body: impl Into<Body>) -> Request {
        let mut request = Request::new(body.into());
        *request.method_mut() = method.parse().unwrap_or_default();
        *request.uri_mut() = path.parse().unwrap_or_default();
        request
    }

    #[tokio::test]
    async fn what_fits_passes_as_it_is() {
        assert_eq!(send(request("POST", "/echo", "some text")).await, (200, "some text".to_owned()));
    }

    #[tokio::test]
    async fn what_does_not_fit_is_answered_by_the_gateway() {
        let too_large = (413, r#"{"message":"Request Entity Too Large"}"#.to_owned());
        assert_eq!(send(request("POST", "/echo", "x".repeat(3_001))).await, too_large, "of the gateway");
        assert_eq!(send(request("POST", "/echo", "x".repeat(2_000))).await, too_large, "of the function");
        assert_eq!(send(request("POST", "/echo", "\"".repeat(800))).await, too_large, "twice as long when escaped");
        let line = format!("/echo?{}", "x".repeat(200));
        assert_eq!(send(request("POST", &line, "")).await.0, 431);
        assert_eq!(send(request("GET", "/long", "")).await, (500, r#"{"message":"Internal Server Error"}"#.to_owned()));
        assert_eq!(send(request("GET", "/never", "")).await, (503, r#"{"message":"Service Unavailable"}"#.to_owned()));
    }

    #[test]
    fn bodies_weigh_what_they_do_in_json() -> Result<(), serde_json::Error> {
        for text in ["", "plain", "\"quoted\" \\ \n\r\t\u{8}\u{c}\u{1}", "日本"] {
            assert_eq!(size_as_text(text.as_bytes()), serde_json::to_string(text)?.len(), "{text:?}");
        }
        assert_eq!(size_as_text(&[0xff, 0xfe]), r#""//4=""#.len());
        Ok(())
    }
}
