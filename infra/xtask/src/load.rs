//! How many requests a second the embedded platform sustains on this machine, and what a minute of them does to it.
//!
//! Requests are sent when their time has come, whether earlier ones were answered or not, and each is measured from the moment when it
//! was to be sent: a platform that falls behind cannot slow down those who ask, and is not forgiven the time that they waited. Who
//! asks runs on the same machine and takes its share of the processors.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use mainsheet_testkit::{PASSWORD, build};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::platform::Platform;

/// What is tried, and how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Seconds at the highest rate
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Seconds of each try on the way to it
    #[arg(long, default_value_t = 4)]
    search_seconds: u64,
    /// Requests a second, in place of searching for the highest rate
    #[arg(long)]
    rate: Option<u32>,
    /// The platform's program [default: the one that is built for release first]
    #[arg(long)]
    program: Option<PathBuf>,
}

/// At a rate that is sustained all but one in a hundred requests are answered within so long.
const PATIENCE: Duration = Duration::from_millis(100);
/// Where the search begins and ends, in requests a second.
const RATES: (u32, u32) = (50, 20_000);
/// How exactly the highest rate is found: the next one that was tried and not sustained is no more above it.
const EXACTNESS: f64 = 1.1;
/// The share of the highest rate that was found which a whole minute is sent at: the search's tries are short.
const SHARE: f64 = 0.8;
/// Requests under way at which a try is given up.
const MOST_UNDER_WAY: usize = 2_000;
/// What memory may grow by over the second half, beside a tenth of it.
const GROWTH: f64 = 8.0;

/// Tries and prints; fails when a request fails or memory grows.
pub(crate) async fn run(options: &Options) -> ExitCode {
    let program = options.program.clone().unwrap_or_else(Platform::build);
    let mut platform = Platform::start(&program);
    platform.first_answer();
    let scene = Scene::set(&platform.url()).await;
    let rate = match options.rate {
        Some(rate) => rate,
        None => highest(&scene, Duration::from_secs(options.search_seconds)).await,
    };
    let half = Duration::from_secs(options.seconds) / 2;
    let mut memory = vec![platform.resident_megabytes()];
    let mut tried = Tried::default();
    for _ in 0..2 {
        tried.add(send(&scene, rate, half).await);
        memory.push(platform.resident_megabytes());
    }
    platform.stop();
    tried.print(rate, options.seconds);
    println!(
        "memory at the start, in the middle and at the end: {:.0}, {:.0}, {:.0} MB",
        memory[0], memory[1], memory[2]
    );
    let is_flat = memory[2] <= memory[1] * 1.1 + GROWTH;
    if tried.failed == 0 && tried.unsent == 0 && is_flat { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The rate that the last part runs at: doubled until it is not sustained, and then halved in between.
async fn highest(scene: &Scene, time: Duration) -> u32 {
    let (mut sustained, mut refused) = (0, None);
    let mut rate = RATES.0;
    while rate < RATES.1 {
        let tried = send(scene, rate, time).await;
        tried.print(rate, time.as_secs());
        if tried.is_sustained() {
            sustained = rate;
        } else {
            refused = Some(rate);
        }
        rate = match refused {
            None => rate * 2,
            Some(refused) if sustained == 0 || f64::from(refused) <= f64::from(sustained) * EXACTNESS => break,
            Some(refused) => u32::midpoint(sustained, refused),
        };
    }
    assert!(sustained > 0, "not even {} requests a second are sustained", RATES.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 20,000")]
    let rate = (f64::from(sustained) * SHARE) as u32;
    rate
}

/// What became of requests.
#[derive(Default)]
struct Tried {
    /// From the moment when each was to be sent to its answer.
    times: Vec<Duration>,
    failed: usize,
    /// Those that were not sent because too many were under way.
    unsent: usize,
}

impl Tried {
    fn add(&mut self, other: Self) {
        self.times.extend(other.times);
        self.failed += other.failed;
        self.unsent += other.unsent;
    }

    fn at(&self, share: usize) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        times.get((times.len() * share / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default()
    }

    fn is_sustained(&self) -> bool {
        self.failed == 0 && self.unsent == 0 && self.at(99) <= PATIENCE
    }

    fn print(&self, rate: u32, seconds: u64) {
        let milliseconds = |share| self.at(share).as_secs_f64() * 1000.0;
        let (p50, p99, most) = (milliseconds(50), milliseconds(99), milliseconds(100));
        let (sent, failed, unsent) = (self.times.len(), self.failed, self.unsent);
        println!(
            "{rate} requests a second for {seconds} s: {sent} answered, p50 {p50:.1} ms, p99 {p99:.1} ms, longest {most:.1} ms, \
             {failed} failed, {unsent} not sent"
        );
    }
}

/// Sends at a rate for some time, and waits for what is under way.
async fn send(scene: &Scene, rate: u32, time: Duration) -> Tried {
    let (begin, pause) = (Instant::now(), Duration::from_secs(1) / rate);
    let mut tried = Tried::default();
    let mut under_way: JoinSet<(Duration, bool)> = JoinSet::new();
    let note = |answer: (Duration, bool), tried: &mut Tried| {
        tried.times.push(answer.0);
        tried.failed += usize::from(!answer.1);
    };
    for number in 0.. {
        let due = begin + pause * number;
        if due >= begin + time {
            break;
        }
        sleep_until(due).await;
        while let Some(answer) = under_way.try_join_next() {
            note(answer.unwrap(), &mut tried);
        }
        if under_way.len() >= MOST_UNDER_WAY {
            tried.unsent += 1;
            break;
        }
        let request = scene.request(number);
        under_way.spawn(async move {
            let is_right = match request.send().await {
                Ok(answer) => answer.status().is_success() && answer.bytes().await.is_ok(),
                Err(_) => false,
            };
            (due.elapsed(), is_right)
        });
    }
    while let Some(answer) = under_way.join_next().await {
        note(answer.unwrap(), &mut tried);
    }
    tried
}

/// A person with things to ask for.
struct Scene {
    client: Client,
    api: String,
    token: String,
    team: String,
    job: String,
}

impl Scene {
    async fn set(platform: &str) -> Self {
        let client = Client::builder().no_proxy().build().unwrap();
        let api = format!("{platform}/api/v1");
        let mut scene = Self { client, api, token: String::new(), team: String::new(), job: String::new() };
        let email = "owner@example.com";
        let _ = scene.ask(Method::POST, "/auth/signup", Some(build::sign_up(email, PASSWORD, "Load"))).await;
        let token = scene.mailed(platform).await;
        let _ = scene.ask(Method::POST, "/auth/email/verify", Some(json!({ "token": token }))).await;
        let login = json!({ "email": email, "password": PASSWORD });
        let tokens = scene.ask(Method::POST, "/auth/login", Some(login)).await;
        scene.token = text(&tokens["accessToken"]);
        scene.team = text(&scene.ask(Method::GET, "/org/teams", None).await["items"][0]["id"]);
        let cluster = scene.ask(Method::POST, "/workloads/clusters", Some(build::cluster("main"))).await;
        for number in 0..100 {
            let job = build::job(&format!("job-{number}"), &text(&cluster["id"]), &scene.team);
            scene.job = text(&scene.ask(Method::POST, "/workloads/jobs", Some(job)).await["id"]);
        }
        scene
    }

    /// The token of the mail that confirms the address, once it has come.
    async fn mailed(&self, platform: &str) -> String {
        loop {
            let mails: Value =
                self.client.get(format!("{platform}/_local/mail")).send().await.unwrap().json().await.unwrap();
            let words = mails["items"].to_string();
            let tokens = words.split(|letter: char| !letter.is_ascii_alphanumeric() && !"-_.".contains(letter));
            if let Some(token) = tokens.rev().find(|word| word.starts_with("ey") && word.matches('.').count() == 2) {
                return token.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let request = self.client.request(method, format!("{}{path}", self.api)).bearer_auth(&self.token);
        let request = body.into_iter().fold(request, |request, body| request.json(&body));
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Of ten requests four look at a job, two at themselves, two at a page of jobs, one at a page of queries, and one saves a query.
    fn request(&self, number: u32) -> reqwest::RequestBuilder {
        let get = |path: &str| self.client.get(format!("{}{path}", self.api));
        let request = match number % 10 {
            0 | 3 | 6 | 9 => get(&format!("/workloads/jobs/{}", self.job)),
            1 | 5 => get("/me"),
            2 | 7 => get("/workloads/jobs?limit=20"),
            4 => get("/workloads/queries?limit=20"),
            _ => self.client.post(format!("{}/workloads/queries", self.api)).json(&build::query("load", &self.team)),
        };
        request.bearer_auth(&self.token)
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
