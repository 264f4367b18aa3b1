//! Query strings. Unknown parameters are ignored (contract, decisions, Wire).

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use garde::Validate;
use serde::de::DeserializeOwned;

use crate::body::validate;
use crate::problem::{Problem, Result};
use crate::refused::refused_field;

/// A checked query string.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S, T> FromRequestParts<S> for Query<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Validate<Context = ()>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let text = parts.uri.query().unwrap_or_default();
        let parameters = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
        let value: T = serde_path_to_error::deserialize(parameters)
            .map_err(|error| refused_field(error.path().to_string(), &error.inner().to_string()))?;
        validate(&value)?;
        Ok(Self(value))
    }
}
