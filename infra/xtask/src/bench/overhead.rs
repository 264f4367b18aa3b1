//! `GET /workloads/jobs/{job}` through the router, beside the reads that it stands on made with the SDK alone.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use mainsheet_testkit::{Dump, Person, TestApp, TestTable};

use super::Options;
use super::table::Line;
use super::timing::{Round, figures, round};

/// Overhead may make a request this much dearer than its reads.
const BAR: f64 = 1.5;

type Key = HashMap<String, AttributeValue>;

pub(super) async fn measure(options: &Options) -> Vec<Line> {
    let app = TestApp::start_without_proxy().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let job = owner.job("daily", &cluster).await;
    let run = owner.run(&job).await;
    app.deliver().await;
    let reads = Reads::of(&app, &owner, &job, &run);
    let path = format!("/workloads/jobs/{job}");
    let (mut routed, mut raw): (Vec<Round>, Vec<Round>) = (Vec::new(), Vec::new());
    // The first round warms up and does not count.
    for count in 0..=options.rounds {
        let through_router = round(options.requests, async || drop(owner.get(&path).await.expect(200))).await;
        let alone = round(options.requests, async || reads.make().await).await;
        if count > 0 {
            routed.push(through_router);
            raw.push(alone);
        }
    }
    lines(&routed, &raw)
}

fn lines(routed: &[Round], raw: &[Round]) -> Vec<Line> {
    let sides = |name: &str, figure: fn(&Round) -> f64| {
        let (of, to) = (figures(routed, figure), figures(raw, figure));
        let ratio = Line::ratio(format!("  {name}, request / reads"), &of, &to, BAR);
        let request = Line::shown(format!("GET /workloads/jobs/{{job}} through the router, {name}"), "ms", of);
        (request, Line::shown(format!("its three reads with the SDK alone, {name}"), "ms", to), ratio)
    };
    let (request_p50, reads_p50, ratio_p50) = sides("p50", |round| round.p50);
    let (request_p99, reads_p99, ratio_p99) = sides("p99", |round| round.p99);
    let (request_cpu, reads_cpu, ratio_cpu) = sides("processor time", |round| round.cpu);
    vec![request_p50, reads_p50, ratio_p50, request_p99, reads_p99, ratio_p99, request_cpu, reads_cpu, ratio_cpu]
}

/// The reads that the request needs.
struct Reads {
    client: Client,
    table: &'static str,
    identity: Vec<Key>,
    job: Key,
    links: Vec<Key>,
}

impl Reads {
    fn of(app: &TestApp, owner: &Person, job: &str, run: &str) -> Self {
        let table: &TestTable = app.table();
        let dump = table.dump();
        let one = |kind: &str| key_of(&dump, |(_, _), row| row["kind"] == kind);
        let with_id = |kind: &str, id: &str| key_of(&dump, |(_, sk), row| row["kind"] == kind && sk == id);
        let count = key_of(&dump, |(_, sk), _| sk == "COUNT#JOBS");
        Self {
            client: table.client().clone(),
            table: table.name(),
            identity: vec![one("login"), one("access")],
            job: with_id("job", job),
            links: vec![with_id("team", &owner.team_id), with_id("job_run", run), count],
        }
    }

    async fn make(&self) {
        assert_eq!(self.batch(&self.identity).await, self.identity.len());
        let job = self.client.get_item().table_name(self.table).set_key(Some(self.job.clone())).consistent_read(true);
        assert!(job.send().await.unwrap().item.is_some());
        assert_eq!(self.batch(&self.links).await, self.links.len());
    }

    /// How many of the rows there are.
    async fn batch(&self, keys: &[Key]) -> usize {
        let keys = KeysAndAttributes::builder().set_keys(Some(keys.to_vec())).consistent_read(true).build().unwrap();
        let answer = self.client.batch_get_item().request_items(self.table, keys).send().await.unwrap();
        answer.responses.unwrap_or_default().values().map(Vec::len).sum()
    }
}

/// The key of the only row that fits.
fn key_of(dump: &Dump, fits: impl Fn(&(String, String), &serde_json::Value) -> bool) -> Key {
    let mut found = dump.rows.iter().filter(|(key, row)| fits(key, row)).map(|(key, _)| key);
    let (pk, sk) = found.next().unwrap().clone();
    assert!(found.next().is_none(), "several rows fit beside {pk} {sk}");
    Key::from([("pk".to_owned(), AttributeValue::S(pk)), ("sk".to_owned(), AttributeValue::S(sk))])
}
