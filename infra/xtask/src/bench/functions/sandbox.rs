//! A package as it runs in Lambda: a process, and the runtime's API that it asks for events.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use mainsheet_core::Clock;
use nix::sys::signal::{Signal, kill};
use nix::time::ClockId;
use nix::unistd::Pid;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Package;
use super::table_front::TableFront;

const FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:workloads";
/// What a function gets in `template.yaml`, in MB. Nothing holds a process to it here.
const MEMORY: &str = "256";
/// How long an answer may take at most; a counted process is some fifty times slower.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running package. It is killed with it.
pub(super) struct Sandbox {
    process: Child,
    started: Instant,
    events: mpsc::UnboundedSender<Bytes>,
    words: mpsc::UnboundedReceiver<Word>,
    api: JoinHandle<()>,
    log: PathBuf,
}

/// What was answered to an event.
pub(super) struct Answer {
    /// From the package's start.
    pub(super) since_start: Duration,
    /// From when the event was handed out.
    pub(super) took: Duration,
    body: Bytes,
}

impl Answer {
    /// As the HTTP API reads it: `statusCode`, `headers`, `body`.
    pub(super) fn response(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Asserts that it is what was asked for: to refuse is quicker than to work.
    #[track_caller]
    pub(super) fn succeeded(self) -> Self {
        let response = self.response();
        assert_eq!(response["statusCode"], 200, "{response}");
        self
    }
}

/// What a package says.
enum Word {
    Answer { at: Instant, took: Duration, body: Bytes },
    Failure(String),
}

struct Api {
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<Bytes>>,
    words: mpsc::UnboundedSender<Word>,
    handed_out: Mutex<Instant>,
    count: AtomicU64,
}

impl Sandbox {
    /// Starts a package, as `wrapper` runs it if there is one.
    pub(super) async fn start(package: Package, table: &TableFront, wrapper: &[String]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (events, to_hand_out) = mpsc::unbounded_channel();
        let (said, words) = mpsc::unbounded_channel();
        let started = Instant::now();
        let api = Api {
            events: tokio::sync::Mutex::new(to_hand_out),
            words: said,
            handed_out: Mutex::new(started),
            count: AtomicU64::default(),
        };
        let api = tokio::spawn(async move { axum::serve(listener, router(api)).await.unwrap() });
        let folder = table.packages.join(package.name());
        let program = [folder.join("bootstrap").display().to_string()];
        let command: Vec<&String> = wrapper.iter().chain(&program).collect();
        let log = table.packages.join(format!("{}.log", package.name()));
        let errors = File::create(&log).unwrap();
        let mut command = {
            let mut program = Command::new(command[0]);
            program.args(&command[1..]).current_dir(&folder).env_clear().envs(environment(&address, table));
            program.stdin(Stdio::null()).stdout(errors.try_clone().unwrap()).stderr(errors);
            program
        };
        let started = Instant::now();
        Self { process: command.spawn().unwrap(), started, events, words, api, log }
    }

    /// Hands out an event and waits for what is answered.
    pub(super) async fn invoke(&mut self, event: Bytes) -> Answer {
        self.events.send(event).unwrap();
        match tokio::time::timeout(PATIENCE, self.words.recv()).await {
            Ok(Some(Word::Answer { at, took, body })) => Answer { since_start: at - self.started, took, body },
            Ok(Some(Word::Failure(text))) => panic!("an event was not handled: {text}; see {}", self.log.display()),
            Ok(None) | Err(_) => panic!("no answer; see {}", self.log.display()),
        }
    }

    /// The processor time of the process so far.
    pub(super) fn processor_time(&self) -> Duration {
        ClockId::pid_cpu_clock_id(self.pid()).unwrap().now().unwrap().into()
    }

    /// The most memory that it had so far, in MB.
    pub(super) fn peak_megabytes(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kilobytes / 1024.0
    }

    /// Asks it to end, and waits until it has.
    pub(super) fn end(mut self) {
        kill(self.pid(), Signal::SIGTERM).unwrap();
        let _ = self.process.wait().unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id().cast_signed())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        self.api.abort();
    }
}

/// What Lambda tells a process, and where table and trust are: the same for every package.
fn environment(api: &str, table: &TableFront) -> Vec<(&'static str, String)> {
    let tls = table.packages.join("tls");
    let path = |name: &str| tls.join(name).display().to_string();
    let of_lambda = [
        ("AWS_LAMBDA_RUNTIME_API", api),
        ("AWS_LAMBDA_FUNCTION_NAME", "workloads"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", MEMORY),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/workloads"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/21/[$LATEST]0123456789abcdef"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_DEFAULT_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "the table takes any credentials"),
        ("AWS_SESSION_TOKEN", "of a role"),
        ("AWS_ENDPOINT_URL_DYNAMODB", table.url.as_str()),
        ("MAINSHEET_TABLE", "mainsheet"),
        ("MAINSHEET_METRICS", "mainsheet"),
        ("LANG", "C.UTF-8"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("TZ", ":UTC"),
    ];
    // The roots of this machine and the one that signed the table's certificate. Node has roots of its own besides.
    let of_trust = [
        ("SSL_CERT_FILE", path("trusted.pem")),
        ("SSL_CERT_DIR", path("none")),
        ("AWS_CA_BUNDLE", path("trusted.pem")),
        ("NODE_EXTRA_CA_CERTS", path("authority.pem")),
        ("MAINSHEET_SEALING_KEY_SECRET", format!("file:{}", path("sealing.secret"))),
    ];
    of_lambda.into_iter().map(|(name, value)| (name, value.to_owned())).chain(of_trust).collect()
}

fn router(api: Api) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(error))
        .with_state(Arc::new(api))
}

async fn next(State(api): State<Arc<Api>>) -> impl IntoResponse {
    let Some(event) = api.events.lock().await.recv().await else { return Err(StatusCode::GONE) };
    let count = api.count.fetch_add(1, Ordering::Relaxed) + 1;
    let deadline = Clock::system().now() + Duration::from_secs(10);
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("lambda-runtime-aws-request-id", format!("00000000-0000-4000-8000-{count:012}")),
        ("lambda-runtime-deadline-ms", deadline.as_millisecond().to_string()),
        ("lambda-runtime-invoked-function-arn", FUNCTION.to_owned()),
        ("lambda-runtime-trace-id", "Root=1-6b0d7a10-5f8a3c2e4d1b0a9f8e7d6c5b;Sampled=0".to_owned()),
    ];
    *api.handed_out.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    Ok((headers, event))
}

async fn response(State(api): State<Arc<Api>>, Path(_): Path<String>, body: Bytes) -> StatusCode {
    let at = Instant::now();
    let took = at - *api.handed_out.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = api.words.send(Word::Answer { at, took, body });
    StatusCode::ACCEPTED
}

async fn error(State(api): State<Arc<Api>>, body: String) -> StatusCode {
    let _ = api.words.send(Word::Failure(body));
    StatusCode::ACCEPTED
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of the template below one of its keys.
    fn section<'t>(template: &'t str, key: &str) -> impl Iterator<Item = &'t str> {
        let deep = |line: &str| line.len() - line.trim_start().len();
        let mut lines = template.lines().skip_while(move |line| *line != key);
        let depth = lines.next().map(deep).expect("a key of the template");
        lines.take_while(move |line| line.is_empty() || deep(line) > depth)
    }

    #[test]
    fn a_package_has_the_settings_that_are_deployed() {
        let template = std::fs::read_to_string(crate::root().join("template.yaml")).unwrap();
        let table = TableFront { url: "https://127.0.0.1".to_owned(), packages: PathBuf::new() };
        let given: Vec<&str> = environment("127.0.0.1", &table).into_iter().map(|(name, _)| name).collect();
        for line in section(&template, "Globals:").chain(section(&template, "  Workloads:")) {
            if let Some((name, _)) = line.trim().split_once(':').filter(|(name, _)| name.starts_with("MAINSHEET_")) {
                assert!(given.contains(&name), "{name} is not set");
            }
        }
    }
}
