//! What others may send, as bytes of any kind: each function takes them to where they would go, and panics where something comes of
//! them that must not. `tests/src/attacks.rs` calls them with bytes that are drawn, and `tests/fuzz` with bytes that libFuzzer finds.

use std::net::IpAddr;
use std::sync::OnceLock;

use mainsheet_cloud::guarded_http::{GuardedHttp, Reach};
use mainsheet_core::Timestamp;
use mainsheet_core::schedule::Schedule;
use reqwest::Url;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::answer::Answer;
use crate::app::TestApp;
use crate::client::Client;
use crate::key::TestKey;
use crate::person::{PASSWORD, Person};

/// Time zones of every make: without changes of the clock, by an hour, by half an hour, and one that left out a day.
const ZONES: [&str; 5] = ["UTC", "Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"];
/// Lists whose markers are tried.
const LISTS: [&str; 3] = ["/org/teams", "/workloads/queries", "/org/audit-log"];
/// Where a client says it sends to.
const HOST: &str = "mainsheet.example";

/// A cron expression. What is taken is due at moments that go on and on, each of them after the one before, however one asks.
pub fn schedule(data: &[u8]) {
    let Some((zone, expression)) = data.split_first() else { return };
    let zone = ZONES[usize::from(*zone) % ZONES.len()];
    let Ok(schedule) = Schedule::parse(&String::from_utf8_lossy(expression), zone) else { return };
    let begin = Timestamp::from_millisecond(1_793_000_000_000);
    let mut last = begin;
    let mut moments = Vec::new();
    while moments.len() < 5 {
        let Some(next) = schedule.next_after(last) else { break };
        assert!(next > last, "{next} comes after {last}");
        moments.push(next);
        last = next;
    }
    let listed: Vec<Timestamp> =
        schedule.occurrences(begin).map(|occurrence| occurrence.at).take(moments.len() + 1).collect();
    let after: Vec<Timestamp> = listed.into_iter().filter(|at| *at > begin).take(moments.len()).collect();
    assert_eq!(after, moments);
}

/// An address that somebody chose to be called at. None is taken that leads to this machine or its neighbours, however it is written;
/// where a name leads is looked at when it is resolved.
pub fn address(data: &[u8]) {
    static HTTP: OnceLock<GuardedHttp> = OnceLock::new();
    let http = HTTP.get_or_init(|| GuardedHttp::new(Reach::Internet).unwrap());
    let text = String::from_utf8_lossy(data);
    for url in [text.clone().into_owned(), format!("https://{text}/hook")] {
        if http.check(&url).is_err() {
            continue;
        }
        let url = Url::parse(&url).unwrap();
        assert_eq!(url.scheme(), "https", "{url}");
        assert!(url.username().is_empty() && url.password().is_none(), "{url}");
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        if let Ok(address) = host.parse::<IpAddr>() {
            assert!(!is_near(address), "{url} leads to {address}");
        }
    }
}

/// Whether an address is of this machine or its neighbours: the rules that the standard library knows.
fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let is_special = address.is_unspecified() || address.is_broadcast() || address.is_multicast();
            is_special || address.is_loopback() || address.is_private() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            let is_special = address.is_unspecified() || address.is_multicast();
            is_special || address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

/// A marker of a list. What is taken leads to where a marker that was answered led to, and nowhere else.
pub fn marker(data: &[u8]) {
    let stage = Stage::get();
    let (list, real, next) =
        &stage.markers[usize::from(data.first().copied().unwrap_or_default()) % stage.markers.len()];
    for marker in [edited(real, data), String::from_utf8_lossy(data).into_owned()] {
        let query: String = url_encoded(&marker);
        let answer = stage.send(stage.owner.client.call("GET", &format!("{list}?limit=1&marker={query}")));
        match answer.status.as_u16() {
            200 => assert_eq!(&answer.json(), next, "{list} went on somewhere else with {marker}"),
            400 | 422 | 431 => {}
            _ => panic!("{list} with {marker}: {answer}"),
        }
    }
}

/// An access token. None is taken but the one that was given.
pub fn token(data: &[u8]) {
    let stage = Stage::get();
    let real = &stage.owner.access_token;
    for token in [edited(real, data), String::from_utf8_lossy(data).into_owned()] {
        stage.refuses(&stage.app.anonymous(), ("authorization", &format!("Bearer {token}")), &format!("Bearer {real}"));
    }
}

/// A proof that a client holds the key of its token. None is taken but the one that was made with it.
pub fn proof(data: &[u8]) {
    let stage = Stage::get();
    let (token, real) = &stage.bound;
    let client = stage.app.anonymous().with("host", HOST).with("authorization", &format!("DPoP {token}"));
    for proof in [edited(real, data), String::from_utf8_lossy(data).into_owned()] {
        stage.refuses(&client, ("dpop", &proof), real);
    }
}

/// A body. Whatever it is, an operation refuses it with a problem that says why, or does what it says.
pub fn body(data: &[u8]) {
    let stage = Stage::get();
    let Some((choice, body)) = data.split_first() else { return };
    let (method, path) = &stage.takers[usize::from(*choice) % stage.takers.len()];
    let answer = stage.send(stage.sender.client.call(method, path).raw("application/json", body.to_vec()));
    assert!(answer.status.as_u16() < 500, "{method} {path}: {answer}");
    if answer.status.as_u16() >= 400 {
        let problem = answer.problem();
        assert!(!problem.code.is_empty() && problem.status == answer.status.as_u16(), "{method} {path}: {answer}");
    }
    stage.runtime.block_on(stage.app.deliver());
}

/// A control plane that everything is sent to.
struct Stage {
    runtime: Runtime,
    app: TestApp,
    owner: Person,
    /// Sends bodies, and may lose what they have by it.
    sender: Person,
    /// Lists, a marker of each, and the page that it leads to.
    markers: Vec<(&'static str, String, Value)>,
    /// A token that is bound to a key, and a proof that was not used.
    bound: (String, String),
    /// Methods and paths of operations that take a body and nothing else.
    takers: Vec<(String, String)>,
}

impl Stage {
    fn get() -> &'static Self {
        static STAGE: OnceLock<Stage> = OnceLock::new();
        STAGE.get_or_init(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            let app = runtime.block_on(TestApp::start()).steady();
            let (owner, sender) = runtime
                .block_on(async { (app.sign_up("owner@example.com").await, app.sign_up("sender@example.com").await) });
            let markers = runtime.block_on(markers(&app, &owner));
            let bound = runtime.block_on(bound(&app, &owner));
            let takers = takers(&app);
            Self { runtime, app, owner, sender, markers, bound, takers }
        })
    }

    fn send(&self, call: crate::client::Call) -> Answer {
        self.runtime.block_on(call.send())
    }

    /// Asserts that a header opens nothing unless it is the `real` one.
    fn refuses(&self, client: &Client, (name, value): (&str, &str), real: &str) {
        let value = value.trim();
        // Others are no headers, and never arrive.
        let is_header = value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte));
        if value == real || !is_header {
            return;
        }
        let answer = self.send(client.call("GET", "/me").header(name, value));
        assert!([401, 431].contains(&answer.status.as_u16()), "{name}: {value} was answered {answer}");
    }
}

/// Lists, a marker of each, and the page that it leads to.
async fn markers(app: &TestApp, owner: &Person) -> Vec<(&'static str, String, Value)> {
    for name in ["one", "two"] {
        let _ = owner.query(name).await;
        let _ = owner.post("/org/teams", crate::build::team(name)).await.expect(201);
    }
    app.deliver().await;
    let mut markers = Vec::new();
    for list in LISTS {
        let marker = owner.get(&format!("{list}?limit=1")).await.expect(200).text("marker");
        let next = owner.get(&format!("{list}?limit=1&marker={marker}")).await.expect(200).json();
        markers.push((list, marker, next));
    }
    markers
}

/// A token that is bound to a key, and a proof for it that was not used.
async fn bound(app: &TestApp, owner: &Person) -> (String, String) {
    let key = TestKey::generate();
    let url = |path: &str| format!("https://{HOST}/api/v1{path}");
    let sign_in = key.proof(("POST", &url("/auth/login")), None, "sign in", app.now());
    let call = app.anonymous().with("host", HOST).call("POST", "/auth/login").header("dpop", &sign_in);
    let tokens = call.json(&json!({ "email": owner.email, "password": PASSWORD })).send().await.expect(200);
    let token = tokens.text("accessToken");
    let proof = key.proof(("GET", &url("/me")), Some(&token), "unused", app.now());
    (token, proof)
}

/// The operations that take a body at a path without names.
fn takers(app: &TestApp) -> Vec<(String, String)> {
    let document = serde_json::to_value(app.document()).unwrap();
    let mut takers = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation["requestBody"].is_object() && !path.contains('{') {
                takers.push((method.to_uppercase(), path.strip_prefix("/api/v1").unwrap_or(path).to_owned()));
            }
        }
    }
    takers
}

/// A text with some of its letters changed, as the bytes say: a place and a letter in turn.
fn edited(text: &str, data: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=";
    let mut letters = text.as_bytes().to_vec();
    for edit in data.chunks_exact(3).take(8) {
        let place = usize::from(u16::from_be_bytes([edit[0], edit[1]])) % letters.len();
        letters[place] = LETTERS[usize::from(edit[2]) % LETTERS.len()];
    }
    String::from_utf8(letters).unwrap()
}

/// Every byte of a text, so that any of them reaches the other side.
fn url_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
