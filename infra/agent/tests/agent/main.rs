//! The real agent and the real Sail against a control plane that loses every second answer.
#![allow(clippy::print_stderr, reason = "a failing test shows the agent's log")]
#![allow(clippy::unwrap_used, reason = "a helper of a test may fail it")]

mod control_plane;
#[cfg(feature = "kubernetes")]
mod kubernetes;
mod packages;
mod workplace;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mainsheet_agent::{Agent, AgentConfig, Credentials, Environment, Execution, StartError};
use mainsheet_core::Clock;
use mainsheet_core::agent_protocol::{LeasedSource, LogSource, LogStream, ReportedEvent};
use mainsheet_core::job_run::{ResourceCleanupMode, RunStatus};
use serde_json::json;
use workplace::{Workplace, python, set_down, until};

const WALK: [ReportedEvent; 4] = [
    ReportedEvent::SailRequested,
    ReportedEvent::SailCreated,
    ReportedEvent::SailAnswered,
    ReportedEvent::RunnerStarted,
];

fn script(source: &str) -> LeasedSource {
    LeasedSource::Python {
        source: source.to_owned(),
        package_name: None,
        entry_point: None,
        parameters: Vec::new(),
        named_parameters: BTreeMap::new(),
    }
}

/// A script that leaves a line in `witness` each time it is executed, uses Sail, and waits for `seconds`.
fn witnessed(witness: &std::path::Path, seconds: f32) -> LeasedSource {
    script(&format!(
        "import time\n\
         open({witness:?}, 'a').write('executed\\n')\n\
         from pyspark.sql import SparkSession\n\
         for step in range(10):\n    print('step', step)\n    time.sleep({seconds} / 10)\n\
         print(SparkSession.builder.getOrCreate().range(10).count(), 'rows')\n"
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_gives_rows_parquet_and_a_log() {
    let place = Workplace::with_agent().await;
    let id = place.sql(
        "create table numbers (n bigint); insert into numbers select id from range(1000000); -- not; a; statement\n\
         select n, n * 2 as `twice;`, concat('row; ', cast(n as string)) as text, 9007199254740993 as big, \
         cast(1.5 as decimal(4,2)) as money, double('NaN') as nan, date'2026-11-21' as day, \
         timestamp'2026-11-21 08:30:00' as moment, X'00ff' as bytes, array(1, null) as list, map('a', 1) as map \
         from numbers order by n desc;",
    );
    let run = place.finished(&id).await;
    assert_eq!(run.status, RunStatus::Succeeded, "{:?}", run.last());
    assert_eq!(run.events()[..4], WALK);
    assert_eq!(run.events()[4..], [ReportedEvent::Succeed, ReportedEvent::Cleaned]);
    assert!(run.last().runner_execution_time_us.unwrap() > 0);

    let preview = run.preview.clone().unwrap();
    let types: Vec<&str> = preview.columns.iter().map(|column| column.data_type.as_str()).collect();
    assert_eq!(types[..5], ["bigint", "bigint", "string", "bigint", "decimal(4,2)"]);
    assert_eq!(types[5..], ["double", "date", "timestamp", "binary", "array<int>", "map<string,int>"]);
    assert_eq!((preview.rows.len(), preview.truncated), (100, true));
    let first = json!([
        999_999, 1_999_998, "row; 999999", "9007199254740993", "1.50", "NaN", "2026-11-21",
        "2026-11-21T08:30:00Z", "AP8=", [1, null], {"a": 1}
    ]);
    assert_eq!(json!(preview.rows[0]), first);

    let output = run.last().results.clone().unwrap().output_path;
    assert_eq!(output, format!("file://{}/output/jobs/a-job/runs/{id}/", place.data_dir().display()));
    let read = "import sys, urllib.request as u, pyarrow.parquet as p, pyarrow.compute as c\n\
                t = p.read_table(u.url2pathname(sys.argv[1][7:]))\n\
                print(t.num_rows, c.sum(t['n']), t['n'][0], t['n'][-1])";
    assert_eq!(python(read, &output), "1000000 499999500000 999999 0");
    let engine = run.lines(LogSource::Sail, LogStream::Stderr);
    assert!(engine.iter().any(|line| line.contains("Spark Connect server")), "{engine:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_objects_does_not_hide_what_the_engine_says() {
    let place = Workplace::with_agent().await;
    // The environment's Python is there once a run was.
    place.finished(&place.sql("select 1 as one")).await;
    let fail = "import sys\n\
                sys.path.insert(0, sys.argv[1])\n\
                import sql_job\n\
                def rows():\n    \
                    raise ValueError('the engine says why')\n    \
                    yield\n\
                try:\n    \
                    sql_job.write(rows(), 'mock:///results/of/acme/', None)\n\
                except ValueError as error:\n    \
                    print(error)\n";
    assert_eq!(python(fail, concat!(env!("CARGO_MANIFEST_DIR"), "/python")), "the engine says why");
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_without_rows_has_an_empty_preview() {
    let place = Workplace::with_agent().await;
    let statements = ["create table t (a int)", "select 1 as one where false", "show databases"];
    let runs = statements.map(|text| place.sql(text));
    for (id, columns) in runs.iter().zip([0, 1, 4]) {
        let run = place.finished(id).await;
        assert_eq!(run.status, RunStatus::Succeeded, "{:?}", run.last());
        let preview = run.preview.unwrap();
        assert_eq!(preview.columns.len(), columns);
        assert!(!preview.truncated);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wide_results_are_cut_to_what_a_preview_may_be() {
    let place = Workplace::with_agent().await;
    let id = place.sql("select repeat('ä', 2000) as a, repeat('b', 1000) as b, id from range(50)");
    let run = place.finished(&id).await;
    let preview = run.preview.unwrap();
    assert!(preview.truncated && !preview.rows.is_empty() && preview.rows.len() < 50);
    assert_eq!(preview.rows[0][0], json!("ä".repeat(1024)));
    assert_eq!(preview.rows[0][1], json!("b".repeat(1000)));
}

#[tokio::test(flavor = "multi_thread")]
async fn cluster_mode_is_sail_s_cluster_mode() {
    let place = Workplace::with_agent().await;
    let source = LeasedSource::Sql { text: "select sum(id) as total from range(1000)".to_owned() };
    let id = place.plane.add(source, |lease| {
        lease.engine.insert("executionMode".to_owned(), "cluster".to_owned());
    });
    let run = place.finished(&id).await;
    assert_eq!(run.preview.as_ref().unwrap().rows, [[json!(499_500)]], "{:?}", run.last());
    let engine = run.lines(LogSource::Sail, LogStream::Stderr);
    assert!(engine.iter().any(|line| line.contains("worker")), "{engine:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_statement_gives_the_engine_s_own_message() {
    let place = Workplace::with_agent().await;
    let id = place.sql("select 1; select * from nowhere; select 2");
    let run = place.finished(&id).await;
    assert_eq!(run.status, RunStatus::Failed);
    let message = run.last().message.clone().unwrap();
    assert!(message.contains("TABLE_OR_VIEW_NOT_FOUND") && message.contains("nowhere"), "{message}");
    assert!(!message.contains("Traceback"), "{message}");
    let errors = run.lines(LogSource::Runner, LogStream::Stderr);
    assert!(errors.iter().any(|line| line.contains("Traceback")), "{errors:?}");
    assert!(run.last().results.is_none() && run.preview.is_none());
    assert!(!place.data_dir().join("output/jobs/a-job/runs").join(id.as_str()).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn python_gets_its_parameters_and_a_clean_environment() {
    let place = Workplace::with_agent().await;
    let source = LeasedSource::Python {
        source: "import os, sys\n\
                 from pyspark.sql import SparkSession\n\
                 print(sys.argv[1:])\n\
                 for number in range(300): print('line', number)\n\
                 spark = SparkSession.builder.getOrCreate()\n\
                 spark.range(5).write.parquet(os.environ['MAINSHEET_OUTPUT_PATH'])\n\
                 print(sorted(name for name in os.environ if 'AGENT' in name or 'TOKEN' in name or 'RUST' in name))\n\
                 print('no line end', end='')\n"
            .to_owned(),
        package_name: None,
        entry_point: None,
        parameters: vec!["one".to_owned(), "two words".to_owned()],
        named_parameters: BTreeMap::from([("b".to_owned(), "2".to_owned()), ("a".to_owned(), String::new())]),
    };
    let id = place.plane.add(source, |_| {});
    let run = place.finished(&id).await;
    assert_eq!(run.status, RunStatus::Succeeded, "{:?} {:?}", run.last(), run.log);
    let output = run.lines(LogSource::Runner, LogStream::Stdout);
    assert_eq!(output[0], "['one', 'two words', '--a=', '--b=2']");
    let expected: Vec<String> = (0..300).map(|number| format!("line {number}")).collect();
    assert_eq!(output[1..301], expected);
    assert_eq!(output[301..], ["[]", "no line end"]);
    assert_eq!(run.preview.clone().unwrap().columns.len(), 0);
    let read = "import sys, pyarrow.parquet as p; print(p.read_table(sys.argv[1][7:]).num_rows)";
    assert_eq!(python(read, &run.last().results.clone().unwrap().output_path), "5");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_session_lasts_as_long_as_its_run() {
    let place = Workplace::with_agent().await;
    let told = script(
        "import json, os\n\
         with open(os.environ['MAINSHEET_RUN'] + '/sail.json') as file:\n    \
             sail = json.load(file)['process']['pid']\n\
         with open(f'/proc/{sail}/environ') as file:\n    \
             told = dict(line.split('=', 1) for line in file.read().split('\\0') if line)\n\
         print(told['SAIL_SPARK__SESSION_TIMEOUT_SECS'])\n",
    );
    for mode in ["standalone", "cluster"] {
        let id = place.plane.add(told.clone(), |lease| {
            lease.engine = BTreeMap::from([("executionMode".to_owned(), mode.to_owned())]);
        });
        let run = place.finished(&id).await;
        assert_eq!(run.status, RunStatus::Succeeded, "{:?} {:?}", run.last(), run.log);
        assert_eq!(run.lines(LogSource::Runner, LogStream::Stdout), ["31536000"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn python_from_a_file_and_its_failures() {
    let place = Workplace::with_agent().await;
    let file = place.folder.path().join("job.py");
    fs::write(&file, "raise ValueError('no such luck')").unwrap();
    let failures = [
        (format!("file://{}", file.display()), "exit status 1: ValueError: no such luck"),
        (format!("file://{}/nowhere.py", place.folder.path().display()), "No such file"),
        ("s3://bucket/job.py".to_owned(), "has no job role"),
        ("https://example.com/job.whl".to_owned(), "a wheel needs `packageName`"),
        ("import os; os.kill(os.getpid(), 9)".to_owned(), "SIGKILL"),
    ];
    let runs: Vec<_> = failures.iter().map(|(source, _)| place.plane.add(script(source), |_| {})).collect();
    for (id, (source, expected)) in runs.iter().zip(&failures) {
        let run = place.finished(id).await;
        assert_eq!(run.status, RunStatus::Failed);
        assert!(run.last().message.as_ref().unwrap().contains(expected), "{source}: {:?}", run.last());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_takes_too_long_is_ended() {
    let place = Workplace::with_agent().await;
    // It does not want to end, and leaves a child that has left its group.
    let source = "import signal, subprocess, time\n\
                  signal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
                  subprocess.Popen(['setsid', 'sleep', '1000'])\n\
                  time.sleep(1000)";
    let id = place.plane.add(script(source), |lease| lease.timeout_seconds = Some(3));
    let run = place.finished(&id).await;
    assert_eq!(run.status, RunStatus::Timeout);
    assert!(run.last().message.as_ref().unwrap().contains("3 s"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_ends_soon() {
    let place = Workplace::with_agent().await;
    place.plane.loses_answers.store(false, Ordering::SeqCst);
    let id = place.plane.add(script("print('here'); import time; time.sleep(1000)"), |_| {});
    place.reported(&id, ReportedEvent::RunnerStarted).await;
    let begun = Instant::now();
    place.plane.cancel(&id);
    let run = place.finished(&id).await;
    assert_eq!(run.status, RunStatus::Cancelled);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_somebody_else_s_is_dropped_without_a_word() {
    let place = Workplace::with_agent().await;
    let id = place.plane.add(script("import time; time.sleep(1000)"), |_| {});
    place.reported(&id, ReportedEvent::RunnerStarted).await;
    let said = place.plane.run(&id).reports.len();
    place.plane.give_to_somebody_else(&id);
    until("its directory goes", || place.run_directories().is_empty().then_some(())).await;
    place.all_is_well().await;
    assert_eq!(place.plane.run(&id).reports.len(), said);
    // And the agent goes on.
    let next = place.sql("select 1 as one");
    assert_eq!(place.finished(&next).await.status, RunStatus::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_whose_credentials_are_revoked_stops_all_work_and_ends() {
    let mut place = Workplace::with_agent().await;
    let id = place.plane.add(script("import time; time.sleep(1000)"), |_| {});
    place.reported(&id, ReportedEvent::RunnerStarted).await;
    place.plane.has_revoked.store(true, Ordering::SeqCst);
    // A heartbeat or a request for work finds out.
    assert!(!place.agent_ended().await);
    assert!(place.agent_log().contains("its cluster was retired"));
    place.all_is_well().await;
    assert!(place.run_directories().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn cleanup_modes_keep_what_they_say_and_kept_runs_are_not_taken_up_again() {
    let mut place = Workplace::with_agent().await;
    let run = |place: &Workplace, text: &str, mode| {
        let source = LeasedSource::Sql { text: text.to_owned() };
        place.plane.add(source, |lease| lease.resource_cleanup_mode = mode)
    };
    let kept = [
        run(&place, "select 1", ResourceCleanupMode::Never),
        run(&place, "select nothing", ResourceCleanupMode::OnSuccess),
    ];
    let removed = [
        run(&place, "select 1", ResourceCleanupMode::OnSuccess),
        run(&place, "select nothing", ResourceCleanupMode::Always),
    ];
    for id in &removed {
        let cleaned = || place.plane.run(id).cleaned.then_some(());
        until("it is cleaned up", cleaned).await;
    }
    for id in &kept {
        place.file(id, "kept").await;
        assert!(place.plane.run(id).ended() && !place.plane.run(id).cleaned);
    }
    until("two directories are left", || (place.run_directories().len() == 2).then_some(())).await;
    place.all_is_well().await;

    place.kill_agent();
    place.start_agent();
    let next = place.sql("select 1");
    until("the next run is cleaned up", || place.plane.run(&next).cleaned.then_some(())).await;
    place.all_is_well().await;
    for id in &kept {
        assert!(!place.plane.run(id).cleaned);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_or_a_sail_server_that_dies_fails_the_run() {
    let place = Workplace::with_agent().await;
    for (role, message) in [("runner", "without leaving an outcome"), ("sail", "the Sail server ended")] {
        let source = "import sys, time; print('last words', file=sys.stderr); time.sleep(1000)";
        let id = place.plane.add(script(source), |_| {});
        place.reported(&id, ReportedEvent::RunnerStarted).await;
        until("it speaks", || place.plane.run(&id).log.iter().find(|line| line.message == "last words").cloned()).await;
        for process in place.processes(Some(role)) {
            let _ = nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL);
        }
        let run = place.finished(&id).await;
        assert_eq!(run.status, RunStatus::Failed);
        let said = run.last().message.clone().unwrap();
        assert!(said.contains(message), "{said}");
        assert!(role == "sail" || said.contains("last words"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_output_is_cut() {
    let place = Workplace::with_agent().await;
    place.plane.loses_answers.store(false, Ordering::SeqCst);
    let id = place.plane.add(script("for n in range(5_000_000): print('a line of a flood')"), |_| {});
    let run = place.finished(&id).await;
    assert_eq!(run.status, RunStatus::Succeeded, "{:?}", run.last());
    assert_eq!(run.log.len(), 100_000);
    assert!(run.log.last().unwrap().message.contains("the rest is dropped"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_that_is_away_for_a_while_is_told_everything_later() {
    let place = Workplace::with_agent().await;
    let witness = place.folder.path().join("witness");
    let id = place.plane.add(witnessed(&witness, 1.0), |_| {});
    place.reported(&id, ReportedEvent::SailRequested).await;
    set_down(&place.plane, true);
    place.file(&id, "outcome.json").await;
    set_down(&place.plane, false);
    let begun = Instant::now();
    let run = place.finished(&id).await;
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    assert_eq!(run.status, RunStatus::Succeeded, "{:?}", run.last());
    assert_eq!(run.lines(LogSource::Runner, LogStream::Stdout).len(), 11);
}

/// Kills the agent when `moment` has come, starts it again, and checks that the run was executed once.
async fn killed_at(moment: impl AsyncFnOnce(&Workplace, &mainsheet_core::JobRunId)) {
    let mut place = Workplace::with_agent().await;
    let witness = place.folder.path().join("witness");
    let id = place.plane.add(witnessed(&witness, 2.0), |_| {});
    moment(&place, &id).await;
    place.kill_agent();
    set_down(&place.plane, false);
    place.start_agent();
    let run = place.finished(&id).await;
    assert_eq!(run.status, RunStatus::Succeeded, "{:?} {:?}", run.last(), run.log);
    assert_eq!(run.events()[..4], WALK);
    assert_eq!(run.events()[4..], [ReportedEvent::Succeed, ReportedEvent::Cleaned]);
    assert_eq!(fs::read_to_string(witness).unwrap(), "executed\n");
    let steps: Vec<String> = (0..10).map(|step| format!("step {step}")).chain(["10 rows".to_owned()]).collect();
    assert_eq!(run.lines(LogSource::Runner, LogStream::Stdout), steps);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_lease() {
    killed_at(async |place, id| place.file(id, "run.json").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_sail_starts() {
    killed_at(async |place, id| {
        let spawned = || (!place.processes(Some("sail")).is_empty()).then_some(());
        until("Sail is started", spawned).await;
        assert!(!place.plane.run(id).events().contains(&ReportedEvent::SailAnswered));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_runner_starts() {
    killed_at(async |place, _| {
        let spawned = || (!place.processes(Some("runner")).is_empty()).then_some(());
        until("the runner is started", spawned).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_code_runs() {
    killed_at(async |place, id| place.reported(id, ReportedEvent::RunnerStarted).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_outcome() {
    killed_at(async |place, id| {
        place.reported(id, ReportedEvent::RunnerStarted).await;
        set_down(&place.plane, true);
        place.file(id, "outcome.json").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again() {
    let mut place = Workplace::with_agent().await;
    let witness = place.folder.path().join("witness");
    let id = place.plane.add(witnessed(&witness, 3.0), |lease| lease.timeout_seconds = None);
    let mut kills = 0;
    while !(place.plane.run(&id).cleaned && place.run_directories().is_empty()) {
        // Not a wait for anything: the moments differ from time to time on purpose. Lives grow, so that on any machine one is long enough.
        tokio::time::sleep(Duration::from_millis(150 + 130 * (kills % 10) + 10 * kills)).await;
        place.kill_agent();
        place.start_agent();
        kills += 1;
        assert!(kills < 500);
    }
    let run = place.finished(&id).await;
    assert_eq!(run.status, RunStatus::Succeeded, "{:?} {:?}", run.last(), run.log);
    assert_eq!(fs::read_to_string(witness).unwrap(), "executed\n");
    assert_eq!(run.lines(LogSource::Runner, LogStream::Stdout).len(), 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_a_timeout_and_its_report() {
    let mut place = Workplace::with_agent().await;
    let id = place.plane.add(script("import time; time.sleep(1000)"), |lease| lease.timeout_seconds = Some(3));
    place.file(&id, "run.json").await;
    set_down(&place.plane, true);
    place.file(&id, "stop.json").await;
    place.kill_agent();
    set_down(&place.plane, false);
    place.start_agent();
    assert_eq!(place.finished(&id).await.status, RunStatus::Timeout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_directory_keeps_no_other_run_from_being_executed() {
    let mut place = Workplace::new().await;
    let runs = place.data_dir().join("runs");
    let damaged = runs.join("DAMAGED-1").join("run.json");
    fs::create_dir_all(damaged.parent().unwrap()).unwrap();
    fs::write(&damaged, "{\"lease\": ").unwrap();
    fs::write(runs.join("notes"), "somebody's").unwrap();
    place.start_agent();
    let id = place.sql("SELECT 1 AS one");
    let run = until("the run ends", || Some(place.plane.run(&id)).filter(|run| run.ended() && run.cleaned)).await;
    assert_eq!(run.status, RunStatus::Succeeded, "{:?} {:?}", run.last(), run.log);
    assert!(damaged.exists() && runs.join("notes").exists(), "they are left for people to look at");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminated_agent_leaves_its_runs_alone_and_finds_them_again() {
    let mut place = Workplace::with_agent().await;
    let witness = place.folder.path().join("witness");
    let id = place.plane.add(witnessed(&witness, 3.0), |_| {});
    place.reported(&id, ReportedEvent::RunnerStarted).await;
    place.terminate_agent();
    assert!(place.agent_ended().await);
    assert!(!place.processes(Some("runner")).is_empty());
    place.start_agent();
    let run = place.finished(&id).await;
    assert_eq!(run.status, RunStatus::Succeeded, "{:?}", run.last());
    assert_eq!(fs::read_to_string(witness).unwrap(), "executed\n");
    assert!(place.plane.registrations() >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_agents_share_an_environment_and_can_be_stopped_and_started() {
    let environment = Environment::new(workplace::environment_dir(), "python3");
    let places = [Workplace::new().await, Workplace::new().await];
    let start = |place: &Workplace| {
        Agent::start(AgentConfig {
            api_url: place.plane.url.clone(),
            credentials: Credentials::new(place.plane.agent_id.clone(), "0123456789abcdef".into()),
            data_dir: place.data_dir(),
            output_base: Some(format!("file://{}/elsewhere", place.folder.path().display())),
            capacity: Some(1),
            execution: Execution::Process(Arc::clone(&environment)),
            clock: Clock::system(),
        })
    };
    let mut ids = Vec::new();
    for place in &places {
        place.plane.loses_answers.store(false, Ordering::SeqCst);
        let agent = start(place).unwrap();
        assert!(matches!(start(place), Err(StartError::InUse(_))));
        assert!(agent.heartbeat_now().await);
        let id = place.plane.add(witnessed(&place.folder.path().join("witness"), 2.0), |_| {});
        place.reported(&id, ReportedEvent::RunnerStarted).await;
        agent.shutdown().await;
        assert!(!place.processes(Some("runner")).is_empty());
        ids.push(id);
    }
    for (place, id) in places.iter().zip(&ids) {
        let agent = start(place).unwrap();
        let run = place.finished(id).await;
        assert_eq!(run.status, RunStatus::Succeeded, "{:?}", run.last());
        assert!(run.last().results.clone().unwrap().output_path.contains("/elsewhere/jobs/a-job/runs/"));
        assert_eq!(fs::read_to_string(place.folder.path().join("witness")).unwrap(), "executed\n");
        agent.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_attempt_has_a_place_of_its_own() {
    let place = Workplace::with_agent().await;
    let source = LeasedSource::Sql { text: "select 1 as one".to_owned() };
    let id = place.plane.add(source, |lease| lease.run.attempt = 2);
    let run = place.finished(&id).await;
    let output = run.last().results.clone().unwrap().output_path;
    assert!(output.ends_with(&format!("/runs/{id}-attempt-2/")), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_said_so() {
    let place = Workplace::new().await;
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_mainsheet-agent"))
        .args(["--url", &place.plane.url, "--registration-token", "another", "--data-dir"])
        .arg(place.data_dir())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("registration token is not valid"), "{said}");
}
