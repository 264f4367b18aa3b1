//! `GET /.well-known/jwks.json`: the keys that tokens are checked with.

use axum::Json;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderName, HeaderValue};
use mainsheet_api::{App, Result};
use mainsheet_auth::keys::{KeySet, key_set};

/// How long the answer may be kept. Whoever meets a `kid` that they do not know asks again anyway.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// List the keys that sign
///
/// A JWK set (RFC 7517), below `/api/v1` and at the root alike. Access tokens and checkpoints of audit logs name their key in
/// `kid`. Keys that are not used any more stay until nothing that they signed is good.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", operation_id = "getJwks", tag = "authentication",
    responses((status = 200, description = "The keys.", body = serde_json::Value))
)]
pub(crate) async fn keys(State(app): State<App>) -> Result<([(HeaderName, HeaderValue); 1], Json<KeySet>)> {
    Ok(([(CACHE_CONTROL, CACHED)], Json(key_set(&app.store).await?)))
}
