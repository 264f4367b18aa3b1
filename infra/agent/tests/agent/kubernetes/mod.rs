//! The agent with runs as pods, against a strict API server and a control plane that loses every second answer.

mod cluster;
mod manifests;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mainsheet_agent::{Agent, AgentConfig, AgentHandle, Credentials, Execution, Kubernetes, KubernetesSettings};
use mainsheet_core::agent_protocol::{LeasedRun, LeasedSource, LogSource, LogStream, ReportedEvent};
use mainsheet_core::catalog::{CatalogSettings, LeasedCatalog, LeasedCatalogs, WireSecret};
use mainsheet_core::job::{CapacityType, Compute, DriverCompute, EbsConfig, Library, MachineName, WorkerCompute};
use mainsheet_core::job_run::{ResourceCleanupMode, RunStatus};
use mainsheet_core::{Clock, JobRunId};
use rstest::rstest;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::WALK;
use crate::control_plane::{ControlPlane, Run};
use crate::workplace::until;
use cluster::{Cluster, Moment, NAMESPACE};

const SECRET: &str = "s3cr3t-of-the-run";

/// A control plane, a cluster, and an agent's data directory; the agent comes and goes.
struct Site {
    plane: Arc<ControlPlane>,
    cluster: Cluster,
    folder: tempfile::TempDir,
    agent: Option<AgentHandle>,
    patience: Duration,
}

impl Site {
    async fn new() -> Self {
        let plane = ControlPlane::start().await;
        let folder = tempfile::tempdir().unwrap();
        let patience = Duration::from_secs(300);
        let mut this = Self { plane, cluster: Cluster::new(), folder, agent: None, patience };
        this.start_agent();
        this
    }

    fn start_agent(&mut self) {
        let settings = KubernetesSettings {
            namespace: NAMESPACE.to_owned(),
            service_account: "mainsheet-job".to_owned(),
            image: "mainsheet-runtime:test".to_owned(),
            engine_cpu: "2".to_owned(),
            engine_memory: "8Gi".to_owned(),
            runner_cpu: "500m".to_owned(),
            runner_memory: "2Gi".to_owned(),
            volume_provisioner: "ebs.csi.aws.com".to_owned(),
            patience: self.patience,
        };
        let agent = Agent::start(AgentConfig {
            api_url: self.plane.url.clone(),
            credentials: Credentials::new(self.plane.agent_id.clone(), "0123456789abcdef".into()),
            data_dir: self.data_dir(),
            output_base: Some("s3://results/of/acme".to_owned()),
            capacity: Some(5),
            execution: Execution::Kubernetes(Kubernetes::new(self.cluster.client(), settings)),
            clock: Clock::system(),
        });
        self.agent = Some(agent.unwrap());
    }

    /// Whatever it was doing stops where it stands; in the cluster all goes on.
    async fn kill_agent(&mut self) {
        self.agent.take().unwrap().shutdown().await;
    }

    async fn restart_agent(&mut self) {
        self.kill_agent().await;
        self.start_agent();
    }

    fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn add(&self, change: impl FnOnce(&mut LeasedRun)) -> JobRunId {
        self.plane.add(LeasedSource::Sql { text: "select 1 as one".to_owned() }, change)
    }

    async fn reported(&self, id: &JobRunId, event: ReportedEvent) {
        until(&format!("{event:?}"), || self.plane.run(id).events().contains(&event).then_some(())).await;
    }

    /// Waits for a run's end.
    async fn ended(&self, id: &JobRunId) -> Run {
        until("the run ends", || Some(self.plane.run(id)).filter(Run::ended)).await
    }

    /// Waits for a run's end and clean-up, and checks that nothing is left of it.
    async fn finished(&self, id: &JobRunId) -> Run {
        let run = until("the run ends", || Some(self.plane.run(id)).filter(|run| run.ended() && run.cleaned)).await;
        assert_eq!(self.cluster.left(), []);
        let runs = || fs::read_dir(self.data_dir().join("runs")).unwrap().count();
        until("its directory goes", || (runs() == 0).then_some(())).await;
        self.nothing_is_wrong();
        run
    }

    fn nothing_is_wrong(&self) {
        assert_eq!(self.plane.violations(), Vec::<String>::new());
        assert_eq!(self.cluster.violations(), Vec::<String>::new());
    }

    /// The Sail server comes up.
    async fn sail_comes_up(&self) -> String {
        let sail = self.cluster.pod("-sail").await;
        self.cluster.set_status(&sail, running(true));
        self.cluster.print(&sail, &numbered(0, "E", &["sail is here"]));
        sail
    }

    /// Sail starts a worker from the template that it has, and this is how that stands.
    fn worker_is(&self, sail: &str, number: u32, status: &Value) {
        let pod = self.cluster.object("pods", sail).unwrap();
        let metadata = json!({
            "name": sail.replace("-sail", &format!("-worker-x-{number}")),
            "uid": format!("uid-worker-{number}"),
            "labels": worker_template(&pod)["metadata"]["labels"],
            "ownerReferences": [{"uid": pod["metadata"]["uid"]}],
        });
        self.cluster.put("pods", json!({"metadata": metadata, "status": status}));
    }

    /// What the Sail server of such a run and its workers are told of spilling: kind and size of the pool of memory, size of files.
    async fn spilling(&self, change: impl FnOnce(&mut LeasedRun)) -> [[Value; 3]; 2] {
        const SETTINGS: [&str; 3] = [
            "SAIL_RUNTIME__MEMORY_POOL__TYPE",
            "SAIL_RUNTIME__MEMORY_POOL__FAIR__MAX_SIZE",
            "SAIL_RUNTIME__TEMPORARY_FILES__MAX_SIZE",
        ];
        let id = self.add(change);
        let sail = self.cluster.pod(&format!("ms-{}-1-sail", id.as_str().to_lowercase())).await;
        let pod = self.cluster.object("pods", &sail).unwrap();
        let containers = [&pod, &worker_template(&pod)].map(|pod| pod["spec"]["containers"][0].clone());
        containers.map(|container| SETTINGS.map(|name| variable(&container, name)["value"].clone()))
    }

    /// The runner executes.
    async fn runner_comes_up(&self) -> String {
        let runner = self.cluster.pod("-runner").await;
        self.cluster.set_status(&runner, running(true));
        runner
    }

    /// The runner comes to its end as `pod.py` does: preview, outcome, and exit.
    fn runner_succeeds(&self, runner: &str, first_line: u64) {
        let preview = r#"{"columns":[{"name":"one","type":"int"}],"rows":[[1]],"truncated":false}"#;
        let (begin, end) = preview.split_at(20);
        self.cluster.print(runner, &numbered(first_line, "P", &[begin, end]));
        self.cluster.print(runner, &numbered(first_line + 2, "X", &[OUTCOME]));
        self.cluster.set_status(runner, terminated(0, "Completed", OUTCOME));
    }
}

const OUTCOME: &str = r#"{"succeeded":true,"message":null,"executionTimeUs":1234}"#;

fn numbered(first: u64, kind: &str, texts: &[&str]) -> Vec<String> {
    (first..).zip(texts).map(|(number, text)| format!("{number} {kind} {text}")).collect()
}

fn with_container(phase: &str, ready: bool, state: &Value) -> Value {
    json!({
        "phase": phase,
        "podIP": "10.1.2.3",
        "containerStatuses": [{
            "name": "main", "image": "", "imageID": "", "ready": ready, "restartCount": 0, "state": state,
        }],
    })
}

fn running(ready: bool) -> Value {
    with_container("Running", ready, &json!({"running": {"startedAt": "2026-11-21T08:00:00Z"}}))
}

fn waiting(reason: &str, message: &str) -> Value {
    with_container("Pending", false, &json!({"waiting": {"reason": reason, "message": message}}))
}

fn terminated(status: i32, reason: &str, message: &str) -> Value {
    let phase = if status == 0 { "Succeeded" } else { "Failed" };
    with_container(phase, false, &json!({"terminated": {"exitCode": status, "reason": reason, "message": message}}))
}

fn unschedulable(message: &str) -> Value {
    let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message});
    json!({"phase": "Pending", "conditions": [condition]})
}

fn evicted() -> Value {
    json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."})
}

fn disrupted() -> Value {
    let mut status = running(true);
    let message = "Taint manager: deleting due to NoExecute taint";
    let reason = "DeletionByTaintManager";
    status["conditions"] =
        json!([{"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message}]);
    status
}

fn packages_failed() -> Value {
    let terminated =
        json!({"terminated": {"exitCode": 1, "message": "the packages cannot be installed: no such thing"}});
    json!({"phase": "Failed", "initContainerStatuses": [{
        "name": "packages", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": terminated,
    }]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_walks_through_its_pods_and_leaves_nothing() {
    let site = Site::new().await;
    let id = site.add(|_| {});
    let sail = site.cluster.pod("-sail").await;
    let made = site.cluster.object("pods", &sail).unwrap();
    let timeout = variable(&made["spec"]["containers"][0], "SAIL_SPARK__SESSION_TIMEOUT_SECS");
    assert_eq!(timeout["value"], "31536000");
    site.reported(&id, ReportedEvent::SailCreated).await;
    site.cluster.set_status(&sail, running(false));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!site.plane.run(&id).events().contains(&ReportedEvent::SailAnswered));
    site.sail_comes_up().await;
    let runner = site.runner_comes_up().await;
    site.reported(&id, ReportedEvent::RunnerStarted).await;
    let made = site.cluster.object("pods", &runner).unwrap();
    let environment = made["spec"]["containers"][0]["env"].as_array().unwrap();
    assert!(environment.contains(&json!({"name": "SPARK_REMOTE", "value": "sc://10.1.2.3:50051"})));
    site.cluster.print(&runner, &numbered(0, "S", &["out", "  indented", ""]));
    site.cluster.print(&runner, &numbered(3, "E", &["err"]));
    site.runner_succeeds(&runner, 4);
    let run = site.finished(&id).await;
    assert_eq!(run.status, RunStatus::Succeeded, "{:?}", run.last());
    assert_eq!(run.events()[..4], WALK);
    assert_eq!(run.events()[4..], [ReportedEvent::Succeed, ReportedEvent::Cleaned]);
    assert_eq!(run.last().runner_execution_time_us, Some(1234));
    assert_eq!(run.last().results.clone().unwrap().output_path, format!("s3://results/of/acme/jobs/a-job/runs/{id}/"));
    assert_eq!(run.preview.as_ref().unwrap().rows, [[json!(1)]]);
    assert_eq!(run.lines(LogSource::Runner, LogStream::Stdout), ["out", "  indented", ""]);
    assert_eq!(run.lines(LogSource::Runner, LogStream::Stderr), ["err"]);
    assert_eq!(run.lines(LogSource::Sail, LogStream::Stderr), ["sail is here"]);
}

#[rstest]
#[case::image(
    waiting("ImagePullBackOff", "no such image"),
    "its image cannot be had (ImagePullBackOff: no such image)"
)]
#[case::configuration(waiting("CreateContainerConfigError", "secret not found"), "its container cannot start")]
#[case::memory(terminated(137, "OOMKilled", ""), "took more memory than its limit of 8Gi")]
#[case::crash(terminated(3, "Error", "0 E boom"), "ended with exit status 3")]
#[case::eviction(evicted(), "was evicted: The node was low on resource: memory.")]
#[case::disruption(disrupted(), "DeletionByTaintManager")]
#[case::packages(packages_failed(), "the packages cannot be installed: no such thing")]
#[tokio::test(flavor = "multi_thread")]
async fn a_sail_server_that_does_not_come_up_says_why(#[case] status: Value, #[case] expected: &str) {
    let site = Site::new().await;
    let id = site.add(|_| {});
    let sail = site.cluster.pod("-sail").await;
    site.cluster.set_status(&sail, status);
    let run = site.finished(&id).await;
    assert_eq!(run.status, RunStatus::Failed);
    assert!(run.last().message.as_ref().unwrap().contains(expected), "{:?}", run.last());
    assert_eq!(site.cluster.times_made("-runner"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_no_machine_takes_is_waited_for_and_then_given_up() {
    let mut site = Site::new().await;
    site.patience = Duration::from_secs(4);
    site.restart_agent().await;
    let id = site.add(|_| {});
    let sail = site.cluster.pod("-sail").await;
    site.cluster.set_status(&sail, unschedulable("0/3 nodes are available: 3 Insufficient cpu."));
    let run = site.finished(&id).await;
    let message = run.last().message.clone().unwrap();
    assert!(message.contains("did not answer within 4 s") && message.contains("3 Insufficient cpu"), "{message}");
}

#[rstest]
#[case::memory(terminated(137, "OOMKilled", ""), "the runner took more memory than its limit of 2Gi")]
#[case::eviction(evicted(), "the runner was evicted")]
#[case::crash(terminated(134, "Error", "0 E Fatal Python error"), "exit status 134 and no outcome")]
#[case::told_by_its_last_words(
    terminated(1, "Error", r#"{"succeeded":false,"message":"no such luck","executionTimeUs":5}"#),
    "no such luck"
)]
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_runner_fails_the_run_and_is_not_begun_again(#[case] status: Value, #[case] expected: &str) {
    let site = Site::new().await;
    let id = site.add(|_| {});
    site.sail_comes_up().await;
    let runner = site.runner_comes_up().await;
    site.reported(&id, ReportedEvent::RunnerStarted).await;
    site.cluster.set_status(&runner, status);
    let run = site.finished(&id).await;
    assert_eq!(run.status, RunStatus::Failed);
    assert!(run.last().message.as_ref().unwrap().contains(expected), "{:?}", run.last());
    assert_eq!(site.cluster.times_made("-runner"), 1);
}

#[rstest]
#[case::sail("-sail", "the Sail server is gone: its machine was lost or its pod was deleted")]
#[case::runner("-runner", "the runner is gone: its machine was lost or its pod was deleted")]
#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_vanishes_fails_the_run(#[case] pod: &str, #[case] expected: &str) {
    let mut site = Site::new().await;
    let id = site.add(|_| {});
    site.sail_comes_up().await;
    site.runner_comes_up().await;
    site.reported(&id, ReportedEvent::RunnerStarted).await;
    // Also when nobody was there to see it.
    site.kill_agent().await;
    site.cluster.lose(&site.cluster.pod(pod).await);
    site.start_agent();
    let run = site.finished(&id).await;
    assert_eq!(run.status, RunStatus::Failed);
    assert!(run.last().message.as_ref().unwrap().contains(expected), "{:?}", run.last());
    assert_eq!(site.cluster.times_made(pod), 1);
}

fn on_workers(lease: &mut LeasedRun) {
    lease.engine = BTreeMap::from([("executionMode".to_owned(), "cluster".to_owned())]);
}

#[rstest]
#[case::image(
    waiting("ImagePullBackOff", "no such image"),
    "a worker cannot start: its image cannot be had (ImagePullBackOff: no such image)"
)]
#[case::program(terminated(128, "StartError", "exec: sail: not found"), "StartError: exec: sail: not found")]
#[case::machine(unschedulable("0/3 nodes are available."), "no worker came up within 4 s (no machine takes it")]
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_workers_do_not_come_up_says_why(#[case] status: Value, #[case] expected: &str) {
    let mut site = Site::new().await;
    let id = site.add(on_workers);
    let sail = site.sail_comes_up().await;
    site.runner_comes_up().await;
    site.reported(&id, ReportedEvent::RunnerStarted).await;
    site.patience = Duration::from_secs(4);
    site.restart_agent().await;
    site.worker_is(&sail, 1, &status);
    let run = site.finished(&id).await;
    assert_eq!(run.status, RunStatus::Failed);
    assert!(run.last().message.as_ref().unwrap().contains(expected), "{:?}", run.last());
}

#[rstest]
#[case::no_maximum(None, "32")]
#[case::few(Some(3), "24")]
#[case::many(Some(1000), "512")]
#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_cut_into_as_many_parts_as_workers_take(#[case] most: Option<u32>, #[case] parts: &str) {
    let site = Site::new().await;
    site.add(|lease| {
        on_workers(lease);
        let worker = WorkerCompute { instance_type: None, ebs_config: None, max_nodes: most, capacity_type: None };
        lease.compute = Some(Compute { driver: None, worker: Some(worker) });
    });
    let sail = site.cluster.pod("-sail").await;
    let pod = site.cluster.object("pods", &sail).unwrap();
    assert_eq!(variable(&pod["spec"]["containers"][0], "SAIL_EXECUTION__DEFAULT_PARALLELISM")["value"], parts);
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_come_and_go_are_sail_s_affair() {
    let mut site = Site::new().await;
    let id = site.add(on_workers);
    let sail = site.sail_comes_up().await;
    let runner = site.runner_comes_up().await;
    site.reported(&id, ReportedEvent::RunnerStarted).await;
    site.patience = Duration::from_secs(4);
    site.restart_agent().await;
    let (no_machine, no_image) = (unschedulable("0/3 nodes are available."), waiting("ImagePullBackOff", "429"));
    for (first, second) in [(running(true), &no_machine), (evicted(), &no_machine), (running(true), &no_image)] {
        site.worker_is(&sail, 1, &first);
        site.worker_is(&sail, 2, second);
        // A second lies between looks: this is longer than all workers together may take.
        let looks = site.cluster.looks();
        until("the agent looks", || (site.cluster.looks() > looks + 8).then_some(())).await;
    }
    site.runner_succeeds(&runner, 0);
    assert_eq!(site.finished(&id).await.status, RunStatus::Succeeded);
}

fn moment(verb: &'static str, resource: &'static str, name: &'static str, took_effect: bool) -> Moment {
    Moment { verb, resource, name, took_effect, passed: 0 }
}

/// The call after so many of the same.
fn after(passed: usize, moment: Moment) -> Moment {
    Moment { passed, ..moment }
}

#[rstest]
#[case::owner(moment("patch", "configmaps", "-1", false))]
#[case::owner_made(moment("patch", "configmaps", "-1", true))]
#[case::secret(moment("patch", "secrets", "-1", false))]
#[case::secret_made(moment("patch", "secrets", "-1", true))]
#[case::policy_made(moment("patch", "networkpolicies", "-1", true))]
#[case::sail(moment("patch", "pods", "-sail", false))]
#[case::sail_made(moment("patch", "pods", "-sail", true))]
#[case::runner(moment("patch", "pods", "-runner", false))]
#[case::runner_made(moment("patch", "pods", "-runner", true))]
#[case::sail_ended(moment("delete", "pods", "-sail", true))]
#[case::sail_not_ended(moment("delete", "pods", "-sail", false))]
#[case::removed(moment("delete", "configmaps", "-1", true))]
#[case::not_removed(moment("delete", "configmaps", "-1", false))]
#[case::seen_removed(after(2, moment("get", "configmaps", "-1", true)))]
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_killed_at_any_call_is_followed_by_one_that_goes_on(#[case] moment: Moment) {
    let mut site = Site::new().await;
    site.cluster.kill_at(moment);
    let id = site.add(|_| {});
    let (plane, cluster) = (Arc::clone(&site.plane), site.cluster.clone());
    let other = Site { plane, cluster, folder: tempfile::tempdir().unwrap(), agent: None, patience: site.patience };
    let play = tokio::spawn(async move {
        other.sail_comes_up().await;
        let runner = other.runner_comes_up().await;
        other.cluster.print(&runner, &numbered(0, "S", &["once"]));
        other.runner_succeeds(&runner, 1);
    });
    site.cluster.killed().await;
    site.restart_agent().await;
    let run = site.finished(&id).await;
    play.await.unwrap();
    assert_eq!(run.status, RunStatus::Succeeded, "{:?}", run.last());
    assert_eq!(run.lines(LogSource::Runner, LogStream::Stdout), ["once"]);
    assert_eq!(site.cluster.times_made("-sail"), 1);
    assert_eq!(site.cluster.times_made("-runner"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_under_an_agent_that_would_have_made_its_objects_otherwise() {
    let mut site = Site::new().await;
    // The pod is there, and the agent before has not written it down.
    site.cluster.kill_at(moment("patch", "pods", "-sail", true));
    let id = site.add(|_| {});
    site.cluster.killed().await;
    site.kill_agent().await;
    let sail = site.cluster.pod("-sail").await;
    let name = sail.trim_end_matches("-sail");
    let earlier = [
        ("configmaps", name, "/data/pod.py", json!("what it was before")),
        ("secrets", name, "/stringData/job.json", json!("{\"before\": true}")),
        ("pods", sail.as_str(), "/spec/containers/0/image", json!("mainsheet-runtime:before")),
    ];
    for (resource, name, field, value) in &earlier {
        site.cluster.alter(resource, name, field, value.clone());
    }
    site.start_agent();
    site.sail_comes_up().await;
    let runner = site.runner_comes_up().await;
    for (resource, name, field, value) in &earlier {
        assert_eq!(site.cluster.object(resource, name).unwrap().pointer(field), Some(value));
    }
    site.runner_succeeds(&runner, 0);
    let run = site.finished(&id).await;
    assert_eq!(run.status, RunStatus::Succeeded, "{:?}", run.last());
    assert_eq!(site.cluster.times_made("-sail"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_come_once_and_in_order_through_broken_streams_and_restarts() {
    let mut site = Site::new().await;
    site.cluster.break_logs_after(7);
    let id = site.add(|_| {});
    site.sail_comes_up().await;
    let runner = site.runner_comes_up().await;
    let expected: Vec<String> = (0..60).map(|number| format!("line {number}")).collect();
    for (round, lines) in expected.chunks(15).enumerate() {
        let texts: Vec<&str> = lines.iter().map(String::as_str).collect();
        site.cluster.print(&runner, &numbered(round as u64 * 15, "S", &texts));
        let come = || site.plane.run(&id).lines(LogSource::Runner, LogStream::Stdout).len() > round * 15 + 3;
        until("some of it has come", || come().then_some(())).await;
        site.restart_agent().await;
    }
    site.runner_succeeds(&runner, 60);
    let run = site.finished(&id).await;
    assert_eq!(run.status, RunStatus::Succeeded, "{:?}", run.last());
    assert_eq!(run.lines(LogSource::Runner, LogStream::Stdout), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_silent_for_long_is_followed_anew_without_loss() {
    let site = Site::new().await;
    site.cluster.break_silent_logs_after(Duration::from_millis(200));
    let id = site.add(|_| {});
    site.sail_comes_up().await;
    let runner = site.runner_comes_up().await;
    // Not all of it is `pod.py`'s.
    site.cluster.print(&runner, &["before it began".to_owned()]);
    for number in 0..3 {
        site.cluster.print(&runner, &numbered(number, "S", &[&format!("line {number}")]));
        let asked = site.cluster.logs_asked();
        until("it is asked for again", || (site.cluster.logs_asked() > asked + 3).then_some(())).await;
    }
    site.runner_succeeds(&runner, 3);
    let run = site.finished(&id).await;
    assert_eq!(run.status, RunStatus::Succeeded, "{:?}", run.last());
    assert_eq!(run.lines(LogSource::Runner, LogStream::Stdout), ["line 0", "line 1", "line 2"]);
    assert_eq!(run.lines(LogSource::Runner, LogStream::Stderr), ["before it began"]);
    assert_eq!(run.lines(LogSource::Sail, LogStream::Stderr), ["sail is here"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_nobody_answers_holds_no_run_up() {
    let site = Site::new().await;
    let id = site.add(|_| {});
    site.sail_comes_up().await;
    let runner = site.runner_comes_up().await;
    site.reported(&id, ReportedEvent::RunnerStarted).await;
    site.cluster.leave_lists_unanswered(1);
    site.runner_succeeds(&runner, 0);
    assert_eq!(site.finished(&id).await.status, RunStatus::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_a_machine_has_removed_are_counted() {
    let mut site = Site::new().await;
    let id = site.add(|_| {});
    site.sail_comes_up().await;
    let runner = site.runner_comes_up().await;
    site.reported(&id, ReportedEvent::RunnerStarted).await;
    site.kill_agent().await;
    site.cluster.print(&runner, &numbered(0, "S", &["a", "b", "c", "d"]));
    site.cluster.rotate(&runner, 3);
    site.runner_succeeds(&runner, 4);
    site.start_agent();
    let run = site.finished(&id).await;
    assert_eq!(run.lines(LogSource::Runner, LogStream::Stdout), ["d"]);
    let said = run.lines(LogSource::Runner, LogStream::Stderr);
    assert_eq!(said, ["[3 lines were lost: the machine had removed them already]"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_ends_even_on_a_machine_that_is_gone() {
    let site = Site::new().await;
    site.plane.loses_answers.store(false, std::sync::atomic::Ordering::SeqCst);
    let id = site.add(|_| {});
    let sail = site.sail_comes_up().await;
    let runner = site.runner_comes_up().await;
    site.reported(&id, ReportedEvent::RunnerStarted).await;
    site.cluster.make_stuck(&sail);
    site.cluster.print(&runner, &numbered(0, "S", &["so far"]));
    let begun = Instant::now();
    site.plane.cancel(&id);
    let run = site.finished(&id).await;
    assert_eq!(run.status, RunStatus::Cancelled);
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    assert_eq!(run.lines(LogSource::Runner, LogStream::Stdout), ["so far"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_takes_too_long_times_out_and_its_pods_would_not_outlive_it_by_much() {
    let site = Site::new().await;
    let id = site.add(|lease| {
        on_workers(lease);
        lease.timeout_seconds = Some(20);
    });
    let sail = site.sail_comes_up().await;
    let runner = site.runner_comes_up().await;
    let pods = [&sail, &runner].map(|name| site.cluster.object("pods", name).unwrap());
    for pod in pods.iter().chain([&worker_template(&pods[0])]) {
        assert_eq!(pod["spec"]["activeDeadlineSeconds"], 620);
    }
    assert_eq!(site.finished(&id).await.status, RunStatus::Timeout);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_job_takes_at_most_kubernetes_takes_too() {
    let site = Site::new().await;
    let variable = "A".repeat(249);
    let id = site.add(|lease| {
        lease.timeout_seconds = Some(2_147_483_647);
        lease.environment = BTreeMap::from([(variable.clone(), "1".to_owned())]);
    });
    let sail = site.sail_comes_up().await;
    let spec = site.cluster.object("pods", &sail).unwrap()["spec"].clone();
    assert_eq!(spec["activeDeadlineSeconds"], 2_147_483_647);
    assert!(secret_variables(&spec["containers"][0]).contains_key(variable.as_str()));
    let runner = site.runner_comes_up().await;
    site.runner_succeeds(&runner, 0);
    assert_eq!(site.finished(&id).await.status, RunStatus::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_somebody_else_s_is_dropped_with_all_that_it_has() {
    let site = Site::new().await;
    let id = site.add(|_| {});
    site.sail_comes_up().await;
    site.runner_comes_up().await;
    site.reported(&id, ReportedEvent::RunnerStarted).await;
    let said = site.plane.run(&id).reports.len();
    site.plane.give_to_somebody_else(&id);
    until("nothing is left", || site.cluster.left().is_empty().then_some(())).await;
    assert_eq!(site.plane.run(&id).reports.len(), said);
    site.nothing_is_wrong();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_run_keeps_ended_pods_and_no_secret_and_is_not_swept_away() {
    let mut site = Site::new().await;
    let id = site.add(|lease| lease.resource_cleanup_mode = ResourceCleanupMode::Never);
    site.sail_comes_up().await;
    let runner = site.runner_comes_up().await;
    site.runner_succeeds(&runner, 0);
    assert_eq!(site.ended(&id).await.status, RunStatus::Succeeded);
    let kept = || site.data_dir().join("runs").join(format!("{id}-1")).join("kept").exists();
    until("it is kept", || kept().then_some(())).await;
    let name = runner.replace("-runner", "");
    let left = [("configmaps", name.clone()), ("networkpolicies", name), ("pods", runner)]
        .map(|(resource, name)| (resource.to_owned(), name));
    assert_eq!(site.cluster.left(), left);
    site.restart_agent().await;
    let next = site.add(|_| {});
    site.cluster.pod("-sail").await;
    assert!(left.iter().all(|key| site.cluster.left().contains(key)));
    site.plane.cancel(&next);
    until("the other one is gone", || (site.cluster.left() == left).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pods_of_a_run_are_reached_by_each_other_alone() {
    let site = Site::new().await;
    let ids = [site.add(everything), site.add(|_| {})];
    for id in &ids {
        let name = format!("ms-{}-1", id.as_str().to_lowercase());
        let sail = site.cluster.pod(&format!("{name}-sail")).await;
        let pod = site.cluster.object("pods", &sail).unwrap();
        // Workers have it, too: it is in the template that Sail makes them from.
        assert_eq!(pod["metadata"]["labels"]["mainsheet.dev/run"], name);
        let own = json!({"matchLabels": {"mainsheet.dev/run": name}});
        let policy = site.cluster.object("networkpolicies", &name).unwrap();
        let expected = json!({
            "podSelector": own,
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": own}]}],
        });
        assert_eq!(policy["spec"], expected);
        site.plane.cancel(id);
    }
    until("nothing is left", || site.cluster.left().is_empty().then_some(())).await;
    site.nothing_is_wrong();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_without_memory_finds_is_swept_away() {
    let mut site = Site::new().await;
    let labels = json!({"app.kubernetes.io/managed-by": "mainsheet-agent"});
    site.kill_agent().await;
    site.cluster.put("configmaps", json!({"metadata": {"name": "ms-forgotten-1", "uid": "uid-x", "labels": labels}}));
    let owners = json!([{"kind": "ConfigMap", "name": "ms-forgotten-1", "uid": "uid-x"}]);
    site.cluster.put("pods", json!({"metadata": {"name": "ms-forgotten-1-sail", "ownerReferences": owners}}));
    site.cluster.put("configmaps", json!({"metadata": {"name": "somebody-else-s", "uid": "uid-y"}}));
    site.start_agent();
    let left = [("configmaps".to_owned(), "somebody-else-s".to_owned())];
    until("it is gone", || (site.cluster.left() == left).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outages_of_the_api_are_waited_for() {
    let site = Site::new().await;
    site.cluster.set_outage(&[503, 429, 500, 504, 401, 503]);
    let id = site.add(|_| {});
    site.sail_comes_up().await;
    site.cluster.set_outage(&[500, 500]);
    let runner = site.runner_comes_up().await;
    site.cluster.set_outage(&[429, 503]);
    site.runner_succeeds(&runner, 0);
    assert_eq!(site.finished(&id).await.status, RunStatus::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_refuses_fails_the_run_in_its_own_words() {
    let site = Site::new().await;
    site.cluster.forbid("secrets");
    let id = site.add(|_| {});
    let run = site.ended(&id).await;
    let message = run.last().message.clone().unwrap();
    assert!(message.contains("Kubernetes refuses") && message.contains("cannot get secrets"), "{message}");

    let site = Site::new().await;
    let id = site.plane.add(LeasedSource::Sql { text: "select 1".to_owned() }, |lease| {
        let name = format!("ms-{}-1", lease.run.job_run_id.as_str().to_lowercase());
        site.cluster.take_over("configmaps", &name, "/data/pod.py");
    });
    let run = site.ended(&id).await;
    assert!(run.last().message.as_ref().unwrap().contains("conflict with \"somebody\""), "{:?}", run.last());
}

/// A catalog that is opened with a token.
fn sales() -> LeasedCatalogs {
    let settings = CatalogSettings::IcebergRest {
        url: "https://catalog.example".to_owned(),
        warehouse: None,
        prefix: None,
        default_database: None,
    };
    let token = WireSecret::from(SecretString::from(SECRET));
    let sales = LeasedCatalog { name: "sales".to_owned(), settings, token: Some(token) };
    LeasedCatalogs { list: vec![sales], default_catalog: Some("sales".to_owned()), default_database: Vec::new() }
}

fn variable(container: &Value, name: &str) -> Value {
    let variables = container["env"].as_array().unwrap();
    variables.iter().find(|variable| variable["name"] == name).unwrap_or(&Value::Null).clone()
}

/// What Sail makes workers from.
fn worker_template(sail: &Value) -> Value {
    let template = variable(&sail["spec"]["containers"][0], "SAIL_KUBERNETES__WORKER_POD_TEMPLATE");
    serde_json::from_str(template["value"].as_str().unwrap()).unwrap()
}

/// The names of a container's variables whose values are in a Secret, with the Secret and the key there.
fn secret_variables(container: &Value) -> BTreeMap<&str, (&str, &str)> {
    let variables = container["env"].as_array().into_iter().flatten();
    let referring = variables.filter_map(|variable| {
        let reference = variable.pointer("/valueFrom/secretKeyRef")?;
        Some((variable["name"].as_str()?, (reference["name"].as_str()?, reference["key"].as_str()?)))
    });
    referring.collect()
}

#[rstest]
#[case::standalone("standalone")]
#[case::cluster("cluster")]
#[tokio::test(flavor = "multi_thread")]
async fn catalogs_reach_the_sail_server_alone_and_as_references(#[case] mode: &str) {
    const VARIABLES: [&str; 3] =
        ["SAIL_CATALOG__DEFAULT_CATALOG", "SAIL_CATALOG__DEFAULT_DATABASE", "SAIL_CATALOG__LIST"];
    let site = Site::new().await;
    let id = site.add(|lease| {
        lease.catalogs = Some(sales());
        lease.environment = BTreeMap::from([("TOKEN".to_owned(), "another secret".to_owned())]);
        lease.engine = BTreeMap::from([("executionMode".to_owned(), mode.to_owned())]);
        lease.libraries =
            vec![Library { pypi: None, requirements: None, whl: Some("https://example.com/a.whl".to_owned()) }];
    });
    let sail = site.sail_comes_up().await;
    let runner = site.runner_comes_up().await;
    let pods = [&sail, &runner].map(|name| site.cluster.object("pods", name).unwrap());
    assert!(pods.iter().all(|pod| !pod.to_string().contains(SECRET)));

    let secret = sail.trim_end_matches("-sail");
    let [sail_variables, runner_variables] = [&pods[0], &pods[1]].map(|pod| {
        assert!(!secret_variables(&pod["spec"]["initContainers"][0]).contains_key(VARIABLES[2]));
        secret_variables(&pod["spec"]["containers"][0])
    });
    assert_eq!(runner_variables.keys().copied().collect::<Vec<_>>(), ["TOKEN"]);
    assert_eq!(sail_variables.keys().copied().collect::<Vec<_>>(), [&VARIABLES[..], &["TOKEN"]].concat());
    let data = site.cluster.object("secrets", secret).unwrap()["stringData"].clone();
    let value = |name: &str| {
        let (object, key) = sail_variables[name];
        assert_eq!(object, secret);
        data[key].as_str().unwrap().to_owned()
    };
    assert_eq!(value("SAIL_CATALOG__DEFAULT_CATALOG"), r#""sales""#);
    let list = value("SAIL_CATALOG__LIST");
    assert!(list.contains(r#"{name="sales", type="iceberg-rest", uri="https://catalog.example""#), "{list}");
    assert!(list.contains(&format!(r#"bearer_access_token="{SECRET}""#)), "{list}");
    // The Secret is the one place in the cluster that has it; neither the runner nor a worker mounts all of it.
    assert!(!data["job.json"].as_str().unwrap().contains(SECRET));
    site.runner_succeeds(&runner, 0);
    assert_eq!(site.finished(&id).await.status, RunStatus::Succeeded);
}

fn everything(lease: &mut LeasedRun) {
    let volume = |size, kept: bool| EbsConfig {
        volume_type: Some("gp3".to_owned()),
        volume_size: Some(size),
        iops: Some(6000),
        throughput: None,
        delete_on_termination: kept.then_some(false),
    };
    lease.engine = BTreeMap::from([("executionMode".to_owned(), "cluster".to_owned())]);
    lease.environment = ["TOKEN", "RUST_LOG", "TRACEPARENT"].map(|name| (name.to_owned(), SECRET.to_owned())).into();
    lease.image = Some("registry.example/engine:7".to_owned());
    lease.libraries =
        vec![Library { pypi: None, requirements: None, whl: Some("https://example.com/a.whl".to_owned()) }];
    lease.compute = Some(Compute {
        driver: Some(DriverCompute {
            instance_type: Some(MachineName("c8g.2xlarge".to_owned())),
            ebs_config: Some(volume(50, true)),
        }),
        worker: Some(WorkerCompute {
            instance_type: Some(MachineName("c8g.4xlarge".to_owned())),
            ebs_config: Some(volume(200, false)),
            max_nodes: Some(3),
            capacity_type: Some(CapacityType::Spot),
        }),
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_volumes_and_cluster_mode_are_said_as_kubernetes_and_sail_take_them() {
    use k8s_openapi::api::core::v1::PodTemplateSpec;

    let site = Site::new().await;
    let id = site.add(everything);
    let sail = site.sail_comes_up().await;
    let pod = site.cluster.object("pods", &sail).unwrap();
    let spec = &pod["spec"];
    assert_eq!(spec["nodeSelector"], json!({"node.kubernetes.io/instance-type": "c8g.2xlarge"}));
    assert_eq!(machine_terms(spec), durable());
    assert_eq!(spec["tolerations"], json!([{"key": "mainsheet.dev/jobs", "operator": "Exists"}]));
    // Small enough for every machine that a job may name.
    assert_eq!(spec["containers"][0]["resources"], json!({"requests": {"cpu": "500m", "memory": "1Gi"}}));
    let alone = &spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0];
    assert_eq!(alone["topologyKey"], "kubernetes.io/hostname");
    assert_eq!(spec["serviceAccountName"], "mainsheet-job");
    assert_eq!(spec["automountServiceAccountToken"], true);
    let claim = &spec["volumes"][0]["ephemeral"]["volumeClaimTemplate"]["spec"];
    assert_eq!(claim["storageClassName"], "mainsheet-gp3-6000iops-retain");
    assert_eq!(claim["resources"]["requests"]["storage"], "50Gi");
    let class = site.cluster.object("storageclasses", "mainsheet-gp3-6000iops-retain").unwrap();
    assert_eq!((&class["reclaimPolicy"], &class["parameters"]["iops"]), (&json!("Retain"), &json!("6000")));
    assert_eq!(site.cluster.object("storageclasses", "mainsheet-gp3-6000iops").unwrap()["reclaimPolicy"], "Delete");

    let container = &spec["containers"][0];
    assert_eq!(container["image"], "registry.example/engine:7");
    assert_eq!(spec["initContainers"][0]["command"][4], "packages.py");
    let value = |name| variable(container, name);
    assert_eq!(value("SAIL_MODE")["value"], "kubernetes-cluster");
    assert_eq!(value("SAIL_SPARK__SESSION_TIMEOUT_SECS")["value"], "31536000");
    assert_eq!(value("SAIL_CLUSTER__WORKER_MAX_COUNT")["value"], "3");
    assert_eq!(value("SAIL_KUBERNETES__DRIVER_POD_NAME")["valueFrom"]["fieldRef"]["fieldPath"], "metadata.name");
    assert_eq!(value("SAIL_CLUSTER__WORKER_LAUNCH_TIMEOUT_SECS")["value"], "300");
    let template = worker_template(&pod);
    assert_eq!(cluster::unknown_fields::<PodTemplateSpec>(&template), Vec::<String>::new());
    // Without those that Sail sets: Kubernetes refuses a variable with both a value and a reference.
    let variables = |container| secret_variables(container).into_keys().collect::<Vec<_>>();
    assert_eq!(variables(container), ["RUST_LOG", "TOKEN", "TRACEPARENT"]);
    assert_eq!(variables(&template["spec"]["containers"][0]), ["TOKEN"]);
    let spot = json!({"karpenter.sh/capacity-type": "spot", "node.kubernetes.io/instance-type": "c8g.4xlarge"});
    assert_eq!((&template["spec"]["nodeSelector"], machine_terms(&template["spec"])), (&spot, Value::Null));
    assert_eq!(template["metadata"]["labels"]["mainsheet.dev/run"], pod["metadata"]["labels"]["mainsheet.dev/run"]);

    site.worker_is(&sail, 1, &running(true));
    let runner = site.runner_comes_up().await;
    assert_eq!(site.cluster.object("pods", &runner).unwrap()["spec"]["automountServiceAccountToken"], false);
    site.runner_succeeds(&runner, 0);
    let pods = [sail, runner].map(|name| site.cluster.object("pods", &name).map(|pod| pod.to_string()));
    assert!(pods.iter().flatten().all(|pod| !pod.contains(SECRET)));
    let run = site.finished(&id).await;
    assert_eq!(run.status, RunStatus::Succeeded, "{:?}", run.last());
    assert!(!format!("{:?}", run.log).contains(SECRET));
    // What was called is what the manifests grant, and the other way round.
    let kept = site.add(|lease| lease.resource_cleanup_mode = ResourceCleanupMode::Never);
    let pod = site.cluster.pod("-sail").await;
    site.cluster.set_status(&pod, evicted());
    assert_eq!(site.ended(&kept).await.status, RunStatus::Failed);
    until("its secret is gone", || site.cluster.left().iter().all(|(kind, _)| kind != "secrets").then_some(())).await;
    assert_eq!(site.cluster.calls(), manifests::granted());
}

/// What a pod demands of its machine's labels besides those that it selects by.
fn machine_terms(spec: &Value) -> Value {
    spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"].clone()
}

/// A machine that is not taken away, whoever has labelled it, if anybody.
fn durable() -> Value {
    json!([{"matchExpressions": [
        {"key": "karpenter.sh/capacity-type", "operator": "NotIn", "values": ["spot"]},
        {"key": "eks.amazonaws.com/capacityType", "operator": "NotIn", "values": ["SPOT"]},
    ]}])
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_must_last_go_to_machines_that_nobody_has_labelled_too() {
    let site = Site::new().await;
    site.add(|lease| {
        everything(lease);
        let worker = lease.compute.as_mut().unwrap().worker.as_mut().unwrap();
        worker.capacity_type = Some(CapacityType::OnDemand);
    });
    let sail = site.cluster.pod("-sail").await;
    let spec = worker_template(&site.cluster.object("pods", &sail).unwrap())["spec"].clone();
    assert_eq!(spec["nodeSelector"], json!({"node.kubernetes.io/instance-type": "c8g.4xlarge"}));
    assert_eq!(machine_terms(&spec), durable());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_with_a_volume_spills_to_it() {
    let site = Site::new().await;
    // 7 tenths of 8 GiB, and 9 tenths of 50 and of 200 GiB.
    let (pool, small, large) = (json!("6012954213"), json!("48318382080"), json!("193273528320"));
    let on_volumes = |lease: &mut LeasedRun| {
        everything(lease);
        let compute = lease.compute.as_mut().unwrap();
        compute.driver.as_mut().unwrap().instance_type = None;
        compute.worker.as_mut().unwrap().instance_type = None;
    };
    let (fair, none) = (json!("fair"), Value::Null);
    let expected = [[&fair, &pool, &small], [&fair, &pool, &large]].map(|told| told.map(Value::clone));
    assert_eq!(site.spilling(on_volumes).await, expected);
    // What a whole machine has is not known.
    let expected = [[&none, &none, &small], [&none, &none, &large]].map(|told| told.map(Value::clone));
    assert_eq!(site.spilling(everything).await, expected);
    assert_eq!(site.spilling(on_workers).await, [[&none; 3]; 2].map(|told| told.map(Value::clone)));
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_write_to_s3_only() {
    let site = Site::new().await;
    let folder = tempfile::tempdir().unwrap();
    let settings = KubernetesSettings {
        namespace: NAMESPACE.to_owned(),
        service_account: String::new(),
        image: String::new(),
        engine_cpu: String::new(),
        engine_memory: String::new(),
        runner_cpu: String::new(),
        runner_memory: String::new(),
        volume_provisioner: String::new(),
        patience: Duration::ZERO,
    };
    let cluster = Kubernetes::new(site.cluster.client(), settings);
    for output_base in [None, Some("file:///tmp".to_owned()), Some("s3:nowhere".to_owned())] {
        let refused = Agent::start(AgentConfig {
            api_url: site.plane.url.clone(),
            credentials: Credentials::new(site.plane.agent_id.clone(), "0123456789abcdef".into()),
            data_dir: folder.path().to_owned(),
            output_base,
            capacity: None,
            execution: Execution::Kubernetes(Arc::clone(&cluster)),
            clock: Clock::system(),
        });
        assert!(refused.is_err_and(|error| error.to_string().contains("s3://BUCKET/PREFIX")));
    }
}
