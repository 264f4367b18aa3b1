//! A page of `GET /workloads/jobs` where there are ten jobs, beside one where there are a hundred thousand; and of networks, members and
//! runs of a job where there are ten, beside ten thousand.

use dynoxide::types::{AttributeValue, Item};
use mainsheet_testkit::{Person, TestApp};

use super::Options;
use super::table::Line;
use super::timing::{Round, figures, round};

/// A page of the long list may cost this much more than one of the short list.
const BAR: f64 = 1.25;
/// Jobs in the short list.
const FEW: usize = 10;
/// Jobs on a page: fewer than in the short list, so that it has a second page.
const LIMIT: usize = 5;

/// Things in the other long lists.
const MANY: usize = 10_000;

const FIRST: &str = "first page";
const MARKED: &str = "page by marker";

pub(super) async fn measure(options: &Options) -> Vec<Line> {
    let jobs = [List::of_jobs(FEW).await, List::of_jobs(options.jobs).await];
    let mut lines = compare(options, ("jobs", options.jobs), &jobs).await;
    let networks = [List::of_networks(FEW).await, List::of_networks(MANY).await];
    lines.extend(compare(options, ("networks", MANY), &networks).await);
    let members = [List::of_members(FEW).await, List::of_members(MANY).await];
    lines.extend(compare(options, ("members", MANY), &members).await);
    let runs = [List::of_runs(FEW).await, List::of_runs(MANY).await];
    lines.extend(compare(options, ("runs", MANY), &runs).await);
    lines
}

/// Two lists of a kind side by side.
async fn compare(options: &Options, (kind, many): (&str, usize), [short, long]: &[List; 2]) -> Vec<Line> {
    let mut lines = Vec::new();
    for ((name, page_of_short), (_, page_of_long)) in short.pages.iter().zip(&long.pages) {
        let (mut of_short, mut of_long): (Vec<Round>, Vec<Round>) = (Vec::new(), Vec::new());
        for count in 0..=options.rounds {
            let few = round(options.requests, async || short.read(page_of_short).await).await;
            let many = round(options.requests, async || long.read(page_of_long).await).await;
            if count > 0 {
                of_short.push(few);
                of_long.push(many);
            }
        }
        lines.extend(compared(&format!("GET {}, {name}", short.path), (kind, many), &of_short, &of_long));
    }
    lines
}

fn compared(what: &str, (kind, many): (&str, usize), short: &[Round], long: &[Round]) -> [Line; 4] {
    let p50: fn(&Round) -> f64 = |round| round.p50;
    let cpu: fn(&Round) -> f64 = |round| round.cpu;
    [
        Line::shown(format!("{what} of {FEW} {kind}, p50"), "ms", figures(short, p50)),
        Line::shown(format!("{what} of {many} {kind}, p50"), "ms", figures(long, p50)),
        Line::ratio("  p50, many / few", &figures(long, p50), &figures(short, p50), BAR),
        Line::ratio("  processor time, many / few", &figures(long, cpu), &figures(short, cpu), BAR),
    ]
}

/// A control plane with a list.
struct List {
    /// Keeps the control plane alive.
    _app: TestApp,
    owner: Person,
    path: &'static str,
    /// What is read of it, by name.
    pages: Vec<(&'static str, String)>,
}

impl List {
    async fn of_networks(networks: usize) -> Self {
        let path = "/infra/networks";
        let app = TestApp::start_without_proxy().await;
        let owner = app.sign_up("owner@example.com").await;
        let connection = app.connection(&owner, "main").await;
        let network = app.pending_network(&owner, &connection, "main").await;
        app.deliver().await;
        app.table().multiply("network", &network, networks);
        let first = format!("{path}?limit={LIMIT}");
        let marked = middle(&owner, &first, networks).await;
        Self { _app: app, owner, path, pages: vec![(FIRST, first), (MARKED, marked)] }
    }

    /// Their pages have numbers, and no markers.
    async fn of_members(members: usize) -> Self {
        let path = "/org/members";
        let app = TestApp::start_without_proxy().await;
        let owner = app.sign_up("owner@example.com").await;
        app.deliver().await;
        let all = owner.get(path).await.expect(200).json();
        app.table().multiply("member", all["items"][0]["memberId"].as_str().unwrap(), members);
        Self { _app: app, owner, path, pages: vec![(FIRST, format!("{path}?limit={LIMIT}"))] }
    }

    async fn of_runs(runs: usize) -> Self {
        let app = TestApp::start_without_proxy().await;
        let owner = app.sign_up("owner@example.com").await;
        let cluster = owner.cluster("main").await.cluster_id;
        let job = owner.job("daily", &cluster).await;
        let run = owner.run(&job).await;
        app.deliver().await;
        app.table().multiply("job_run", &run, runs);
        let first = format!("/workloads/jobs/{job}/runs?limit={LIMIT}");
        let marked = middle(&owner, &first, runs).await;
        Self { _app: app, owner, path: "/workloads/jobs/{job}/runs", pages: vec![(FIRST, first), (MARKED, marked)] }
    }

    async fn of_jobs(jobs: usize) -> Self {
        let app = TestApp::start_without_proxy().await;
        let owner = app.sign_up("owner@example.com").await;
        let cluster = owner.cluster("main").await.cluster_id;
        let job = owner.job("job-0", &cluster).await;
        app.deliver().await;
        seed(&app, &job, jobs);
        let list = "/workloads/jobs";
        let path = format!("{list}?limit={LIMIT}");
        // The marker of a page as far in as page numbers reach: a marker's page must cost the same wherever it is.
        let page = (jobs / LIMIT).min(2000) - 1;
        let before = owner.get(&format!("{path}&page={page}")).await.expect(200).json();
        assert_eq!(before["total"], jobs);
        let marked = format!("{path}&marker={}", before["marker"].as_str().unwrap());
        Self { _app: app, owner, path: list, pages: vec![(FIRST, path), (MARKED, marked)] }
    }

    async fn read(&self, page: &str) {
        let page = self.owner.get(page).await.expect(200);
        assert_eq!(page.json()["items"].as_array().unwrap().len(), LIMIT);
    }
}

/// The page in the middle of a list, gone to from page to page: a marker's page must cost the same wherever it is.
async fn middle(owner: &Person, first: &str, count: usize) -> String {
    let mut marked = first.to_owned();
    for _ in 0..(count / LIMIT / 2).max(1) {
        let page = owner.get(&marked).await.expect(200).json();
        marked = format!("{first}&marker={}", page["marker"].as_str().unwrap());
    }
    marked
}

/// Puts copies of a job's row beside it until there are `count`, and says so where jobs are counted.
fn seed(app: &TestApp, job: &str, count: usize) {
    let table = app.table();
    let rows = table.raw_rows();
    let row = rows.iter().find(|row| is(row, "kind", "job") && is(row, "sk", job)).unwrap();
    let mut counter = rows.iter().find(|row| is(row, "sk", "COUNT#JOBS")).unwrap().clone();
    counter.insert("n".to_owned(), AttributeValue::N(count.to_string()));
    let copies = (1..count).map(|number| copy(row, number));
    let items: Vec<Item> = copies.chain([counter]).collect();
    table.database().import_items(table.name(), items, dynoxide::ImportOptions::default()).unwrap();
}

/// Whether an attribute is this text.
pub(super) fn is(row: &Item, attribute: &str, text: &str) -> bool {
    matches!(row.get(attribute), Some(AttributeValue::S(value)) if value == text)
}

/// A job's row under another id and key.
pub(super) fn copy(row: &Item, number: usize) -> Item {
    let (id, key) = (format!("ZCOPY{number:015}"), format!("job-{number}"));
    let text = |value: &str| AttributeValue::S(value.to_owned());
    let mut copy = row.clone();
    copy.insert("sk".to_owned(), text(&id));
    let Some(AttributeValue::M(data)) = copy.get_mut("data") else { panic!("a job without data") };
    data.insert("id".to_owned(), text(&id));
    data.insert("jobKey".to_owned(), text(&key));
    copy
}
