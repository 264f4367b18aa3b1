//! What the environment asks of a run of the tests. What cannot be understood is refused: passed over, it would leave a run that passes
//! without having tried what was asked for.

use std::env::VarError;
use std::fmt::Display;
use std::str::FromStr;

/// The number that a variable sets; none where it is not set.
#[must_use]
pub fn number<N: FromStr<Err: Display>>(variable: &str) -> Option<N> {
    text(variable).map(|text| parsed(variable, &text))
}

/// Whether a variable asks for all that can be tried, which is the only thing that it can ask for.
#[must_use]
pub fn wants_all(variable: &str) -> bool {
    text(variable).is_some_and(|text| is_all(variable, &text))
}

fn text(variable: &str) -> Option<String> {
    match std::env::var(variable) {
        Ok(text) => Some(text),
        Err(VarError::NotPresent) => None,
        Err(error) => panic!("{variable}: {error}"),
    }
}

fn parsed<N: FromStr<Err: Display>>(variable: &str, text: &str) -> N {
    text.parse().unwrap_or_else(|error| panic!("{variable}={text}: {error}"))
}

fn is_all(variable: &str, text: &str) -> bool {
    match text {
        "all" => true,
        _ => panic!("{variable}={text}: it can be `all`"),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;

    use super::*;

    #[test]
    fn what_is_not_set_asks_for_nothing() {
        assert_eq!(number::<u64>("MAINSHEET_NOBODY_SETS_THIS"), None);
        assert!(!wants_all("MAINSHEET_NOBODY_SETS_THIS"));
    }

    #[test]
    fn what_can_be_understood_is_taken() {
        assert_eq!(parsed::<NonZero<usize>>("ROUNDS", "50").get(), 50);
        assert!(is_all("FAULTS", "all"));
    }

    #[test]
    #[should_panic(expected = "ROUNDS=0: ")]
    fn no_rounds_are_refused() {
        let _ = parsed::<NonZero<usize>>("ROUNDS", "0");
    }

    #[test]
    #[should_panic(expected = "SEED=many: ")]
    fn what_is_no_number_is_refused() {
        let _ = parsed::<u64>("SEED", "many");
    }

    #[test]
    #[should_panic(expected = "FAULTS=every: it can be `all`")]
    fn another_word_is_refused() {
        let _ = is_all("FAULTS", "every");
    }
}
