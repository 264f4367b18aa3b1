//! What serde refuses, in the words of those who send requests: serde speaks of Rust's types.

use std::borrow::Cow;

use mainsheet_core::Error;

/// The field that serde refuses, and what it should be. One that is missing or comes twice is named in the message alone.
pub(crate) fn refused_field(path: String, message: &str) -> Error {
    let kinds = ["missing field `", "duplicate field `"];
    let named = kinds.iter().find_map(|kind| message.strip_prefix(kind)?.split('`').next());
    let field = match (named, path.as_str()) {
        (Some(field), ".") => field.to_owned(),
        (Some(field), _) => format!("{path}.{field}"),
        (None, ".") => "body".to_owned(),
        (None, _) => path,
    };
    Error::invalid(field, readable(message))
}

/// What is wrong with a field.
fn readable(message: &str) -> Cow<'_, str> {
    let mismatch = ["invalid type: ", "invalid value: "].iter().find_map(|kind| message.strip_prefix(kind));
    if let Some((found, wanted)) = mismatch.and_then(|mismatch| mismatch.rsplit_once(", expected ")) {
        return format!("must be {}, not {}", in_json(wanted), sent(found)).into();
    }
    if let Some((_, known)) = message.strip_prefix("unknown variant ").and_then(|rest| rest.split_once(", expected ")) {
        return format!("must be {known}").into();
    }
    match message {
        missing if missing.starts_with("missing field ") => "is required".into(),
        twice if twice.starts_with("duplicate field ") => "comes twice".into(),
        // So serde_json says of what stands in place of one of a few texts.
        "expected value" => "must be one of the texts that it can be".into(),
        "invalid digit found in string"
        | "cannot parse integer from empty string"
        | "number too large to fit in target type"
        | "number too small to fit in target type" => "must be a whole number, and none too large".into(),
        said => said.into(),
    }
}

/// What a Rust type is in JSON.
fn in_json(wanted: &str) -> &str {
    match wanted {
        "a string" | "a borrowed string" | "a character" => "a text",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        "unit" => "null",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number from 0 on",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        structure if structure.starts_with("struct ") => "an object",
        tuple if tuple.starts_with("a tuple ") || tuple.starts_with("tuple ") => "a list",
        said => said,
    }
}

/// What was sent; texts are not repeated, as they may be secrets.
fn sent(found: &str) -> &str {
    match found.split_once(' ').map_or(found, |(kind, _)| kind) {
        "map" => "an object",
        "sequence" => "a list",
        "string" => "a text",
        "unit" | "null" => "null",
        "integer" | "floating" | "boolean" => found.split('`').nth(1).unwrap_or(found),
        _ => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_in_the_words_of_json() {
        for (said, readable_as) in [
            ("invalid type: sequence, expected struct CreateJob", "must be an object, not a list"),
            ("invalid type: map, expected a string", "must be a text, not an object"),
            (
                "invalid type: string \"1, expected u8\", expected u16",
                "must be a whole number from 0 to 65535, not a text",
            ),
            ("invalid type: null, expected a boolean", "must be true or false, not null"),
            ("invalid value: integer `-1`, expected u8", "must be a whole number from 0 to 255, not -1"),
            ("invalid type: floating point `0.5`, expected i64", "must be a whole number, not 0.5"),
            ("unknown variant `x`, expected one of `a`, `b`", "must be one of `a`, `b`"),
            ("unknown variant `x`, expected `a` or `b`", "must be `a` or `b`"),
            ("missing field `name`", "is required"),
            ("duplicate field `name`", "comes twice"),
            ("is no time zone", "is no time zone"),
        ] {
            assert_eq!(readable(said), readable_as);
        }
    }
}
