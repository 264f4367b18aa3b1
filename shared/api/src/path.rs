//! Parameters in paths. A malformed id is a 400 that names it; a well-formed one that leads nowhere is a 404.

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path as Raw};
use axum::http::request::Parts;
use mainsheet_core::Error;
use serde::de::DeserializeOwned;

use crate::problem::{Problem, Result};

/// Path parameters.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<S, T> FromRequestParts<S> for Path<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Send,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        match Raw::<T>::from_request_parts(parts, state).await {
            Ok(Raw(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(rejection)) => Err(malformed(rejection.into_kind())),
            Err(rejection) => Err(Error::internal(rejection).into()),
        }
    }
}

fn malformed(kind: ErrorKind) -> Problem {
    let message = match kind {
        ErrorKind::DeserializeError { key, message, .. } => format!("`{key}` in the path {message}."),
        ErrorKind::InvalidUtf8InPathParam { key } => format!("`{key}` in the path is not UTF-8."),
        ErrorKind::ParseError { value, .. }
        | ErrorKind::ParseErrorAtIndex { value, .. }
        | ErrorKind::ParseErrorAtKey { value, .. } => format!("`{value}` in the path must be a whole number."),
        ErrorKind::Message(message) => format!("An id in the path {message}."),
        _ => "An id in the path must be 1 to 20 characters of A-Z and 0-9.".to_owned(),
    };
    Error::malformed("malformed_id", message).into()
}
