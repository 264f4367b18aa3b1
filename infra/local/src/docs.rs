//! The API reference, interactive and without any download.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use mainsheet_api::{BASE, Document};
use mainsheet_core::{Error, Result};

const PAGE: &str = include_str!("../assets/docs.html");
const SCRIPT: &str = include_str!("../assets/docs.js");
const SWAGGER_SCRIPT: &str = include_str!("../assets/swagger-ui/swagger-ui-bundle.js");
const SWAGGER_STYLE: &str = include_str!("../assets/swagger-ui/swagger-ui.css");
const ICON: &[u8] = include_bytes!("../assets/swagger-ui/favicon-32x32.png");

/// Nothing but what this program serves is loaded, and no other page can frame it.
const POLICY: &str =
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/// `GET /api/v1/docs` and `GET /api/v1/openapi.json`.
pub(crate) fn router(document: &Document) -> Result<Router> {
    let json = document.to_json().map_err(Error::internal)?;
    let fixed = |media_type: &'static str, body: &'static [u8]| {
        get(
            move || async move { ([(CONTENT_TYPE, media_type), (CACHE_CONTROL, "max-age=3600")], body).into_response() },
        )
    };
    let html = |page: &'static str| get(move || async move { ([(CONTENT_SECURITY_POLICY, POLICY)], Html(page)) });
    let document = get(move || async move { ([(CONTENT_TYPE, "application/json")], json) });
    let routes = Router::new()
        .route("/docs", html(PAGE))
        .route("/docs/docs.js", fixed("text/javascript", SCRIPT.as_bytes()))
        .route("/docs/swagger-ui.js", fixed("text/javascript", SWAGGER_SCRIPT.as_bytes()))
        .route("/docs/swagger-ui.css", fixed("text/css", SWAGGER_STYLE.as_bytes()))
        .route("/docs/icon.png", fixed("image/png", ICON))
        .route("/openapi.json", document);
    Ok(Router::new().nest(BASE, routes))
}
