//! How a browser or another client shows that it is a device which its owner trusts: a cookie, or a header.

use axum::extract::FromRequestParts;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use cookie::time::Duration;
use cookie::{Cookie, SameSite};
use mainsheet_api::{BASE, Problem};
use mainsheet_auth::trusted_device::TrustedDeviceToken;
use mainsheet_core::{Error, Result};
use mainsheet_store::second_factors::TRUSTED_DEVICE_VALID;

/// The cookie of browsers.
const NAME: &str = "mainsheet_trusted_device";
/// The header of other clients, on the answer that trusts them and on the requests that sign in.
const HEADER: HeaderName = HeaderName::from_static("mainsheet-trusted-device");

/// What a client has to show, if anything. What is no token is nothing.
pub(crate) struct Shown(pub(crate) Option<TrustedDeviceToken>);

impl<S: Send + Sync> FromRequestParts<S> for Shown {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> mainsheet_api::Result<Self> {
        let text = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let of_cookie = || {
            let cookies = Cookie::split_parse(text(COOKIE)?).flatten();
            let mut named = cookies.filter(|cookie| cookie.name() == NAME);
            named.find_map(|cookie| TrustedDeviceToken::parse(cookie.value()))
        };
        Ok(Self(text(HEADER).and_then(TrustedDeviceToken::parse).or_else(of_cookie)))
    }
}

/// The headers that give a client its token: scripts in a page cannot read the cookie, other sites cannot have it sent.
pub(crate) fn headers(token: &TrustedDeviceToken) -> Result<HeaderMap> {
    let lasts = i64::try_from(TRUSTED_DEVICE_VALID.as_secs()).map_err(Error::internal)?;
    let cookie = Cookie::build((NAME, token.reveal()))
        .path(format!("{BASE}/auth"))
        .http_only(true)
        .secure(true)
        .same_site(SameSite::Lax)
        .max_age(Duration::seconds(lasts))
        .build();
    let value = |text: &str| {
        let mut value = HeaderValue::from_str(text).map_err(Error::internal)?;
        value.set_sensitive(true);
        Ok::<_, Error>(value)
    };
    Ok(HeaderMap::from_iter([(SET_COOKIE, value(&cookie.to_string())?), (HEADER, value(&token.reveal())?)]))
}
