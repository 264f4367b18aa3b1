//! What becomes of the control plane when the table fails: at each call of each operation and worker, in each way. Afterwards the
//! table has to be what it is when nothing fails, once whoever asked has asked again.
//!
//! A plain test run tries what differs most; `MAINSHEET_FAULTS=all cargo test --workspace --all-features --lib faults` tries everything.

mod first_proofs;
mod operations;
mod outcome;
mod stage;
mod workers;

use mainsheet_testkit::{Fault, Lasting, environment};

/// What writes.
const WRITE: &str = "TransactWriteItems";
/// What can go wrong with a call of a queue, of workflows or of the mailer: it does not arrive, or its answer does not.
const PORT_FAULTS: [Fault; 2] = [Fault::RequestLost, Fault::AnswerLost];

/// Says how many faults were tried, to whoever asks with `--nocapture`.
#[allow(clippy::print_stdout, reason = "a figure of a test")]
fn report(what: &str, count: usize) {
    println!("{what}: {count} faults");
    assert!(count > 0, "{what}: nothing was tried");
}

/// The faults to try at a call of the table.
fn tried(operation: &str) -> Vec<(Fault, Lasting)> {
    let writes = operation == WRITE;
    if !environment::wants_all("MAINSHEET_FAULTS") {
        let tried = if writes { &[Fault::RequestLost, Fault::AnswerLost][..] } else { &[Fault::Throttled][..] };
        return tried.iter().map(|fault| (*fault, Lasting::ForTheCall)).collect();
    }
    // A read has no effect to come too late.
    let faults = Fault::ALL.into_iter().filter(|fault| writes || !fault.takes_effect());
    faults.flat_map(|fault| [(fault, Lasting::Once), (fault, Lasting::ForTheCall)]).collect()
}
