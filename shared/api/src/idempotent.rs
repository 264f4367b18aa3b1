//! POSTs that may be sent again: with a body ([`Command`]) or without one ([`Action`]).

use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use garde::Validate;
use mainsheet_auth::Subject;
use mainsheet_core::Error;
use mainsheet_store::idempotency::Idempotency;
use serde::de::DeserializeOwned;

use crate::app::HasApp;
use crate::body::{or_empty_object, parse, read, require_json};
use crate::identity::{ORGANIZATION_HEADER, idempotency_key, subject};
use crate::problem::{Problem, Result};

/// What a request's idempotency key means for it.
#[derive(Debug)]
pub struct Idempotent {
    request: Option<Idempotency>,
    earlier: Option<String>,
}

/// A POST with a checked JSON body.
#[derive(Debug)]
pub struct Command<T> {
    /// The body.
    pub body: T,
    /// Whether it was handled before.
    pub idempotent: Idempotent,
}

/// A POST without a body; one that comes along is ignored.
#[derive(Debug)]
pub struct Action(pub Idempotent);

impl Idempotent {
    /// What the same request came to before: its answer is derived from that again, and nothing is done.
    ///
    /// # Errors
    /// [`Error::Internal`] when what was remembered is no id of this kind.
    pub fn earlier<T: FromStr>(&self) -> Result<Option<T>> {
        let parse = |text: &String| text.parse().map_err(|_| Error::internal("an idempotency record of another kind"));
        Ok(self.earlier.as_ref().map(parse).transpose()?)
    }

    /// What the change has to remember.
    #[must_use]
    pub fn request(&self) -> Option<&Idempotency> {
        self.request.as_ref()
    }

    fn of(parts: &Parts, subject: &Subject, body: &[u8]) -> Result<Self> {
        let Some(key) = idempotency_key(&parts.headers)? else { return Ok(Self { request: None, earlier: None }) };
        let request_sha256 = fingerprint(parts, body);
        let earlier = match subject.earlier() {
            Some(record) if record.request_sha256 != request_sha256 => return Err(Error::IdempotencyKeyReused.into()),
            record => record.map(|record| record.result.clone()),
        };
        let request = Idempotency { sender: subject.sender(), key, request_sha256 };
        Ok(Self { request: Some(request), earlier })
    }
}

/// SHA-256 of all that makes a request the same one.
fn fingerprint(parts: &Parts, body: &[u8]) -> String {
    let organization = parts.headers.get(ORGANIZATION_HEADER).map(axum::http::HeaderValue::as_bytes);
    let mut context = Context::new(&SHA256);
    for part in [parts.method.as_str().as_bytes(), parts.uri.path().as_bytes(), organization.unwrap_or_default(), body]
    {
        context.update(&part.len().to_be_bytes());
        context.update(part);
    }
    hex::encode(context.finish())
}

impl<S: HasApp, T> FromRequest<S> for Command<T>
where
    T: DeserializeOwned + Validate<Context = ()> + Send,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let (mut parts, body) = request.into_parts();
        let subject = subject(&mut parts, &state.app()).await?;
        let bytes = or_empty_object(&parts.headers, read(Request::new(body)).await?);
        require_json(&parts.headers, &bytes)?;
        let idempotent = Idempotent::of(&parts, &subject, &bytes)?;
        Ok(Self { body: parse(&bytes)?, idempotent })
    }
}

impl<S: HasApp> FromRequestParts<S> for Action {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let subject = subject(parts, &state.app()).await?;
        Ok(Self(Idempotent::of(parts, &subject, &[])?))
    }
}
