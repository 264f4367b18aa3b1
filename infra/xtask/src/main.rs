//! Chores of the repository: `cargo xtask <chore>`.
#![allow(clippy::print_stdout, reason = "it is read in a terminal")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a chore that cannot go on has failed")]

mod bench;
mod costs;
mod gateway_proxy;
mod load;
mod platform;
mod schedule_oracle;
mod statistics;
mod stop;
mod table_proxy;
mod verify_audit;

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use mainsheet_testkit::TestApp;

/// Chores of the repository
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Write infra/openapi/openapi.json as the routers describe themselves
    Openapi,
    /// Write infra/workflows/*.asl.json as shared/workflow says
    Asl,
    /// Check an exported audit log, offline: infra/docs/audit.md
    VerifyAudit(verify_audit::Options),
    /// Compare when schedules are due with what `cronsim` says: infra/docs/schedules.md
    ScheduleOracle(schedule_oracle::Options),
    /// Stand in front of a table, refuse what the design forbids and shake the rest: infra/docs/reliability.md
    TableProxy(table_proxy::Options),
    /// Stand in front of a deployed API as AWS's gateway does: infra/docs/reliability.md
    GatewayProxy(gateway_proxy::Options),
    /// Print what a deployment costs a month: infra/docs/operations.md
    Costs,
    /// Measure what requests cost, beside what they stand on
    Bench(bench::Options),
    /// Send a minute of requests at the highest rate that the embedded platform sustains: infra/docs/reliability.md
    Load(load::Options),
    /// Measure a Lambda function beside the same in other languages: tests/bench/run builds them
    BenchFunctions(bench::functions::Options),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::process::ExitCode {
    match Arguments::parse().chore {
        Chore::Openapi => {
            write_openapi(&TestApp::start().await);
            std::process::ExitCode::SUCCESS
        }
        Chore::Asl => {
            write_state_machines();
            std::process::ExitCode::SUCCESS
        }
        Chore::VerifyAudit(options) => verify_audit::run(&options),
        Chore::ScheduleOracle(options) => schedule_oracle::run(&options),
        Chore::TableProxy(options) => table_proxy::run(options).await,
        Chore::GatewayProxy(options) => gateway_proxy::run(options).await,
        Chore::Costs => {
            costs::run();
            std::process::ExitCode::SUCCESS
        }
        Chore::Bench(options) => Box::pin(bench::run(&options)).await,
        Chore::Load(options) => Box::pin(load::run(&options)).await,
        Chore::BenchFunctions(options) => Box::pin(bench::functions::run(options)).await,
    }
}

fn write_openapi(app: &TestApp) {
    let path = root().join("infra/openapi/openapi.json");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, app.openapi_json()).unwrap();
    println!("{} paths in infra/openapi/openapi.json", app.document().paths.paths.len());
}

/// Files of workflows that are no more go.
fn write_state_machines() {
    let folder = root().join("infra/workflows");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let files = mainsheet_workflow::asl::files();
    for (name, text) in &files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    println!("{} state machines in infra/workflows", files.len());
}

/// The repository's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}
