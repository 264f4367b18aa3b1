//! Wheels, libraries and environment variables, with the real pip and the real engine, and without a network.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mainsheet_core::agent_protocol::{LeasedSource, LogSource, LogStream};
use mainsheet_core::job::{Library, Requirements};
use mainsheet_core::job_run::RunStatus;
use rstest::rstest;

use crate::workplace::{Workplace, environment_dir};

/// Makes a wheel: files by path, and its entry points.
fn wheel(folder: &Path, package: &str, module: &str, entry_points: &str) -> PathBuf {
    let make = "import sys, zipfile\n\
                path, package, module, entry_points = sys.argv[1:]\n\
                info = f'{package}-1.0.dist-info'\n\
                with zipfile.ZipFile(path, 'w') as archive:\n    \
                    archive.writestr(f'{package}/__init__.py', module)\n    \
                    archive.writestr(f'{info}/METADATA', f'Metadata-Version: 2.1\\nName: {package}\\nVersion: 1.0\\n')\n    \
                    archive.writestr(f'{info}/WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n    \
                    archive.writestr(f'{info}/entry_points.txt', entry_points)\n    \
                    archive.writestr(f'{info}/RECORD', '')\n";
    let path = folder.join(format!("{package}-1.0-py3-none-any.whl"));
    let made = Command::new("python3").args(["-c", make]).arg(&path).args([package, module, entry_points]).output();
    let made = made.unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    path
}

fn call(wheel: &Path, package: &str, entry_point: &str) -> LeasedSource {
    LeasedSource::Python {
        source: format!("file://{}", wheel.display()),
        package_name: Some(package.to_owned()),
        entry_point: Some(entry_point.to_owned()),
        parameters: vec!["one".to_owned()],
        named_parameters: BTreeMap::from([("day".to_owned(), "2026-11-21".to_owned())]),
    }
}

fn script(source: &str) -> LeasedSource {
    LeasedSource::Python {
        source: source.to_owned(),
        package_name: None,
        entry_point: None,
        parameters: Vec::new(),
        named_parameters: BTreeMap::new(),
    }
}

fn whl(path: &Path) -> Library {
    Library { pypi: None, requirements: None, whl: Some(format!("file://{}", path.display())) }
}

const MODULE: &str = "import os, sys\n\
                      def double(number):\n    return number * 2\n\
                      def start():\n    \
                          from pyspark.sql import SparkSession\n    \
                          from pyspark.sql.functions import udf\n    \
                          spark = SparkSession.builder.getOrCreate()\n    \
                          twice = udf(double, 'bigint')\n    \
                          rows = spark.range(3).select(twice('id').alias('id')).collect()\n    \
                          print(sys.argv, sorted(row.id for row in rows), os.environ.get('REGION'))\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_wheel_s_entry_point_and_its_functions_run_in_the_engine() {
    let place = Workplace::with_agent().await;
    let path = wheel(place.folder.path(), "nightly", MODULE, "[console_scripts]\nnightly-load = nightly:start\n");
    for name in ["nightly-load", "start"] {
        let id = place.plane.add(call(&path, "nightly", name), |lease| {
            lease.environment.insert("REGION".to_owned(), "eu central".to_owned());
        });
        let run = place.finished(&id).await;
        assert_eq!(run.status, RunStatus::Succeeded, "{:?} {:?}", run.last(), run.log);
        let said = run.lines(LogSource::Runner, LogStream::Stdout);
        let expected = format!("['{name}', 'one', '--day=2026-11-21'] [0, 2, 4] eu central");
        assert!(said.contains(&expected.as_str()), "{said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn libraries_are_installed_once_and_found_by_every_run_that_names_them() {
    let place = Workplace::with_agent().await;
    // Unlike any other test run's, so that it is new.
    let word = format!("'{}'", place.folder.path().display());
    let path = wheel(place.folder.path(), "helper", &format!("WORD = {word}\n"), "");
    let is_ready = |entry: &std::io::Result<fs::DirEntry>| entry.as_ref().unwrap().path().join("ready").exists();
    let layers = || fs::read_dir(environment_dir().join("layers")).map_or(0, |found| found.filter(is_ready).count());
    let mut counts = vec![layers()];
    for _ in 0..2 {
        let id = place.plane.add(script("import helper, numpy; print(helper.WORD)"), |lease| {
            let requirements = Requirements { source: Some("numpy\n".to_owned()), uri: None };
            lease.libraries = vec![whl(&path), Library { pypi: None, requirements: Some(requirements), whl: None }];
        });
        let run = place.finished(&id).await;
        assert_eq!(run.status, RunStatus::Succeeded, "{:?} {:?}", run.last(), run.log);
        assert_eq!(run.lines(LogSource::Runner, LogStream::Stdout).last().unwrap(), &word.trim_matches('\''));
        counts.push(layers());
    }
    assert!(counts[1] > counts[0], "{counts:?}");
    // The environment itself is as it was.
    let id = place.plane.add(script("import helper"), |_| {});
    let run = place.finished(&id).await;
    assert!(run.last().message.as_ref().unwrap().contains("No module named 'helper'"), "{:?}", run.last());
}

#[rstest]
#[case::no_entry_point("good", "nowhere", None, "neither an entry point nor a function nowhere; its entry points: go")]
#[case::no_package("other", "go", None, "the wheel has no package other")]
#[case::raises("good", "go", None, "ValueError: no such luck")]
#[case::unknown_package("good", "go", Some("--no-index\nsurely-nobody-has-this==1.0"), "surely-nobody-has-this")]
#[case::against_the_engine("good", "go", Some("--no-index\npandas==1.0.0"), "pandas==1.0.0")]
#[tokio::test(flavor = "multi_thread")]
async fn a_wheel_that_cannot_be_executed_says_why(
    #[case] package: &str,
    #[case] entry_point: &str,
    #[case] requirements: Option<&str>,
    #[case] expected: &str,
) {
    let place = Workplace::with_agent().await;
    let module = "def go():\n    raise ValueError('no such luck')\n";
    let path = wheel(place.folder.path(), "good", module, "[console_scripts]\ngo = good:go\n");
    let id = place.plane.add(call(&path, package, entry_point), |lease| {
        lease.libraries.extend(requirements.map(|text| {
            let requirements = Requirements { source: Some(text.to_owned()), uri: None };
            Library { pypi: None, requirements: Some(requirements), whl: None }
        }));
    });
    let run = place.finished(&id).await;
    assert_eq!(run.status, RunStatus::Failed);
    assert!(run.last().message.as_ref().unwrap().contains(expected), "{:?}", run.last());
    assert!(!run.lines(LogSource::Runner, LogStream::Stderr).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_wheel_is_refused_by_pip_in_its_own_words() {
    let place = Workplace::with_agent().await;
    let path = place.folder.path().join("bad-1.0-py3-none-any.whl");
    fs::write(&path, "this is no archive").unwrap();
    let id = place.plane.add(call(&path, "bad", "go"), |_| {});
    let run = place.finished(&id).await;
    assert_eq!(run.status, RunStatus::Failed);
    let message = run.last().message.clone().unwrap();
    assert!(message.contains("the packages cannot be installed") && message.contains("bad-1.0"), "{message}");
    let log = run.lines(LogSource::Runner, LogStream::Stderr).join("\n");
    assert!(log.contains("bad-1.0"), "{log}");
}
