//! The README's quickstart and the walk through the night in which the hour repeats, run as they stand there.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::harness::Platform;

/// The shell blocks of a section of a page, one after another.
fn blocks(page: &str, section: &str) -> String {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(page)).unwrap();
    let section = page.split(&format!("\n## {section}\n")).nth(1).unwrap().split("\n## ").next().unwrap().to_owned();
    section.split("```sh\n").skip(1).filter_map(|block| block.split("```").next()).collect()
}

#[tokio::test]
async fn the_quickstart_yields_the_rows_that_it_promises_and_the_walk_explains_every_night() {
    let platform = Platform::start(&[]).await;
    let walk = blocks("infra/docs/schedules.md", "A walk through the night in which the hour repeats");
    let script = format!("set -eu\n{}echo THE WALK\n{walk}", blocks("README.md", "Quickstart"));
    let mut shell = Command::new("bash");
    shell.arg("-c").arg(script).env("MAINSHEET", platform.url()).current_dir(platform.folder());
    let output = tokio::task::spawn_blocking(move || shell.output().unwrap()).await.unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    let (quickstart, walk) = printed.split_once("THE WALK\n").unwrap();
    assert!(quickstart.contains("succeeded"), "{quickstart}");
    assert!(quickstart.contains(r#""rows":[["north",15],["south",32]]"#), "{quickstart}");
    let folder = quickstart.lines().last().unwrap().strip_prefix("file://").unwrap();
    let is_parquet = |path: &Path| path.extension().is_some_and(|extension| extension == "parquet");
    assert!(fs::read_dir(folder).unwrap().flatten().any(|entry| is_parquet(&entry.path())), "{folder}");

    assert_eq!(walk.matches(" ran due overlap\n").count(), 1, "one run where the hour repeats: {walk}");
    assert_eq!(walk.matches(" x 1 ran caught_up ").count(), 2, "the newest night before: {walk}");
    assert_eq!(walk.matches(" missed overtaken ").count(), 2, "all other nights: {walk}");
    assert_eq!(walk.matches(" skipped run_not_ended overlap\n").count(), 1, "the report: {walk}");
    let blockers = walk.lines().last().unwrap();
    assert!(blockers.contains(r#""type":"dependency""#) && blockers.contains("monthly-close"), "{blockers}");
}
