//! The agent's side of the wire: calls to the control plane, and what their failures mean.

use std::time::Duration;

use mainsheet_core::agent_protocol::{
    AgentRegistered, AgentRegistration, Heartbeat, HeartbeatAnswer, HeldRun, LeaseAnswer, LeaseRequest, LogBatch,
    LogTaken, MAX_WAIT, ReportsTaken, ResultsReport, RunReports,
};
use reqwest::header::RETRY_AFTER;
use reqwest::{Method, Response, StatusCode, Url};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::credentials::Credentials;

const CALL_TIMEOUT: Duration = Duration::from_secs(15);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The longest that a control plane may ask for with `Retry-After`.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The agent's credentials are good for nothing any more: its cluster was retired.
    #[error("the control plane refuses this agent's credentials: its cluster was retired")]
    Revoked,
    /// The run is no longer this agent's under this lease.
    #[error("the run is no longer this agent's: {0}")]
    Lost(String),
    /// The control plane understands the message and does not want it: a defect on one of the two sides.
    #[error("the control plane refused: {0}")]
    Refused(String),
    /// It will pass.
    #[error("the control plane cannot be reached: {why}")]
    Unavailable {
        /// What is known about it.
        why: String,
        /// How long the control plane asks to wait.
        retry_after: Option<Duration>,
    },
}

/// What the agent needs of a problem response.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Problem {
    code: String,
    title: String,
    detail: String,
    message: String,
}

/// The control plane, as one agent sees it.
#[derive(Clone)]
pub(crate) struct ControlPlane {
    http: reqwest::Client,
    base: String,
    authorization: Option<secrecy::SecretString>,
}

impl ControlPlane {
    /// For an agent with or, before it is registered, without credentials.
    ///
    /// # Errors
    /// When the address is no HTTP address, or this machine cannot do TLS.
    pub(crate) fn new(api_url: &str, credentials: Option<&Credentials>) -> Result<Self, String> {
        let url: Url = api_url.parse().map_err(|error| format!("{api_url} is no address: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("{api_url} is no HTTP address"));
        }
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("mainsheet-agent/", env!("CARGO_PKG_VERSION")));
        if url.host_str().is_some_and(|host| matches!(host, "127.0.0.1" | "localhost" | "[::1]")) {
            http = http.no_proxy();
        }
        Ok(Self {
            http: http.build().map_err(|error| error.to_string())?,
            base: api_url.trim_end_matches('/').to_owned(),
            authorization: credentials.map(Credentials::bearer),
        })
    }

    pub(crate) async fn register(&self, body: &AgentRegistration) -> Result<AgentRegistered, CallError> {
        self.call(Method::POST, "/agent/register", body, CALL_TIMEOUT).await
    }

    pub(crate) async fn heartbeat(&self, body: &Heartbeat) -> Result<HeartbeatAnswer, CallError> {
        self.call(Method::POST, "/agent/heartbeat", body, CALL_TIMEOUT).await
    }

    pub(crate) async fn lease(&self, body: &LeaseRequest) -> Result<LeaseAnswer, CallError> {
        self.call(Method::POST, "/agent/lease", body, MAX_WAIT + CALL_TIMEOUT).await
    }

    pub(crate) async fn report(&self, run: &HeldRun, body: &RunReports) -> Result<ReportsTaken, CallError> {
        self.call(Method::POST, &path_of(run, "events"), body, CALL_TIMEOUT).await
    }

    pub(crate) async fn log(&self, run: &HeldRun, body: &LogBatch) -> Result<LogTaken, CallError> {
        self.call(Method::POST, &path_of(run, "logs"), body, CALL_TIMEOUT).await
    }

    pub(crate) async fn results(&self, run: &HeldRun, body: &ResultsReport) -> Result<(), CallError> {
        self.send(Method::PUT, &path_of(run, "results"), body, CALL_TIMEOUT).await.map(drop)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
        timeout: Duration,
    ) -> Result<T, CallError> {
        self.send(method, path, body, timeout).await?.json().await.map_err(|error| unavailable(&error))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
        timeout: Duration,
    ) -> Result<Response, CallError> {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).timeout(timeout).json(body);
        if let Some(authorization) = &self.authorization {
            request = request.bearer_auth(authorization.expose_secret());
        }
        let response = request.send().await.map_err(|error| unavailable(&error))?;
        if response.status().is_success() { Ok(response) } else { Err(refusal(response).await) }
    }
}

fn path_of(run: &HeldRun, what: &str) -> String {
    format!("/agent/jobs/{}/runs/{}/{what}", run.job_id, run.job_run_id)
}

fn unavailable(error: &reqwest::Error) -> CallError {
    // The innermost cause says what happened; the outer ones only name the address again.
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    CallError::Unavailable { why: cause.to_string(), retry_after: None }
}

/// What an answer other than success means.
async fn refusal(response: Response) -> CallError {
    let status = response.status();
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let problem: Problem = response.json().await.unwrap_or_default();
    let said = [problem.detail, problem.message, problem.title].into_iter().find(|text| !text.is_empty());
    let why = format!("{status} {} {}", problem.code, said.unwrap_or_default()).trim_end().to_owned();
    match status {
        StatusCode::UNAUTHORIZED => CallError::Revoked,
        StatusCode::NOT_FOUND | StatusCode::CONFLICT => CallError::Lost(why),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            CallError::Unavailable { why, retry_after: seconds.map(Duration::from_secs) }
        }
        status if status.is_server_error() => {
            CallError::Unavailable { why, retry_after: seconds.map(Duration::from_secs) }
        }
        _ => CallError::Refused(why),
    }
}

/// The growing, jittered pauses between tries at something that will work again.
#[derive(Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// It works again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Waits before the next try, at least as long as was asked for.
    pub(crate) async fn pause(&mut self, retry_after: Option<Duration>) {
        sleep(self.next(retry_after)).await;
    }

    fn next(&mut self, retry_after: Option<Duration>) -> Duration {
        let longest = (FIRST_PAUSE * 2_u32.saturating_pow(self.failures.min(16))).min(LONGEST_PAUSE);
        self.failures += 1;
        // Between half of it and all of it, so that agents of a restarted control plane do not all come at once.
        let share = f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX);
        let pause = longest.mul_f64(0.5 + share / 2.0);
        retry_after.map_or(pause, |asked| pause.max(asked.min(LONGEST_RETRY_AFTER)))
    }
}

/// Calls until there is an answer that waiting does not change.
pub(crate) async fn persist<T, F>(call: impl Fn() -> F) -> Result<T, CallError>
where
    F: Future<Output = Result<T, CallError>>,
{
    let mut backoff = Backoff::default();
    loop {
        match call().await {
            Err(CallError::Unavailable { why, retry_after }) => {
                tracing::debug!(why, "the control plane cannot be reached; trying again");
                backoff.pause(retry_after).await;
            }
            answer => return answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_heed_what_is_asked() {
        let mut backoff = Backoff::default();
        let pauses: Vec<Duration> = (0..20).map(|_| backoff.next(None)).collect();
        assert!(pauses[0] <= FIRST_PAUSE && pauses[0] >= FIRST_PAUSE / 2);
        assert!(pauses.iter().take(3).sum::<Duration>() < Duration::from_secs(2), "{pauses:?}");
        assert!(pauses[19] >= LONGEST_PAUSE / 2 && pauses[19] <= LONGEST_PAUSE);
        assert!(backoff.next(Some(Duration::from_secs(30))) >= Duration::from_secs(30));
        assert!(backoff.next(Some(Duration::from_secs(3000))) <= LONGEST_RETRY_AFTER);
        backoff.reset();
        assert!(backoff.next(None) <= FIRST_PAUSE);
    }
}
