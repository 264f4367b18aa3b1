//! Rules for texts, for `garde`'s `custom`.

use garde::Result;

/// One line that a person can read: not blank, no control characters.
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
