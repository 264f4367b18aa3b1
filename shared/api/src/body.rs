//! JSON bodies: read with a limit, parsed with the path of what is wrong, checked by their type's rules.

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use garde::Validate;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use mainsheet_core::{Error, FieldErrors};
use serde::de::DeserializeOwned;

use crate::problem::{Problem, Result};
use crate::refused::refused_field;
use crate::shape::Shape;

/// The largest body, in bytes.
pub(crate) const LIMIT: usize = 1024 * 1024;

/// A checked JSON body.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<S, T> FromRequest<S> for Body<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Validate<Context = ()> + Send,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        let headers = request.headers().clone();
        let bytes = or_empty_object(&headers, read(request).await?);
        require_json(&headers, &bytes)?;
        Ok(Self(parse(&bytes)?))
    }
}

/// The body says that it is JSON.
pub(crate) fn require_json(headers: &HeaderMap, bytes: &Bytes) -> Result<()> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let is_json = essence.eq_ignore_ascii_case("application/json")
        || (essence.starts_with("application/") && essence.ends_with("+json"));
    let absent = bytes.as_ref() == b"{}" && !headers.contains_key(CONTENT_TYPE);
    if is_json || absent { Ok(()) } else { Err(Error::UnsupportedMediaType { takes: "application/json" }.into()) }
}

/// A body that is not there at all, as clients send it when every field may be absent, counts as `{}`.
pub(crate) fn or_empty_object(headers: &HeaderMap, bytes: Bytes) -> Bytes {
    if bytes.is_empty() && !headers.contains_key(CONTENT_TYPE) { Bytes::from_static(b"{}") } else { bytes }
}

/// The whole body.
pub(crate) async fn read(request: Request) -> Result<Bytes> {
    match Limited::new(request.into_body(), LIMIT).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Error::TooLarge { limit: LIMIT }.into()),
        Err(_) => Err(Error::malformed("incomplete_body", "The body ended too soon.").into()),
    }
}

/// The value that a body stands for: 400 when it is not JSON, 422 with the field when it breaks a rule.
pub(crate) fn parse<T: DeserializeOwned + Validate<Context = ()>>(bytes: &[u8]) -> Result<T> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value: T = serde_path_to_error::deserialize(Shape(&mut json)).map_err(|error| refused(&error, bytes))?;
    json.end().map_err(|error| malformed(&error))?;
    validate(&value)?;
    Ok(value)
}

/// Checks a value by its type's rules.
pub(crate) fn validate<T: Validate<Context = ()>>(value: &T) -> Result<()> {
    let Err(report) = value.validate() else { return Ok(()) };
    let mut errors = FieldErrors::default();
    for (path, error) in report.iter() {
        errors.add(wire_path(&path.to_string()), error.message());
    }
    Ok(errors.into_result()?)
}

fn refused(error: &serde_path_to_error::Error<serde_json::Error>, bytes: &[u8]) -> Problem {
    // What kind of error it is does not tell whether the text is JSON: a field may break a rule before the place where the
    // text breaks off, and serde_json calls a list in place of an enum's name a broken text.
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(bytes) {
        return malformed(&error);
    }
    // Where the text went wrong helps nobody who sent JSON from a program: the path says it better.
    let message = error.inner().to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    refused_field(error.path().to_string(), message).into()
}

fn malformed(error: &serde_json::Error) -> Problem {
    Error::malformed("malformed_json", format!("The body is not JSON: {error}.")).into()
}

/// Rust fields whose names on the wire do not follow from theirs: the protocol's only one in snake case, and units as they are written.
const IRREGULAR: [(&str, &str); 3] =
    [("catalog_schema", "catalog_schema"), ("min_vcpus", "minVCpus"), ("min_memory_mib", "minMemoryMiB")];

/// A path of Rust fields as the wire has it: `team_ids[0]` is `teamIds[0]`.
fn wire_path(path: &str) -> String {
    let segment = |segment: &str| {
        if let Some((_, name)) = IRREGULAR.iter().find(|(field, _)| *field == segment) {
            return (*name).to_owned();
        }
        let mut words = segment.split('_');
        let first = words.next().unwrap_or_default().to_owned();
        words.fold(first, |name, word| {
            let mut letters = word.chars();
            let initial = letters.next().map(|letter| letter.to_ascii_uppercase());
            name + &initial.into_iter().chain(letters).collect::<String>()
        })
    };
    path.split('.').map(segment).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_as_on_the_wire() {
        assert_eq!(wire_path("team_ids[0]"), "teamIds[0]");
        assert_eq!(wire_path("config.sql.query_id"), "config.sql.queryId");
        assert_eq!(wire_path("catalog_schema"), "catalog_schema");
        assert_eq!(wire_path("min_memory_mib"), "minMemoryMiB");
    }
}
