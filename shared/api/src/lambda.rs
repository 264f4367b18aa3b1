//! A router as a Lambda function behind an API Gateway HTTP API.

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use lambda_http::request::RequestContext;
use lambda_http::{Error, RequestExt, run};
use mainsheet_core::Clock;
use utoipa_axum::router::OpenApiRouter;

use crate::assemble::assemble;
use crate::identity::ClientAddress;

/// Answers events until the sandbox ends.
///
/// # Errors
/// When the runtime's API does not answer.
pub async fn serve(clock: &Clock, router: OpenApiRouter) -> Result<(), Error> {
    lambda_http::tracing::init_default_subscriber();
    let (router, _) = assemble(clock, [router]);
    run(router.layer(from_fn(note_address))).await
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
