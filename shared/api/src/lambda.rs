//! A router as a Lambda function behind an API Gateway HTTP API.

use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use lambda_http::request::RequestContext;
use lambda_http::{Error, RequestExt, run};
use mainsheet_core::measurement::{Answer, Measurement};
use mainsheet_store::Store;

use crate::assemble::assemble;
use crate::identity::ClientAddress;

/// Which requests are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// All.
    All,
    /// Those that the platform fails at: where nearly all ask whether there is something to do, telling of each costs more than it.
    Failures,
}

/// Answers events until the sandbox ends. What is measured goes where the store's measurements go.
///
/// # Errors
/// When the runtime's API does not answer.
pub async fn serve(store: &Store, measured: Measured, router: Router) -> Result<(), Error> {
    lambda_http::tracing::init_default_subscriber();
    let router = assemble(store.clock(), [router]);
    let measure = from_fn_with_state((store.clone(), measured), measure);
    run(router.layer(from_fn(note_address)).layer(measure)).await
}

/// API Gateway knows the client's address; the connection does not.
async fn note_address(mut request: Request, next: Next) -> Response {
    let address = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.clone(),
        _ => None,
    };
    if let Some(address) = address {
        request.extensions_mut().insert(ClientAddress(address));
    }
    next.run(request).await
}

async fn measure(State((store, measured)): State<(Store, Measured)>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let (operation, begun) = (format!("{} {path}", request.method()), Instant::now());
    let response = next.run(request).await;
    let of_status = || Answer::of_status(response.status().as_u16());
    let answer = response.extensions().get::<Answer>().copied().unwrap_or_else(of_status);
    if measured == Measured::All || answer == Answer::Failed {
        store.measure(&Measurement::Request { operation, answer, took: begun.elapsed() });
    }
    response
}
