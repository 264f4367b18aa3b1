//! What others may send, as bytes of any kind: each function takes them to where they would go, and panics where something comes of
//! them that must not. `tests/src/attacks.rs` calls them with bytes that are drawn, and `tests/fuzz` with bytes that libFuzzer finds.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mainsheet_cloud::guarded_http::{Failure, GuardedHttp, Lookup, Reach};
use mainsheet_core::Timestamp;
use mainsheet_core::schedule::Schedule;
use reqwest::Url;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::answer::Answer;
use crate::app::TestApp;
use crate::client::Call;
use crate::key::TestKey;
use crate::person::{PASSWORD, Person};
use crate::takers::Taker;

/// Time zones of every make: without changes of the clock, by an hour, by half an hour, and one that left out a day.
const ZONES: [&str; 5] = ["UTC", "Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"];
/// When their clocks change.
const CHANGES: [&str; 7] = [
    "2026-10-25T01:00:00.000Z",
    "2027-03-28T01:00:00.000Z",
    "2026-11-01T06:00:00.000Z",
    "2027-03-14T07:00:00.000Z",
    "2026-10-03T15:30:00.000Z",
    "2027-04-03T15:00:00.000Z",
    "2011-12-30T10:00:00.000Z",
];
/// How long before: before the hour that comes twice, and just before.
const LEADS: [Duration; 2] = [Duration::from_secs(70 * 60), Duration::from_secs(2 * 60)];
/// Lists whose markers are tried.
const LISTS: [&str; 3] = ["/org/teams", "/workloads/queries", "/org/audit-log"];
/// Where a client says it sends to.
const HOST: &str = "mainsheet.example";

/// A cron expression. What is taken is due at moments that go on and on, each of them after the one before, however one asks.
pub fn schedule(data: &[u8]) {
    let Some((choice, expression)) = data.split_first() else { return };
    let mut choice = usize::from(*choice);
    let zone = chosen(&ZONES, &mut choice);
    let Ok(schedule) = Schedule::parse(&String::from_utf8_lossy(expression), zone) else { return };
    let lead = *chosen(&LEADS, &mut choice);
    let begin = chosen(&CHANGES, &mut choice).parse::<Timestamp>().unwrap() - lead;
    let mut last = begin;
    let mut moments = Vec::new();
    while moments.len() < 5 {
        let Some(next) = schedule.next_after(last) else { break };
        assert!(next > last, "{next} comes after {last}");
        assert_eq!(next.as_millisecond() % 60_000, 0, "{next} is no whole minute");
        for asked in [last + next.since(last) / 2, next - Duration::from_millis(1)] {
            assert_eq!(schedule.next_after(asked), Some(next), "after {asked}, which is after {last}");
        }
        moments.push(next);
        last = next;
    }
    let listed: Vec<Timestamp> =
        schedule.occurrences(begin).map(|occurrence| occurrence.at).take(moments.len() + 1).collect();
    let after: Vec<Timestamp> = listed.into_iter().filter(|at| *at > begin).take(moments.len()).collect();
    assert_eq!(after, moments);
}

/// One of these, as the number says; what is left of the number says more.
fn chosen<'a, T>(of: &'a [T], number: &mut usize) -> &'a T {
    let one = &of[*number % of.len()];
    *number /= of.len();
    one
}

/// An address that somebody chose to be called at. None is taken that is one of this machine or its neighbours, however it is written,
/// and none is called whose name has such an address among others.
pub fn address(data: &[u8]) {
    static GUARD: OnceLock<(GuardedHttp, Arc<FarAndNear>, Runtime)> = OnceLock::new();
    let (http, lookup, runtime) = GUARD.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let lookup = Arc::new(FarAndNear::default());
        (GuardedHttp::with_lookup(Reach::Internet, Arc::<FarAndNear>::clone(&lookup)).unwrap(), lookup, runtime)
    });
    let text = String::from_utf8_lossy(data);
    for url in [text.clone().into_owned(), format!("https://{text}/hook")] {
        if http.check(&url).is_err() {
            continue;
        }
        let url = Url::parse(&url).unwrap();
        assert_eq!(url.scheme(), "https", "{url}");
        assert!(url.username().is_empty() && url.password().is_none(), "{url}");
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        if let Ok(address) = host.parse::<IpAddr>() {
            assert!(!is_near(address), "{url} leads to {address}");
        } else if let Ok(request) = Request::get(url.as_str()).body(Vec::new()) {
            let answer = runtime.block_on(http.send(request));
            let was_asked_for = lookup.names.lock().unwrap().remove(host);
            let is_refused = matches!(answer, Err(Failure::Refused(_)));
            // What is no name to the client at all goes nowhere before that.
            assert!(is_refused || (answer.is_err() && !was_asked_for), "{url}: {answer:?}");
        }
    }
}

/// Each name has two addresses: one on the internet, and one that is near.
#[derive(Default)]
struct FarAndNear {
    /// Those that were asked for.
    names: Mutex<HashSet<String>>,
}

/// Addresses of this machine and its neighbours.
const NEAR: [&str; 10] = [
    "127.0.0.1",
    "10.0.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "0.0.0.0",
    "::1",
    "::ffff:192.168.0.1",
    "64:ff9b::7f00:1",
    "fd00::1",
    "fe80::1",
];

#[async_trait]
impl Lookup for FarAndNear {
    async fn addresses(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        self.names.lock().unwrap().insert(name.to_owned());
        let both = ["1.1.1.1", NEAR[name.len() % NEAR.len()]];
        Ok(both.map(|address| address.parse::<IpAddr>().unwrap()).to_vec())
    }
}

/// Whether an address is of this machine or its neighbours.
fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            let is_special = first == 0 || address.is_multicast() || first >= 240;
            let is_shared = first == 100 && (64..128).contains(&second);
            is_special || is_shared || address.is_loopback() || address.is_private() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            let is_special = address.is_unspecified() || address.is_multicast();
            let is_local = address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local();
            is_special || is_local || translated(address).is_some_and(|address| is_near(address.into()))
        }
    }
}

/// The IPv4 address that is meant by one of IPv6: compatible, by NAT64 or by 6to4.
fn translated(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
        }
        _ => None,
    }
}

/// A marker of a list. What is taken leads to where a marker that was answered led to, and nowhere else; one of another list or
/// organization leads nowhere.
pub fn marker(data: &[u8]) {
    let stage = Stage::get();
    let number = |at: usize| usize::from(data.get(at).copied().unwrap_or_default());
    let (list, _, next) = &stage.markers[number(0) % LISTS.len()];
    let (_, known, _) = &stage.markers[number(1) % stage.markers.len()];
    for marker in [edited(known, data.get(2..).unwrap_or_default()), String::from_utf8_lossy(data).into_owned()] {
        let query: String = url_encoded(&marker);
        let answer = stage.send(stage.owner.client.call("GET", &format!("{list}?limit=1&marker={query}")));
        match answer.status.as_u16() {
            200 => assert_eq!(&answer.json(), next, "{list} went on somewhere else with {marker}"),
            400 | 422 | 431 => {}
            _ => panic!("{list} with {marker}: {answer}"),
        }
    }
}

/// A token: a person's, a service account's or an agent's. None is taken but the one that was given.
pub fn token(data: &[u8]) {
    let stage = Stage::get();
    let door = &stage.doors[usize::from(data.first().copied().unwrap_or_default()) % stage.doors.len()];
    let text = String::from_utf8_lossy(data).into_owned();
    let tokens = [
        edited(&door.token, data.get(1..).unwrap_or_default()),
        stage.forged(&stage.owner.access_token, data),
        text.clone(),
    ];
    for value in tokens.map(|token| format!("Bearer {token}")).into_iter().chain([text]) {
        stage.refuses(door.call(&stage.app), ("authorization", &value), &format!("Bearer {}", door.token));
    }
}

/// A proof that a client holds the key of its token. None is taken but the one that was made with it.
pub fn proof(data: &[u8]) {
    let stage = Stage::get();
    let (token, real) = &stage.bound;
    let client = stage.app.anonymous().with("host", HOST).with("authorization", &format!("DPoP {token}"));
    for proof in [edited(real, data), stage.forged(real, data), String::from_utf8_lossy(data).into_owned()] {
        stage.refuses(client.call("GET", "/me"), ("dpop", &proof), real);
    }
}

/// A body. Whatever it is, an operation refuses it with a problem that says why, or does what it says; what is no JSON is refused.
pub fn body(data: &[u8]) {
    let stage = Stage::get();
    let Some((choice, body)) = data.split_first() else { return };
    let taker = &stage.takers[usize::from(*choice) % stage.takers.len()];
    let answer = stage.send(taker.call().raw("application/json", body.to_vec()));
    assert!(answer.status.as_u16() < 500, "{answer}");
    let is_json = serde_json::from_slice::<Value>(body).is_ok();
    assert!(is_json || answer.status.as_u16() >= 400, "it took what is no JSON: {answer}");
    if answer.status.as_u16() >= 400 {
        let problem = answer.problem();
        assert!(!problem.code.is_empty() && problem.status == answer.status.as_u16(), "{answer}");
    }
    stage.runtime.block_on(stage.app.deliver());
}

/// A control plane that everything is sent to.
struct Stage {
    runtime: Runtime,
    app: TestApp,
    owner: Person,
    /// Lists, a marker of each, and the page that it leads to: the owner's, and then somebody else's.
    markers: Vec<(&'static str, String, Value)>,
    /// What opens with a token, and with nothing else.
    doors: Vec<Door>,
    /// Whose signature counts for nothing.
    stranger: TestKey,
    /// A token that is bound to a key, and a proof that was not used.
    bound: (String, String),
    /// Operations that take a body. Somebody else sends these, who may lose by it what they have.
    takers: Vec<Taker>,
}

/// A request that a token makes possible.
struct Door {
    method: &'static str,
    path: &'static str,
    body: Option<Value>,
    token: String,
}

impl Door {
    fn call(&self, app: &TestApp) -> Call {
        let call = app.anonymous().call(self.method, self.path);
        self.body.iter().fold(call, Call::json)
    }
}

impl Stage {
    fn get() -> &'static Self {
        static STAGE: OnceLock<Stage> = OnceLock::new();
        STAGE.get_or_init(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            let app = runtime.block_on(TestApp::start_prompt()).steady();
            let (owner, sender) = runtime
                .block_on(async { (app.sign_up("owner@example.com").await, app.sign_up("sender@example.com").await) });
            let doors = runtime.block_on(doors(&app, &owner));
            let bound = runtime.block_on(bound(&app, &owner));
            // Last: nothing of the owner's is written after it, which could come to stand on a page.
            let mut known = runtime.block_on(markers(&app, &owner));
            known.extend(runtime.block_on(markers(&app, &sender)));
            let takers = runtime.block_on(Taker::all(&app, &sender));
            let stranger = TestKey::generate();
            Self { runtime, app, owner, markers: known, doors, stranger, bound, takers }
        })
    }

    fn send(&self, call: Call) -> Answer {
        self.runtime.block_on(call.send())
    }

    /// Asserts that a header opens nothing unless it is the `real` one.
    fn refuses(&self, call: Call, (name, value): (&str, &str), real: &str) {
        let value = value.trim();
        // Others are no headers, and never arrive.
        let is_header = value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte));
        if value == real || !is_header {
            return;
        }
        let answer = self.send(call.header(name, value));
        assert!([401, 431].contains(&answer.status.as_u16()), "{name}: {value} was answered {answer}");
    }

    /// A JWT's claims under a header that names another algorithm or brings a key along, signed by a stranger or by nobody.
    fn forged(&self, real: &str, data: &[u8]) -> String {
        const ALGORITHMS: [&str; 5] = ["none", "ES256", "HS256", "EdDSA", "RS256"];
        let mut choice = usize::from(data.first().copied().unwrap_or_default());
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
        let parts: Vec<Value> =
            real.split('.').take(2).map(|part| serde_json::from_slice(&decoded(part)).unwrap()).collect();
        let mut header = parts[0].clone();
        header["alg"] = json!(chosen(&ALGORITHMS, &mut choice));
        if *chosen(&[true, false], &mut choice) {
            header["jwk"] = self.stranger.jwk();
        }
        let signed = self.stranger.sign(&header, &parts[1]);
        let (unsigned, _) = signed.rsplit_once('.').unwrap();
        if *chosen(&[true, false], &mut choice) { format!("{unsigned}.") } else { signed }
    }
}

/// What opens with a token of each kind: that it does is seen first.
async fn doors(app: &TestApp, owner: &Person) -> Vec<Door> {
    let account = owner.create("/org/service-accounts", json!({ "username": "robot", "description": "" })).await;
    let key = owner.post(&format!("/org/service-accounts/{account}/keys"), json!({})).await.expect(201).text("key");
    let heartbeat = json!({ "holding": [], "utilization": { "cpu": 0.5, "memory": 0.25, "capacity": 4 } });
    let agent = owner.cluster("main").await;
    let me = |token: String| Door { method: "GET", path: "/me", body: None, token };
    let beat = Door { method: "POST", path: "/agent/heartbeat", body: Some(heartbeat), token: agent.token };
    let doors = vec![me(owner.access_token.clone()), me(key), beat];
    for door in &doors {
        let _ = door.call(app).header("authorization", &format!("Bearer {}", door.token)).send().await.expect(200);
    }
    doors
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

/// A token that is bound to a key, and a proof for it that was not used. One that was used opened.
async fn bound(app: &TestApp, owner: &Person) -> (String, String) {
    let key = TestKey::generate();
    let url = |path: &str| format!("https://{HOST}/api/v1{path}");
    let sign_in = key.proof(("POST", &url("/auth/login")), None, "sign in", app.now());
    let call = app.anonymous().with("host", HOST).call("POST", "/auth/login").header("dpop", &sign_in);
    let tokens = call.json(&json!({ "email": owner.email, "password": PASSWORD })).send().await.expect(200);
    let token = tokens.text("accessToken");
    let proof = |id: &str| key.proof(("GET", &url("/me")), Some(&token), id, app.now());
    let me = app.anonymous().with("host", HOST).with("authorization", &format!("DPoP {token}")).call("GET", "/me");
    let _ = me.header("dpop", &proof("used")).send().await.expect(200);
    let unused = proof("unused");
    (token, unused)
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
