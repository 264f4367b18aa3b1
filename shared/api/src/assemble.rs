//! Routers of functions as one service: their paths under `/api/v1`, and the layers around them.

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use mainsheet_core::{Clock, Error, RequestId};
use tower::{ServiceExt, service_fn};
use tower_http::catch_panic::CatchPanicLayer;

use crate::problem::{Problem, render};

/// Where every path of the protocol begins.
pub const BASE: &str = "/api/v1";

/// Where the keys that tokens are checked with are, below [`BASE`] and at the root.
pub const KEYS: &str = "/.well-known/jwks.json";

/// Functions' routers as one service.
pub fn assemble(clock: &Clock, routers: impl IntoIterator<Item = Router>) -> Router {
    let routes = routers.into_iter().fold(Router::new(), Router::merge);
    layered(with_keys_at_root(Router::new().nest(BASE, routes)), clock)
}

/// The keys are at the root, too: that is where programs look for them (RFC 8615).
fn with_keys_at_root(router: Router) -> Router {
    let (protocol, keys) = (router.clone(), format!("{BASE}{KEYS}"));
    let at_root = move |mut request: Request| {
        let (protocol, keys) = (protocol.clone(), keys.clone());
        async move {
            *request.uri_mut() = keys.parse().unwrap_or_default();
            protocol.oneshot(request).await
        }
    };
    router.route_service(KEYS, service_fn(at_root))
}

fn layered(router: Router, clock: &Clock) -> Router {
    let panicked = |_: Box<dyn std::any::Any + Send>| Problem(Error::internal("a handler panicked")).into_response();
    let router = router
        .fallback(|| async { Problem(Error::NotFound) })
        .layer(from_fn(name_refused_method))
        .layer(CatchPanicLayer::custom(panicked));
    with_problems(router, clock)
}

/// The layer that gives requests their ids and errors their bodies, for routes beside the protocol.
pub fn with_problems(router: Router, clock: &Clock) -> Router {
    let clock = clock.clone();
    router.layer(from_fn(move |request: Request, next: Next| render(request, next, clock.now())))
}

/// A known path with another method answers 405 with `Allow`; here it gets a body.
async fn name_refused_method(request: Request, next: Next) -> Response {
    let request_id = request.extensions().get::<RequestId>().map(RequestId::to_string);
    let response = next.run(request).await;
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let (parts, _) = response.into_parts();
    let body = serde_json::json!({
        "type": "about:blank", "title": "Method Not Allowed", "status": 405,
        "detail": "This path has no such method; `Allow` names those it has.",
        "code": "method_not_allowed", "message": "This path has no such method; `Allow` names those it has.",
        "errorType": "invalid_request", "details": {"retryable": false, "requestId": request_id},
    });
    let mut answer = (StatusCode::METHOD_NOT_ALLOWED, axum::Json(body)).into_response();
    answer.headers_mut().extend(
        parts.headers.into_iter().filter_map(|(name, value)| Some((name?, value))).filter(|(name, _)| name == "allow"),
    );
    answer.headers_mut().insert("content-type", axum::http::HeaderValue::from_static("application/problem+json"));
    answer
}
