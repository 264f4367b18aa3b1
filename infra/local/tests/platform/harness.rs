//! A platform as a process of its own, and somebody who is signed in to it.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mainsheet_testkit::{TableProxy, Upstream};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

/// How long anything may take before a test gives up: the first one also prepares the Spark environment.
const PATIENCE: Duration = Duration::from_secs(900);
const POLL: Duration = Duration::from_millis(20);

/// A client of what listens on this machine, whatever proxy leads out of it.
pub(crate) fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// A data directory, and the platform that runs on it.
pub(crate) struct Platform {
    folder: TempDir,
    port: u16,
    table_port: u16,
    /// In front of its table, however often the platform is killed and started again.
    table: TableProxy,
    settings: Vec<(&'static str, String)>,
    process: Option<Child>,
}

impl Platform {
    /// Starts a platform on an empty data directory.
    pub(crate) async fn start(settings: &[(&'static str, &str)]) -> Self {
        let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let folder = tempfile::tempdir().unwrap();
        // Held until all are drawn, so that no two are the same.
        let drawn = [draw_port(), draw_port()];
        let [port, table_port] = drawn.each_ref().map(|listener| listener.local_addr().unwrap().port());
        let table = TableProxy::start(Upstream::at(format!("http://127.0.0.1:{table_port}")), 0);
        drop(drawn);
        let mut platform = Self { folder, port, table_port, table, settings, process: None };
        platform.start_again().await;
        platform
    }

    /// Starts the platform on what is in its data directory.
    pub(crate) async fn start_again(&mut self) {
        self.process = Some(self.command().spawn().unwrap());
        let health = format!("{}/_local/health", self.url());
        let ask = || client().get(&health).timeout(Duration::from_secs(5)).send();
        let start = Instant::now();
        while ask().await.is_err() {
            let ended = self.process.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the platform has ended: {ended:?}");
            assert!(start.elapsed() < PATIENCE, "waited in vain: the platform answers");
            sleep(POLL).await;
        }
    }

    /// Stops the platform and starts it at another port.
    pub(crate) async fn move_to_another_port(&mut self) {
        self.stop(Signal::SIGTERM);
        self.port = draw_port().local_addr().unwrap().port();
        self.start_again().await;
    }

    /// Starts the platform on what is in its data directory, and answers what it says as it ends by itself.
    pub(crate) fn refused(&self) -> String {
        let output = self.command().stderr(Stdio::piped()).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }

    fn command(&self) -> Command {
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mainsheet"));
        command.env("MAINSHEET_PORT", self.port.to_string()).env("MAINSHEET_DATA_DIR", self.data_dir());
        command
            .env("MAINSHEET_TABLE_PORT", self.table_port.to_string())
            .env("MAINSHEET_TABLE_URL", self.table.address());
        command.env("MAINSHEET_ENVIRONMENT_DIR", spark_environment()).env("MAINSHEET_AGENT_CAPACITY", "2");
        command.envs(self.settings.iter().map(|(name, value)| (*name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.stop(Signal::SIGKILL);
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn stop(&mut self, signal: Signal) {
        if let Some(mut process) = self.process.take() {
            kill(Pid::from_raw(i32::try_from(process.id()).unwrap()), signal).unwrap();
            process.wait().unwrap();
        }
    }

    /// How it is set up from its next start on.
    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.settings.push((name, value.to_owned()));
    }

    /// The proxy in front of its table.
    pub(crate) fn table(&self) -> &TableProxy {
        &self.table
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("platform.log")
    }

    /// What is caught of the mail to an address: the last text.
    async fn last_mail(&self) -> String {
        let mails: Value =
            client().get(format!("{}/_local/mail", self.url())).send().await.unwrap().json().await.unwrap();
        mails["items"].as_array().unwrap().last().unwrap()["text"].as_str().unwrap().to_owned()
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.stop(Signal::SIGTERM);
        if std::thread::panicking() {
            eprintln!("{}", std::fs::read_to_string(self.log()).unwrap_or_default());
        }
        // A test that failed half way leaves runs behind, which would go on without it.
        stop_leftovers(self.folder.path());
        if !std::thread::panicking() {
            self.table.assert_rules_kept();
        }
    }
}

/// Ends the processes that were started from files below a folder.
fn stop_leftovers(folder: &Path) {
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&command).contains(folder.to_str().unwrap()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// An owner who is signed in.
pub(crate) struct Owner {
    client: Client,
    url: String,
    token: String,
}

impl Owner {
    /// Signs up, confirms the address and signs in.
    pub(crate) async fn of(platform: &Platform) -> Self {
        let mut owner = Self { client: client(), url: platform.url(), token: String::new() };
        let mut sign_up = credentials();
        sign_up["organizationName"] = json!("Acme");
        owner.post("/auth/signup", &sign_up).await;
        let mail = platform.last_mail().await;
        let token = mail.lines().find(|line| line.starts_with("ey")).unwrap();
        owner.post("/auth/email/verify", &json!({"token": token})).await;
        owner.sign_in().await;
        owner
    }

    /// Finds the platform where it listens now.
    pub(crate) fn follow(&mut self, platform: &Platform) {
        self.url = platform.url();
    }

    /// Signs in; tokens end when the clock is moved.
    pub(crate) async fn sign_in(&mut self) {
        self.token.clear();
        let login = self.post("/auth/login", &credentials()).await;
        login["accessToken"].as_str().unwrap().clone_into(&mut self.token);
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Option<(StatusCode, Value)> {
        let request = self.client.request(method, format!("{}/api/v1{path}", self.url));
        let request = if self.token.is_empty() { request } else { request.bearer_auth(&self.token) };
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = request.send().await.ok()?;
        let status = answer.status();
        let text = answer.text().await.ok()?;
        Some((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.send(Method::POST, path, Some(body)).await.unwrap();
        assert!(status.is_success(), "POST {path}: {status} {answer}");
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.send(Method::GET, path, None).await.unwrap();
        assert!(status.is_success(), "GET {path}: {status} {answer}");
        answer
    }

    /// A file, as it is.
    pub(crate) async fn download(&self, path: &str) -> String {
        let request = self.client.get(format!("{}/api/v1{path}", self.url)).bearer_auth(&self.token);
        request.send().await.unwrap().error_for_status().unwrap().text().await.unwrap()
    }

    /// A cluster; answers its id and its registration token.
    pub(crate) async fn cluster(&self, body: &Value) -> (String, String) {
        let cluster = self.post("/workloads/clusters", body).await;
        (text(&cluster["id"]), text(&cluster["agentRegistrationToken"]))
    }

    /// A job of the default team.
    pub(crate) async fn job(&self, key: &str, cluster: &str, config: Value) -> String {
        let team = text(&self.get("/org/teams").await["items"][0]["team"]["id"]);
        let job = json!({"jobKey": key, "clusterId": cluster, "teamIds": [team], "config": config});
        text(&self.post("/workloads/jobs", &job).await["id"])
    }

    /// A run; answers its path.
    pub(crate) async fn run(&self, job: &str) -> String {
        let run = text(&self.post(&format!("/workloads/jobs/{job}/runs"), &json!({})).await["id"]);
        format!("/workloads/jobs/{job}/runs/{run}")
    }

    /// The run once it has ended; answers meanwhile may fail.
    pub(crate) async fn ended(&self, run: &str) -> Value {
        self.reached(run, |status| matches!(status, "succeeded" | "failed" | "cancelled" | "timeout")).await
    }

    /// The run once its status fits.
    pub(crate) async fn reached(&self, run: &str, fits: impl Fn(&str) -> bool) -> Value {
        eventually(run, || async {
            let (_, run) = self.send(Method::GET, run, None).await?;
            run["status"].as_str().is_some_and(&fits).then_some(run)
        })
        .await
    }
}

fn credentials() -> Value {
    json!({"email": "ada@example.com", "password": "four sails, one quiet harbour"})
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

/// Asks again and again until there is an answer.
pub(crate) async fn eventually<T, A: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> A) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        sleep(POLL).await;
    }
}

/// Waits for something, but not for ever.
pub(crate) async fn in_time<T>(what: &str, coming: impl Future<Output = T>) -> T {
    timeout(PATIENCE, coming).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

fn draw_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// One Spark environment for all tests of the workspace.
pub(crate) fn spark_environment() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("spark-environment")
}
