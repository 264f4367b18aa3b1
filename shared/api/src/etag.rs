//! Versions of resources: `ETag` on answers, `If-Match` on changes (RFC 9110, sections 8.8.3 and 13.1.1).

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use mainsheet_core::Error;
use serde::Serialize;

use crate::problem::{Problem, Result};

/// An answer with the version of what it shows.
#[derive(Debug)]
pub struct Tagged<T> {
    /// The body.
    pub body: T,
    /// The version.
    pub version: u64,
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", self.version)) {
            response.headers_mut().insert(ETAG, tag);
        }
        response
    }
}

/// A new resource: 201 with its version.
pub fn created<T: Serialize>(body: T, version: u64) -> (StatusCode, Tagged<T>) {
    (StatusCode::CREATED, Tagged { body, version })
}

/// The versions that a change is meant for; any when the header is absent.
#[derive(Debug)]
pub struct IfMatch(Option<String>);

impl IfMatch {
    /// The present version is one that the change is meant for.
    ///
    /// # Errors
    /// [`Error::StaleVersion`] when it is not.
    pub fn check(&self, version: u64) -> Result<()> {
        let Some(tags) = &self.0 else { return Ok(()) };
        let current = format!("\"{version}\"");
        let matches = tags.trim() == "*" || tags.split(',').any(|tag| tag.trim() == current);
        if matches { Ok(()) } else { Err(Error::StaleVersion.into()) }
    }
}

impl IfMatch {
    /// Like [`Self::check`] for something that may not be there: no tag matches what is absent, not even `*`.
    ///
    /// # Errors
    /// [`Error::StaleVersion`] when it does not match.
    pub fn check_if_there(&self, version: Option<u64>) -> Result<()> {
        match version {
            Some(version) => self.check(version),
            None if self.0.is_some() => Err(Error::StaleVersion.into()),
            None => Ok(()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        Ok(Self(parts.headers.get(IF_MATCH).map(|value| value.to_str().unwrap_or_default().to_owned())))
    }
}
