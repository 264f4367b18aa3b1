//! The proxy in front of the table as a process: what a platform or functions in an emulated AWS ask goes by way of it.

use std::process::ExitCode;

use mainsheet_testkit::{TableProxy, Upstream};

use crate::stop::Stop;

/// Which table, and where it is reached.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where the table answers, such as http://127.0.0.1:8000; it may start later
    #[arg(long)]
    upstream: String,
    /// The port of 127.0.0.1 to listen on; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Where the table checks signatures, an access key whose are not checked: calls that were changed are sent in its name
    /// [default: each caller's]
    #[arg(long)]
    access_key: Option<String>,
}

/// Prints where it listens, and goes on until it is told to stop. Fails when a call broke a rule of the design, and when there was none:
/// then nothing was shaken or judged.
#[allow(clippy::print_stderr, reason = "the address alone goes to standard output")]
pub(crate) async fn run(options: Options) -> ExitCode {
    let stop = Stop::listen();
    let mut upstream = Upstream::at(options.upstream);
    if let Some(access_key) = options.access_key {
        upstream = upstream.in_the_name_of(access_key);
    }
    let proxy = TableProxy::start(upstream, options.port);
    println!("{}", proxy.address());
    stop.told().await;
    if !proxy.was_asked() {
        eprintln!("no call came by: the table was asked by another way");
        return ExitCode::FAILURE;
    }
    if proxy.breaches().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
