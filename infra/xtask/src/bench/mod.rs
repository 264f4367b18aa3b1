//! What requests cost. Both sides of a ratio are measured in one process, in rounds that alternate, so that whatever else the
//! machine does meets both. No network, no timed pass in CI: a bar that is missed is printed and makes the chore fail.

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
    /// Leave out the platform's program, which has to be built for release first
    #[arg(long)]
    without_platform: bool,
}

/// Measures and prints; fails when a bar is missed.
pub(crate) async fn run(options: &Options) -> ExitCode {
    if cfg!(debug_assertions) {
        return optimised();
    }
    round_trips::print();
    let mut lines = overhead::measure(options).await;
    lines.extend(Box::pin(polling::measure(options)).await);
    lines.extend(Box::pin(list::measure(options)).await);
    lines.extend(sign_in::measure().await);
    lines.extend(Box::pin(ticks::measure(options)).await);
    if !options.without_platform {
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
