//! The README's quickstart, run as it stands there.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::harness::Platform;

/// The shell blocks of a section of the README, one after another.
fn blocks(section: &str) -> String {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap();
    let section = readme.split(&format!("\n## {section}\n")).nth(1).unwrap().split("\n## ").next().unwrap().to_owned();
    section.split("```sh\n").skip(1).filter_map(|block| block.split("```").next()).collect()
}

#[tokio::test]
async fn the_quickstart_of_the_readme_yields_the_rows_that_it_promises() {
    let platform = Platform::start(&[]).await;
    let script = format!("set -eu\n{}", blocks("Quickstart"));
    let mut shell = Command::new("bash");
    shell.arg("-c").arg(script).env("MAINSHEET", platform.url());
    let output = tokio::task::spawn_blocking(move || shell.output().unwrap()).await.unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(printed.contains("succeeded"), "{printed}");
    assert!(printed.contains(r#""rows":[["north",15],["south",32]]"#), "{printed}");
    let folder = printed.lines().last().unwrap().strip_prefix("file://").unwrap();
    let is_parquet = |path: &Path| path.extension().is_some_and(|extension| extension == "parquet");
    assert!(fs::read_dir(folder).unwrap().flatten().any(|entry| is_parquet(&entry.path())), "{folder}");
}
