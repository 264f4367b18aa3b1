//! The highest rate of requests that the embedded platform sustains on this machine for a minute, and what that minute does to it.
//!
//! Requests are sent when their time has come, whether earlier ones were answered or not, and each is measured from the moment when it
//! was to be sent: a platform that falls behind cannot slow down those who ask, and is not forgiven the time that they waited. Who
//! asks runs on the same machine and takes its share of the processors.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use mainsheet_testkit::{PASSWORD, build, registration};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, sleep_until, timeout};

use crate::platform::Platform;
use crate::statistics::{median, percentile};
use crate::stop::Stop;

/// What is tried, and how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Seconds that the highest rate has to hold for
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Seconds of each try on the way to it
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    search_seconds: u64,
    /// Requests a second, in place of searching for the highest rate; they need not be answered soon
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// The platform's program [default: the one that is built for release first]
    #[arg(long)]
    program: Option<PathBuf>,
}

/// At a rate that is sustained all but one in a hundred requests are answered within so long.
const PATIENCE: Duration = Duration::from_millis(100);
/// After so long a request has failed.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Where the search begins and ends, in requests a second.
const RATES: (u32, u32) = (50, 20_000);
/// How exactly the search finds the highest rate: the next one that was tried and not sustained is no more above it.
const EXACTNESS: f64 = 1.1;
/// Before anything is measured requests are sent for so long: connections, caches and the code itself are cold.
const WARM_UP: Duration = Duration::from_secs(3);
/// After each try the platform gets so long to finish what it does behind its answers.
const REST: Duration = Duration::from_secs(1);
/// Requests under way at which a try is given up. Each has a connection, and a process may have 1,024 files open.
const MOST_UNDER_WAY: usize = 800;
/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Seconds from which on memory is judged: before, what is filled once is still being filled.
const LONG_ENOUGH: u64 = 60;
/// Memory is flat while the last third has no more than this much of the middle third, and so many megabytes besides.
const GROWTH: (f64, f64) = (1.05, 4.0);

/// Tries and prints; fails when no rate holds, a request of the one that does fails, memory grows, or it is told to stop: then the platform
/// goes with it.
pub(crate) async fn run(options: &Options) -> ExitCode {
    let stop = Stop::listen();
    tokio::select! {
        code = Box::pin(measure(options)) => code,
        () = stop.told() => ExitCode::FAILURE,
    }
}

async fn measure(options: &Options) -> ExitCode {
    let program = options.program.clone().unwrap_or_else(Platform::build);
    let mut platform = Platform::start(&program);
    platform.first_answer();
    let scene = Scene::set(&platform.url()).await;
    let _ = send(&scene, options.rate.unwrap_or(RATES.0), WARM_UP).await;
    let time = Duration::from_secs(options.seconds);
    let held = if let Some(rate) = options.rate {
        Some(hold(&platform, &scene, rate, time).await).filter(|held| held.tried.is_right())
    } else {
        let highest = highest(&scene, Duration::from_secs(options.search_seconds)).await;
        highest_held(&platform, &scene, highest, time).await
    };
    platform.stop();
    let Some(held) = held else {
        println!("no rate held for {} s", options.seconds);
        return ExitCode::FAILURE;
    };
    let cores = std::thread::available_parallelism().unwrap();
    println!("{} requests a second held for {} s, on {cores} cores with who asks", held.rate, options.seconds);
    let is_long_enough = options.seconds >= LONG_ENOUGH;
    if held.memory.is_flat() || !is_long_enough { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The highest rate that short tries sustain: doubled until it is not sustained, and then halved in between.
async fn highest(scene: &Scene, time: Duration) -> u32 {
    let (mut sustained, mut refused) = (0, None);
    let mut rate = RATES.0;
    while rate < RATES.1 {
        let tried = send(scene, rate, time).await;
        tried.print(rate, time);
        sleep(REST).await;
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
    sustained
}

/// The highest rate that is sustained for the whole time: what a short try sustains may fall behind slowly, so each that does not hold is
/// followed by one a tenth lower. None when it takes less than half.
async fn highest_held(platform: &Platform, scene: &Scene, highest: u32, time: Duration) -> Option<Held> {
    let mut rate = highest;
    while rate > highest / 2 {
        let held = hold(platform, scene, rate, time).await;
        if held.tried.is_sustained() {
            return Some(held);
        }
        sleep(REST).await;
        rate = rate * 9 / 10;
    }
    None
}

/// A rate for the whole time.
struct Held {
    rate: u32,
    tried: Tried,
    memory: Memory,
}

/// Sends at a rate for the whole time, and looks at the platform's memory meanwhile.
async fn hold(platform: &Platform, scene: &Scene, rate: u32, time: Duration) -> Held {
    let mut memory = Memory::default();
    let mut look = interval(LOOK_EVERY);
    let mut sending = Box::pin(send(scene, rate, time));
    let tried = loop {
        tokio::select! {
            tried = &mut sending => break tried,
            _ = look.tick() => memory.0.push(platform.resident_megabytes()),
        }
    };
    tried.print(rate, time);
    memory.print();
    Held { rate, tried, memory }
}

/// A process's memory in megabytes, look by look.
#[derive(Default)]
struct Memory(Vec<f64>);

impl Memory {
    /// The medians of the first, the middle and the last third.
    fn thirds(&self) -> [f64; 3] {
        let third = self.0.len().div_ceil(3).max(1);
        let mut thirds = self.0.chunks(third).map(|looks| median(looks.iter().copied()));
        std::array::from_fn(|_| thirds.next().unwrap_or_default())
    }

    fn is_flat(&self) -> bool {
        let [_, middle, last] = self.thirds();
        last <= middle * GROWTH.0 + GROWTH.1
    }

    fn print(&self) {
        let [first, middle, last] = self.thirds();
        let most = self.0.iter().copied().fold(0.0, f64::max);
        let is_flat = if self.is_flat() { "flat" } else { "growing" };
        println!(
            "memory, medians of the thirds: {first:.0}, {middle:.0} and {last:.0} MB, at most {most:.0} MB: {is_flat}"
        );
    }
}

/// What became of requests.
#[derive(Default)]
struct Tried {
    /// From the moment when each was to be sent to its answer.
    times: Vec<Duration>,
    /// How many failed, by what was answered.
    failures: BTreeMap<String, usize>,
    /// Those that were not sent because too many were under way.
    unsent: u32,
}

impl Tried {
    /// The time within which so many in a hundred were answered.
    fn at(&self, share: usize) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        percentile(&times, share)
    }

    /// Whether each was sent and answered as it should be.
    fn is_right(&self) -> bool {
        self.failures.is_empty() && self.unsent == 0
    }

    fn is_sustained(&self) -> bool {
        self.is_right() && self.at(99) <= PATIENCE
    }

    fn note(&mut self, (time, failure): (Duration, Option<String>)) {
        self.times.push(time);
        if let Some(failure) = failure {
            *self.failures.entry(failure).or_default() += 1;
        }
    }

    fn print(&self, rate: u32, time: Duration) {
        let milliseconds = |share| self.at(share).as_secs_f64() * 1000.0;
        let (p50, p99, most) = (milliseconds(50), milliseconds(99), milliseconds(100));
        let (failed, unsent) = (self.failures.values().sum::<usize>(), self.unsent);
        let answered = self.times.len() - failed;
        let kinds: Vec<String> = self.failures.iter().map(|(kind, count)| format!(" ({kind}: {count})")).collect();
        println!(
            "{rate} requests a second for {} s: {answered} answered, p50 {p50:.1} ms, p99 {p99:.1} ms, longest {most:.1} ms, \
             {failed} failed{}, {unsent} not sent",
            time.as_secs(),
            kinds.concat()
        );
    }
}

/// Sends at a rate for some time, and waits for what is under way.
async fn send(scene: &Scene, rate: u32, time: Duration) -> Tried {
    let (begin, pause) = (Instant::now(), Duration::from_secs(1) / rate);
    let mut tried = Tried::default();
    let mut under_way: JoinSet<(Duration, Option<String>)> = JoinSet::new();
    let requests = u32::try_from(time.as_secs()).unwrap() * rate;
    for number in 0..requests {
        let due = begin + pause * number;
        sleep_until(due).await;
        while let Some(answer) = under_way.try_join_next() {
            tried.note(answer.unwrap());
        }
        if under_way.len() >= MOST_UNDER_WAY {
            tried.unsent = requests - number;
            break;
        }
        let request = scene.request(number);
        under_way.spawn(async move {
            let failure = failure(request.send().await).await;
            (due.elapsed(), failure)
        });
    }
    while let Some(answer) = under_way.join_next().await {
        tried.note(answer.unwrap());
    }
    tried
}

/// What is wrong with an answer, once it is read whole.
async fn failure(answer: reqwest::Result<reqwest::Response>) -> Option<String> {
    match answer {
        Ok(answer) if answer.status().is_success() => answer.bytes().await.err().map(|_| "broken off".to_owned()),
        Ok(answer) => Some(answer.status().as_u16().to_string()),
        Err(error) if error.is_timeout() => Some("too late".to_owned()),
        Err(_) => Some("no answer".to_owned()),
    }
}

/// What the agent of the person's cluster made up.
const AGENT_SECRET: &str = "5a1f0c9be27d4836915cf0a7d3e8b264f09c71de58ab3426c1d0e97fa8b35246";

/// A person with things to ask for.
#[derive(Clone)]
struct Scene {
    client: Client,
    api: String,
    token: String,
    team: String,
    job: String,
}

impl Scene {
    async fn set(platform: &str) -> Self {
        let client = Client::builder().no_proxy().timeout(TIMEOUT).build().unwrap();
        let api = format!("{platform}/api/v1");
        let mut scene = Self { client, api, token: String::new(), team: String::new(), job: String::new() };
        let email = "owner@example.com";
        let _ = scene.ask(Method::POST, "/auth/signup", Some(build::sign_up(email, PASSWORD, "Load"))).await;
        let token = timeout(TIMEOUT, scene.mailed(platform)).await.expect("a mail that confirms the address");
        let _ = scene.ask(Method::POST, "/auth/email/verify", Some(json!({ "token": token }))).await;
        let login = json!({ "email": email, "password": PASSWORD });
        let tokens = scene.ask(Method::POST, "/auth/login", Some(login)).await;
        scene.token = text(&tokens["accessToken"]);
        scene.team = text(&scene.ask(Method::GET, "/org", None).await["defaultTeamId"]);
        let cluster = scene.cluster().await;
        for number in 0..100 {
            let job = build::job(&format!("job-{number}"), &cluster, &scene.team);
            scene.job = text(&scene.ask(Method::POST, "/workloads/jobs", Some(job)).await["id"]);
        }
        scene
    }

    /// A cluster of the team's whose agent lives: jobs are given to no other.
    async fn cluster(&self) -> String {
        let cluster = self.ask(Method::POST, "/workloads/clusters", Some(build::cluster("main"))).await;
        let id = text(&cluster["id"]);
        let teams = json!({ "teamIds": [self.team] });
        let _ = self.ask(Method::POST, &format!("/workloads/clusters/{id}/teams"), Some(teams)).await;
        let registration = registration(&text(&cluster["agentRegistrationToken"]), AGENT_SECRET);
        let registered = self.ask(Method::POST, "/agent/register", Some(registration)).await;
        let agent = Self { token: format!("msa_{}_{AGENT_SECRET}", text(&registered["agentId"])), ..self.clone() };
        let utilization = json!({ "cpu": 0, "memory": 0, "capacity": 1 });
        let _ = agent
            .ask(Method::POST, "/agent/heartbeat", Some(json!({ "holding": [], "utilization": utilization })))
            .await;
        id
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
            sleep(Duration::from_millis(50)).await;
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::Arguments;

    #[test]
    fn nothing_holds_for_no_time_or_at_no_rate() {
        for option in ["--seconds", "--search-seconds", "--rate"] {
            let is_taken = |value| Arguments::try_parse_from(["xtask", "load", option, value]).is_ok();
            assert_eq!(["0", "1"].map(is_taken), [false, true], "{option}");
        }
    }

    #[test]
    fn one_in_a_hundred_may_be_late() {
        let tried = |late: usize| {
            let times = [vec![Duration::from_millis(1); 100 - late], vec![Duration::from_secs(1); late]].concat();
            Tried { times, ..Tried::default() }
        };
        assert!(tried(1).is_sustained());
        assert!(!tried(2).is_sustained());
        assert_eq!(tried(1).at(100), Duration::from_secs(1));
        let failures = BTreeMap::from([("503".to_owned(), 1)]);
        assert!(!Tried { failures, ..tried(0) }.is_sustained());
    }

    #[test]
    fn memory_that_grows_to_the_end_is_not_flat() {
        let memory = |at: fn(u32) -> f64| Memory((0..240).map(at).collect());
        assert!(memory(|_| 50.0).is_flat());
        // What is taken at first is kept: that is no growth.
        assert!(memory(|look| 50.0 + f64::from(look.min(60))).is_flat());
        assert!(!memory(|look| 50.0 + f64::from(look) / 10.0).is_flat());
    }
}
