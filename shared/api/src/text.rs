//! Rules for texts, for `garde`'s `custom`.

use garde::Result;
use icu_properties::CodePointSetData;
use icu_properties::props::{DefaultIgnorableCodePoint, VariationSelector};

/// Nobody sees it, so that it makes two names look alike: zero-width characters, marks that turn the direction of writing, line
/// separators. What chooses between forms of an emoji stays.
fn is_invisible(letter: char) -> bool {
    let is_ignored = CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(letter);
    let selects_form = CodePointSetData::new::<VariationSelector>().contains(letter);
    (is_ignored && !selects_form) || matches!(letter, '\u{2028}' | '\u{2029}')
}

/// One line that a person can read: not blank, no control characters, nothing that cannot be seen.
///
/// # Errors
/// What is wrong, in words.
pub fn line<T: AsRef<str> + ?Sized>(text: &T, _: &()) -> Result {
    let text = text.as_ref();
    if text.trim().is_empty() {
        return Err(garde::Error::new("must not be blank"));
    }
    if text.chars().any(char::is_control) {
        return Err(garde::Error::new("must not contain control characters"));
    }
    if text.chars().any(is_invisible) {
        return Err(garde::Error::new("must not contain characters that cannot be seen, such as zero-width spaces"));
    }
    Ok(())
}

/// Lines: no control characters but tabs and line ends.
///
/// # Errors
/// What is wrong, in words.
pub fn lines<T: AsRef<str> + ?Sized>(text: &T, _: &()) -> Result {
    let refused = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t');
    if text.as_ref().chars().any(refused) {
        return Err(garde::Error::new("must not contain control characters but tabs and line ends"));
    }
    Ok(())
}

/// [`line`] for a text that may be absent.
///
/// # Errors
/// What is wrong, in words.
pub fn optional_line(text: &Option<String>, context: &()) -> Result {
    text.as_ref().map_or(Ok(()), |text| line(text, context))
}

/// [`lines`] for a text that may be absent.
///
/// # Errors
/// What is wrong, in words.
pub fn optional_lines(text: &Option<String>, context: &()) -> Result {
    text.as_ref().map_or(Ok(()), |text| lines(text, context))
}
