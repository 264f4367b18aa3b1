//! What requests cost. Both sides of a ratio are measured in one process, in rounds that alternate, so that whatever else the
//! machine does meets both. No network, no timed pass in CI: a bar that is missed is printed and makes the chore fail.

mod calls;
pub(crate) mod functions;
mod idle;
mod list;
mod overhead;
mod polling;
mod round_trips;
mod sign_in;
mod table;
mod ticks;
mod timing;

use std::process::ExitCode;

use table::Line;

/// What to measure, and how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Rounds of each measurement
    #[arg(long, default_value_t = 11)]
    rounds: usize,
    /// Requests of each side in a round
    #[arg(long, default_value_t = 300)]
    requests: usize,
    /// Jobs in the long list
    #[arg(long, default_value_t = 100_000)]
    jobs: usize,
    /// What to measure; several with commas between them [default: all of it]
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Subject>,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Subject {
    /// Calls of the table, counted.
    Calls,
    /// A request beside the reads that it stands on.
    Overhead,
    /// Agents that ask for work.
    Polling,
    /// Pages of short and long lists.
    Lists,
    /// Signing in with a known and an unknown address.
    SignIn,
    /// Ticks of many jobs.
    Ticks,
    /// The platform's program, which is built for release first.
    Platform,
}

impl Options {
    fn wants(&self, subject: Subject) -> bool {
        self.only.is_empty() || self.only.contains(&subject)
    }
}

/// Measures and prints; fails when a bar is missed.
pub(crate) async fn run(options: &Options) -> ExitCode {
    if cfg!(debug_assertions) {
        return optimised();
    }
    let mut lines = Vec::new();
    if options.only.is_empty() {
        round_trips::print();
    }
    if options.wants(Subject::Calls) {
        lines.extend(Box::pin(calls::measure()).await);
    }
    if options.wants(Subject::Overhead) {
        lines.extend(overhead::measure(options).await);
    }
    if options.wants(Subject::Polling) {
        lines.extend(Box::pin(polling::measure(options)).await);
    }
    if options.wants(Subject::Lists) {
        lines.extend(Box::pin(list::measure(options)).await);
    }
    if options.wants(Subject::SignIn) {
        lines.extend(sign_in::measure().await);
    }
    if options.wants(Subject::Ticks) {
        lines.extend(Box::pin(ticks::measure(options)).await);
    }
    if options.wants(Subject::Platform) {
        lines.extend(idle::measure(options));
    }
    table::print(&lines);
    if lines.iter().all(Line::passes) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What an unoptimised build takes says nothing: the same again with one that is released.
fn optimised() -> ExitCode {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut bench = std::process::Command::new(cargo);
    bench.args(["run", "--release", "--quiet", "--package", "mainsheet-xtask", "--"]).args(std::env::args().skip(1));
    if bench.status().unwrap().success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Says what is measured now: some parts take minutes.
#[allow(clippy::print_stderr, reason = "the results alone go to standard output")]
fn progress(text: &str) {
    eprintln!("{text}");
}
