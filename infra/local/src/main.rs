//! The embedded platform: all of Mainsheet in one process, for one machine. `cargo run` starts it.

mod agents;
mod clock;
mod cloud;
mod control;
mod data_dir;
mod docs;
mod executions;
mod keys;
mod local_table;
mod mailbox;
mod outbox;
mod pages;
mod platform;
mod queues;
mod settings;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use settings::Settings;

/// What is logged unless `RUST_LOG` says otherwise. The embedded table warns of each condition that does not hold, which is
/// how conditional writes find out.
const DEFAULT_LOG: &str = "info,dynoxide=error";

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_LOG));
    let ansi = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(ansi)
        .with_writer(std::io::stderr)
        .init();
    match platform::run(Settings::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}
