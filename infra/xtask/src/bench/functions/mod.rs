//! `cargo xtask bench-functions`: the Lambda function `workloads` as it is deployed, beside the same two endpoints written in Go,
//! Node and Python. `tests/bench/run` builds all of them and runs this; `infra/docs/performance.md` has the figures.
//!
//! Each is a package: a folder with a program `bootstrap`, which is started as Lambda starts it, against a simulator of the
//! runtime's API and one table behind TLS.

mod alike;
mod estate;
mod instructions;
mod report;
mod rounds;
mod sandbox;
mod table_front;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::RangedU64ValueParser;
use estate::Estate;
use table_front::TableFront;

/// What is measured, and how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The folder of the packages, with `tls` for the table's certificate
    #[arg(long)]
    packages: PathBuf,
    /// Which packages; several with commas between them
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["rust", "go", "node", "python"])]
    only: Vec<Package>,
    /// Rounds; in each every package is started anew
    #[arg(long, default_value_t = 9, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    rounds: usize,
    /// Requests of each endpoint in a round, after half as many that do not count
    #[arg(long, default_value_t = 400, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    requests: usize,
    /// Count the instructions of the Rust package instead, and compare them with those in `tests/bench/instructions.json`
    #[arg(long)]
    instructions: bool,
    /// Store the instructions that were counted
    #[arg(long, requires = "instructions")]
    store: bool,
}

/// Who answers the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Package {
    Rust,
    Go,
    Node,
    Python,
}

impl Package {
    fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Go => "go",
            Self::Node => "node",
            Self::Python => "python",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Rust => "Mainsheet (Rust)",
            Self::Go => "Go",
            Self::Node => "Node",
            Self::Python => "Python",
        }
    }
}

/// Measures and prints; fails when a bar is missed.
pub(crate) async fn run(options: Options) -> ExitCode {
    // The runtime's API and the table do not wait for each other.
    let on_two_threads = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(Box::pin(compare(&options)))
    };
    tokio::task::spawn_blocking(on_two_threads).await.unwrap()
}

async fn compare(options: &Options) -> ExitCode {
    let folder = options.packages.canonicalize().expect("the packages: `tests/bench/run` builds them");
    let mut estate = Estate::found().await;
    let direct = TableFront::start(&folder, estate.app.table().endpoint()).await;
    if options.instructions {
        return instructions::count(&estate, &direct, options).await;
    }
    // Behind the proxy that counts calls; it would be what takes the time.
    let counted = TableFront::start(&folder, estate.app.table().proxied_endpoint()).await;
    for package in &options.only {
        alike::check(*package, &estate, &counted).await;
    }
    let rounds = rounds::measure(options, &mut estate, &direct).await;
    estate.app.deliver().await;
    report::print(&rounds, |package| zipped(&folder, package))
}

/// The bytes of a package as it is uploaded.
fn zipped(folder: &Path, package: Package) -> u64 {
    std::fs::metadata(folder.join(format!("{}.zip", package.name()))).unwrap().len()
}
