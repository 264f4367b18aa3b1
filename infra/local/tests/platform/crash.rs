//! `kill -9` of the platform at every step of a run, before and after the write by which it leaves the step, and of an agent by itself:
//! afterwards no run is lost, doubled or stuck.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mainsheet_testkit::{Fault, Pause, TableCall, Verdict};
use nix::sys::signal::Signal;
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::harness::{Owner, Platform, client, eventually, in_time, spark_environment, text};

/// The credentials of a built-in agent.
const KEPT: &str = "built-in.json";

/// The steps at which things are killed, in the order a run takes them.
const STEPS: [&str; 7] =
    ["pending", "ready", "starting", "creating_sail", "waiting_for_sail", "creating_runner", "running"];

/// A job that leaves a line in a file each time its code runs, and then takes a moment. It names packages, if none at all: without that
/// an agent has created the Sail server before it reports that it asks for one, and the run never stands at `creating_sail`.
fn counting_job(witness: &Path) -> Value {
    let path = witness.to_str().unwrap();
    let source = format!(
        "import os, time\n\
         with open({path:?}, 'a') as witness: witness.write('ran\\n')\n\
         from pyspark.sql import SparkSession\n\
         spark = SparkSession.builder.remote(os.environ['SPARK_REMOTE']).getOrCreate()\n\
         assert spark.sql('SELECT 1 + 1 AS two').collect()[0].two == 2\n\
         time.sleep(1.5)\n"
    );
    json!({"python": {"source": source}, "lakesail": {"libraries": [{"requirements": {"source": "# none\n"}}]}})
}

fn times_run(witness: &Path) -> usize {
    fs::read_to_string(witness).unwrap_or_default().lines().count()
}

/// How far a run has come; all that have ended have come equally far.
fn place(status: &str) -> usize {
    STEPS.iter().position(|step| *step == status).unwrap_or(STEPS.len())
}

/// The status that a call of the table gives to the run of a job.
fn written_status<'c>(call: &'c TableCall, job: &str) -> Option<&'c str> {
    let writes = call.body["TransactItems"].as_array()?.iter();
    let values = writes.filter_map(|write| write["Update"]["ExpressionAttributeValues"].as_object());
    let mut entities = values.flat_map(Map::values).map(|value| &value["M"]);
    entities.find(|entity| entity["jobId"]["S"] == job)?["status"]["S"].as_str()
}

/// Holds the write by which the run of a job leaves a step, before or after its effect. Nothing follows it: the run stands still.
fn hold_leaving(step: &str, job: &str, platform: &Platform, hold: fn(Pause) -> Verdict) -> Pause {
    let (pause, is_held, job, step) = (Pause::default(), AtomicBool::new(false), job.to_owned(), place(step));
    let held_back = pause.clone();
    platform.table().set_rule(Arc::new(move |call| match written_status(call, &job) {
        Some(status) if place(status) > step => {
            if is_held.swap(true, Ordering::SeqCst) {
                Verdict::Hold(Pause::default())
            } else {
                hold(held_back.clone())
            }
        }
        _ => Verdict::Forward,
    }));
    pause
}

/// Waits until a write is held, and answers where its run stands.
async fn stands(owner: &Owner, run: &str, held: &Pause) -> String {
    in_time(run, held.reached()).await;
    text(&owner.reached(run, |_| true).await["status"])
}

/// Kills the platform before the write by which a run leaves a step, which is held; and, started again, after that write, whose answer
/// nobody has. Answers where the run stands then.
async fn kill_twice(
    step: &str,
    held: &Pause,
    (job, run): (&str, &str),
    owner: &Owner,
    platform: &mut Platform,
) -> String {
    assert_eq!(stands(owner, run, held).await, step, "{run}");
    platform.kill();
    let held = hold_leaving(step, job, platform, Verdict::HoldAnswer);
    platform.start_again().await;
    let next = stands(owner, run, &held).await;
    assert!(place(&next) > place(step), "{run} is {next} after {step}");
    platform.kill();
    next
}

fn assert_ran_once(run: &Value, witness: &Path, step: &str) {
    assert_eq!(run["status"], "succeeded", "killed at {step}: {run}");
    assert_eq!(times_run(witness), 1, "killed at {step}: {run}");
}

#[tokio::test]
async fn killing_the_platform_with_its_agent_at_any_step_neither_loses_nor_doubles_a_run() {
    let mut platform = Platform::start(&[]).await;
    let owner = Owner::of(&platform).await;
    let (cluster, _) = owner.cluster(&json!({"name": "laptop"})).await;
    for step in STEPS {
        let witness = platform.folder().join(format!("witness-{step}"));
        let job = owner.job(&format!("killed-at-{}", step.replace('_', "-")), &cluster, counting_job(&witness)).await;
        let held = hold_leaving(step, &job, &platform, Verdict::Hold);
        let run = owner.run(&job).await;
        kill_twice(step, &held, (&job, &run), &owner, &mut platform).await;
        platform.table().heal();
        platform.start_again().await;
        assert_ran_once(&owner.ended(&run).await, &witness, step);
    }
}

#[tokio::test]
async fn killing_the_platform_again_and_again_in_one_run_still_ends_it_once() {
    let mut platform = Platform::start(&[]).await;
    let owner = Owner::of(&platform).await;
    let (cluster, _) = owner.cluster(&json!({"name": "laptop"})).await;
    let witness = platform.folder().join("witness");
    let job = owner.job("killed-often", &cluster, counting_job(&witness)).await;
    // An agent that is started again may report several steps at once: what comes next is seen only then.
    let mut status = STEPS[0].to_owned();
    let mut held = hold_leaving(&status, &job, &platform, Verdict::Hold);
    let run = owner.run(&job).await;
    loop {
        status = kill_twice(&status, &held, (&job, &run), &owner, &mut platform).await;
        if place(&status) == STEPS.len() {
            break;
        }
        held = hold_leaving(&status, &job, &platform, Verdict::Hold);
        platform.start_again().await;
    }
    platform.table().heal();
    platform.start_again().await;
    assert_ran_once(&owner.ended(&run).await, &witness, "every step");
}

/// From the moment on at which an agent's credentials are on disk, nothing is written any more. Answers whether that moment has come.
fn cut_off_enrolment(platform: &Platform) -> impl Fn() -> bool + use<> {
    let agents = platform.data_dir().join("agents");
    let kept =
        move || fs::read_dir(&agents).into_iter().flatten().flatten().any(|agent| agent.path().join(KEPT).exists());
    let is_kept = kept.clone();
    platform.table().set_rule(Arc::new(move |call| match call.operation == "TransactWriteItems" && is_kept() {
        true => Verdict::Break(Fault::ServerError),
        false => Verdict::Forward,
    }));
    kept
}

async fn is_active(owner: &Owner, cluster: &str) {
    eventually("the agent's first heartbeat", || async {
        let seen = owner.get(&format!("/me/clusters/{cluster}")).await;
        (seen["included"]["clusters"][0]["status"] == "active").then_some(())
    })
    .await;
}

async fn assert_cluster_works(owner: &Owner, platform: &Platform, cluster: &str) {
    is_active(owner, cluster).await;
    let witness = platform.folder().join("witness");
    let job = owner.job("after-all", cluster, counting_job(&witness)).await;
    let run = owner.run(&job).await;
    assert_ran_once(&owner.ended(&run).await, &witness, "enrolment");
}

#[tokio::test]
async fn an_agent_whose_enrolment_was_cut_off_is_enrolled_at_the_next_start() {
    let mut platform = Platform::start(&[]).await;
    let owner = Owner::of(&platform).await;
    let kept = cut_off_enrolment(&platform);
    let (cluster, _) = owner.cluster(&json!({"name": "laptop"})).await;
    eventually("the agent's credentials", || async { kept().then_some(()) }).await;
    platform.kill();
    platform.table().heal();
    platform.start_again().await;
    assert_cluster_works(&owner, &platform, &cluster).await;
}

#[tokio::test]
async fn what_failed_too_often_is_done_after_the_next_start() {
    let mut platform = Platform::start(&[]).await;
    let mut owner = Owner::of(&platform).await;
    let kept = cut_off_enrolment(&platform);
    let (cluster, _) = owner.cluster(&json!({"name": "laptop"})).await;
    eventually("the agent's credentials", || async { kept().then_some(()) }).await;
    let local = |path: &str| format!("{}/_local/{path}", platform.url());
    let (clock, queues) = (local("clock"), local("queues"));
    eventually("its enrolment is set aside", || async {
        // It is tried again after a while, which need not be waited for. Ticks fail, too, as all that writes.
        let _ = client().post(&clock).json(&json!({"advanceSeconds": 20})).send().await.ok()?;
        let depths: Value = client().get(&queues).send().await.ok()?.json().await.ok()?;
        depths["items"].as_array()?.iter().any(|queue| queue["deadLetters"] == 1).then_some(())
    })
    .await;
    platform.stop(Signal::SIGTERM);
    platform.table().heal();
    platform.start_again().await;
    owner.sign_in().await;
    assert_cluster_works(&owner, &platform, &cluster).await;
}

#[tokio::test]
async fn an_agent_whose_cluster_was_retired_without_it_leaves_nothing() {
    let mut platform = Platform::start(&[]).await;
    let owner = Owner::of(&platform).await;
    let (cluster, _) = owner.cluster(&json!({"name": "laptop"})).await;
    let folder = platform.data_dir().join("agents").join(&cluster);
    eventually("the agent begins", || async { folder.join("runs").exists().then_some(()) }).await;
    platform.kill();
    platform.set("MAINSHEET_BUILT_IN_AGENT", "off");
    platform.start_again().await;
    let (status, answer) = owner.send(Method::DELETE, &format!("/workloads/clusters/{cluster}"), None).await.unwrap();
    assert_eq!(status, StatusCode::NO_CONTENT, "{answer}");
    platform.stop(Signal::SIGTERM);
    assert!(folder.exists());
    platform.set("MAINSHEET_BUILT_IN_AGENT", "on");
    platform.start_again().await;
    eventually("the agent is gone", || async { (!folder.exists()).then_some(()) }).await;
}

#[tokio::test]
async fn agents_of_clusters_that_are_gone_from_the_cloud_leave_nothing() {
    let mut platform = Platform::start(&[]).await;
    platform.stop(Signal::SIGTERM);
    let agents = platform.data_dir().join("cloud-agents");
    let known = json!({"agentId": "GONE", "organizationId": "GONE", "clusterId": "GONE"});
    let folders = [("registered", known), ("unregistered", Value::Null)].map(|(name, registered)| {
        let folder = agents.join(name);
        fs::create_dir_all(folder.join("runs")).unwrap();
        let credentials = json!({"secret": "0".repeat(64), "registered": registered});
        fs::write(folder.join("credentials.json"), credentials.to_string()).unwrap();
        folder
    });
    platform.start_again().await;
    let gone = || !folders.iter().any(|folder| folder.exists());
    eventually("their agents are gone", || async { gone().then_some(()) }).await;
}

/// An agent of a cluster of its own, as a process of its own.
struct AgentProcess(Child);

impl AgentProcess {
    fn start(platform: &Platform, token: &str) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_mainsheet")).with_file_name("mainsheet-agent");
        assert!(program.exists(), "build the agent's program first: cargo build --package mainsheet-agent");
        let mut command = Command::new(program);
        command.args([
            "--url",
            &format!("{}/api/v1", platform.url()),
            "--registration-token",
            token,
            "--capacity",
            "2",
        ]);
        command.arg("--data-dir").arg(platform.folder().join("agent"));
        command.env("MAINSHEET_ENVIRONMENT_DIR", spark_environment());
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test]
async fn killing_the_agent_or_the_platform_alone_neither_loses_nor_doubles_a_run() {
    let mut platform = Platform::start(&[]).await;
    let owner = Owner::of(&platform).await;
    let (cluster, token) = owner.cluster(&json!({"name": "own", "region": "on-premises"})).await;
    let mut agent = AgentProcess::start(&platform, &token);
    is_active(&owner, &cluster).await;
    for (victim, step) in
        [("agent", "starting"), ("platform", "waiting_for_sail"), ("agent", "running"), ("platform", "running")]
    {
        let witness = platform.folder().join(format!("witness-{victim}-{step}"));
        let key = format!("{victim}-{}", step.replace('_', "-"));
        let job = owner.job(&key, &cluster, counting_job(&witness)).await;
        let held = hold_leaving(step, &job, &platform, Verdict::Hold);
        let run = owner.run(&job).await;
        assert_eq!(stands(&owner, &run, &held).await, step, "{run}");
        if victim == "agent" {
            agent.kill();
            platform.table().heal();
            agent = AgentProcess::start(&platform, &token);
        } else {
            platform.kill();
            platform.table().heal();
            platform.start_again().await;
        }
        assert_ran_once(&owner.ended(&run).await, &witness, &key);
    }
    agent.kill();
}
