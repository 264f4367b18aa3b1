//! Round trips of every route: the reviewed record that a test keeps true.

const RECORD: &str = "tests/src/gates/snapshots/mainsheet_tests__gates__round_trips__round_trips.snap";

/// Prints the record.
pub(super) fn print() {
    let text = std::fs::read_to_string(crate::root().join(RECORD)).unwrap();
    let record = text.splitn(3, "---\n").nth(2).unwrap_or_default();
    println!("Round trips to the table, by route:\n\n{}", record.trim_end());
}
