//! How many instructions the function takes, as `valgrind` counts them: the same on a busy machine as on an idle one.

use std::path::Path;
use std::process::{Command, ExitCode};

use axum::body::Bytes;
use serde::{Deserialize, Serialize};

use super::estate::{Estate, LIST, event};
use super::sandbox::Sandbox;
use super::table_front::TableFront;
use super::{Options, Package};
use crate::bench::progress;

/// Requests of each endpoint that belong to a start: what is made once has been made after them.
const FIRST: usize = 10;
/// Requests that are counted.
const COUNTED: u64 = 100;
/// A figure may be so much above the stored one.
const BAR: f64 = 1.1;

/// What was counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Instructions {
    /// The compiler that the program was built with.
    rustc: String,
    /// From the start to the answers of the first requests.
    start: u64,
    /// A `GET /workloads/jobs/{job}` more.
    get_job: u64,
    /// A `GET /workloads/jobs` more.
    list_jobs: u64,
}

/// Counts and compares; fails when more than [`BAR`] allows is taken, or when the stored figures are another compiler's.
pub(super) async fn count(estate: &Estate, table: &TableFront, options: &Options) -> ExitCode {
    let token = Some(estate.owner.access_token.as_str());
    let (job, list) = (event(&estate.job, token), event(LIST, token));
    let first: Vec<Bytes> = [&job, &list].into_iter().flat_map(|event| vec![event.clone(); FIRST]).collect();
    let start = counted(table, &first, None).await;
    let more = async |event: &Bytes| (counted(table, &first, Some(event)).await.saturating_sub(start)) / COUNTED;
    let found = Instructions { rustc: rustc(), start, get_job: more(&job).await, list_jobs: more(&list).await };
    let file = crate::root().join("tests/bench/instructions.json");
    if options.store {
        std::fs::write(&file, format!("{}\n", serde_json::to_string_pretty(&found).unwrap())).unwrap();
    }
    compare(&found, &stored(&file))
}

fn compare(found: &Instructions, stored: &Instructions) -> ExitCode {
    if found.rustc != stored.rustc {
        println!("The stored figures are of {}, these of {}: store them with `--store`.", stored.rustc, found.rustc);
    }
    println!("\n| Instructions | Counted | Stored | Ratio | Bar |\n|---|---|---|---|---|");
    let mut kept = found.rustc == stored.rustc;
    for (name, found, stored) in [
        ("start and the first 20 requests", found.start, stored.start),
        ("`GET /workloads/jobs/{job}`", found.get_job, stored.get_job),
        ("`GET /workloads/jobs?limit=20`", found.list_jobs, stored.list_jobs),
    ] {
        let ratio = found as f64 / stored as f64;
        let verdict = if ratio <= BAR { format!("{ratio:.3}") } else { format!("**{ratio:.3}, missed**") };
        println!("| {name} | {found} | {stored} | {verdict} | {BAR} |");
        kept &= ratio <= BAR;
    }
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The instructions of a process that answers these events, and then [`COUNTED`] more of one kind.
async fn counted(table: &TableFront, first: &[Bytes], more: Option<&Bytes>) -> u64 {
    let log = table.packages.join("callgrind.log");
    let options = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"].map(str::to_owned);
    let wrapper: Vec<String> = options.into_iter().chain([format!("--log-file={}", log.display())]).collect();
    let mut sandbox = Sandbox::start(Package::Rust, table, &wrapper).await;
    let more = std::iter::repeat_n(more, COUNTED as usize).flatten();
    for event in first.iter().chain(more) {
        let _ = sandbox.invoke(event.clone()).await.succeeded();
    }
    sandbox.end();
    progress("counted one process");
    collected(&log)
}

fn collected(log: &Path) -> u64 {
    let text = std::fs::read_to_string(log).unwrap();
    let figure = text.lines().find_map(|line| line.split_once("Collected : ")).map(|(_, figure)| figure.trim().parse());
    figure.unwrap_or_else(|| panic!("valgrind counted nothing: {text}")).unwrap()
}

fn stored(file: &Path) -> Instructions {
    serde_json::from_slice(&std::fs::read(file).expect("stored figures: `--store` makes them")).unwrap()
}

fn rustc() -> String {
    let version = Command::new("rustc").arg("--version").current_dir(crate::root()).output().unwrap();
    String::from_utf8(version.stdout).unwrap().trim().to_owned()
}
