//! Pages for people that links in mails and single sign-on end at: small, with nothing from elsewhere. In AWS they are the
//! business of whatever answers at `MAINSHEET_PUBLIC_URL`.

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get};

/// The pages load scripts and style of their own and speak to the API here; nothing else is loaded, run, framed or sent.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

macro_rules! asset {
    ($name:literal) => {
        include_str!(concat!("../assets/pages/", $name))
    };
}

/// `GET /verify-email`, `/reset-password`, `/accept-invitation` and `/signed-in`.
pub(crate) fn router() -> Router {
    let parts = Router::new()
        .route("/page.css", file("text/css", asset!("page.css")))
        .route("/page.js", file("text/javascript", asset!("page.js")))
        .route("/verify-email.js", file("text/javascript", asset!("verify-email.js")))
        .route("/reset-password.js", file("text/javascript", asset!("reset-password.js")))
        .route("/accept-invitation.js", file("text/javascript", asset!("accept-invitation.js")))
        .route("/signed-in.js", file("text/javascript", asset!("signed-in.js")));
    Router::new()
        .route("/verify-email", file("text/html; charset=utf-8", asset!("verify-email.html")))
        .route("/reset-password", file("text/html; charset=utf-8", asset!("reset-password.html")))
        .route("/accept-invitation", file("text/html; charset=utf-8", asset!("accept-invitation.html")))
        .route("/signed-in", file("text/html; charset=utf-8", asset!("signed-in.html")))
        .nest("/pages", parts)
}

/// A file of this program. What the address carries is secret: no cache and no other site gets it.
fn file(media_type: &'static str, text: &'static str) -> MethodRouter {
    let headers = [
        (CONTENT_TYPE, media_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    get(move || async move { (headers, text).into_response() })
}
