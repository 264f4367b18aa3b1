//! The scheduler's tick where a thousand jobs have a schedule, beside one where a hundred thousand have.

use std::cell::Cell;
use std::time::{Duration, Instant};

use dynoxide::types::{AttributeValue, Item};
use mainsheet_core::Timestamp;
use mainsheet_store::Store;
use mainsheet_testkit::{TestApp, build};
use serde_json::json;

use super::list::{copy, is};
use super::table::Line;
use super::timing::milliseconds;
use super::{Options, progress};

/// A tick over many jobs may cost this much more than one over few, with the same number due.
const BAR: f64 = 1.25;
/// Jobs in the small control plane.
const FEW: usize = 1_000;
/// How many are due, and how many ticks with so many make a round.
const DUE: [(usize, usize); 3] = [(0, 40), (10, 10), (1_000, 1)];
/// Rounds at most: a thousand runs are created in each.
const ROUNDS: usize = 5;
/// Jobs that are due at once in the busiest minute.
const BUSIEST: usize = 10_000;
/// Seconds in which they have to be dispatched.
const MINUTE: f64 = 60.0;
/// Shards of the due index that a job can be in; runs and audit records have as many each.
const SHARDS: usize = 8;
/// Jobs that are due on one page of reads.
const PAGE: usize = 100;

pub(super) async fn measure(options: &Options) -> Vec<Line> {
    let (jobs, rounds) = (options.jobs, options.rounds.min(ROUNDS));
    // The bar of the busiest minute is for two cores: the table works beside the scheduler, not in turn with it.
    let on_two_cores = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(on_runtime(jobs, rounds))
    };
    tokio::task::spawn_blocking(on_two_cores).await.unwrap()
}

async fn on_runtime(jobs: usize, rounds: usize) -> Vec<Line> {
    let (few, many) = (Plane::of(FEW).await, Plane::of(jobs).await);
    let mut lines = Vec::new();
    for (due, ticks) in DUE {
        for plane in [&few, &many] {
            lines.extend(plane.reads(due).await);
        }
        let (mut of_few, mut of_many) = (Vec::new(), Vec::new());
        for count in 0..=rounds {
            progress(&format!("ticks: {due} due, round {count}"));
            let (one, other) = (few.round(due, ticks).await, many.round(due, ticks).await);
            if count > 0 {
                of_few.push(milliseconds(one));
                of_many.push(milliseconds(other));
            }
        }
        lines.push(Line::shown(format!("a tick with {due} due of {FEW} jobs"), "ms", of_few.clone()));
        lines.push(Line::shown(format!("a tick with {due} due of {jobs} jobs"), "ms", of_many.clone()));
        lines.push(Line::ratio("  many / few", &of_many, &of_few, BAR));
    }
    progress(&format!("ticks: {BUSIEST} due"));
    let busiest = many.round(BUSIEST, 1).await.as_secs_f64();
    lines.push(Line::barred(format!("{BUSIEST} due in one minute, all dispatched"), "s", vec![busiest], MINUTE));
    lines
}

/// A control plane with jobs that have a schedule.
struct Plane {
    app: TestApp,
    /// Past the proxy that counts.
    store: Store,
    jobs: usize,
    job: Item,
    /// The job in the list of jobs.
    listed: Item,
    made: Cell<usize>,
}

impl Plane {
    async fn of(jobs: usize) -> Self {
        progress(&format!("ticks: {jobs} jobs"));
        let app = TestApp::start_in_file().await.steady();
        let owner = app.sign_up("owner@example.com").await;
        let cluster = owner.cluster("main").await.cluster_id;
        let body = build::job("daily", &cluster, &owner.team_id);
        let id = owner.create("/workloads/jobs", build::with(body, "/cronExpression", json!("0 9 * * *"))).await;
        app.deliver().await;
        let rows = app.table().raw_rows();
        let row = |kind: &str| rows.iter().find(|row| is(row, "kind", kind) && is(row, "sk", &id)).unwrap().clone();
        let (job, listed) = (row("job"), row("listed_job"));
        let plane = Self { store: app.direct_store(), app, jobs, job, listed, made: Cell::new(0) };
        plane.add(jobs, "2099-01-01T09:00:00.000Z".parse().unwrap());
        // Whatever else was due is done before anything is measured.
        let _ = plane.tick().await;
        plane
    }

    /// Jobs more that are due at this moment.
    fn add(&self, jobs: usize, due_at: Timestamp) {
        let first = self.made.get() + 1;
        self.made.set(self.made.get() + jobs);
        let text = |value: String| AttributeValue::S(value);
        let items = (first..first + jobs).flat_map(|number| {
            let mut job = copy(&self.job, number);
            job.insert("due_shard".to_owned(), text(format!("TICK#{}", number % SHARDS)));
            job.insert("due_at".to_owned(), text(due_at.to_string()));
            let mut listed = self.listed.clone();
            listed.insert("sk".to_owned(), job["sk"].clone());
            [job, listed]
        });
        let table = self.app.table();
        table.database().import_items(table.name(), items.collect(), dynoxide::ImportOptions::default()).unwrap();
    }

    /// The mean of some ticks with so many jobs due in each.
    async fn round(&self, due: usize, ticks: usize) -> Duration {
        let mut sum = Duration::ZERO;
        for _ in 0..ticks {
            self.add(due, self.app.now());
            let begin = Instant::now();
            assert_eq!(self.tick().await, due);
            sum += begin.elapsed();
        }
        sum / u32::try_from(ticks).unwrap()
    }

    async fn tick(&self) -> usize {
        mainsheet_scheduler::tick(&self.store, mainsheet_scheduler::INTERVAL).await.unwrap().scheduled
    }

    /// What a tick with so many jobs due reads: until their runs are there, and to seal what was entered in the audit trail.
    async fn reads(&self, due: usize) -> [Line; 2] {
        self.add(due, self.app.now());
        let tick = mainsheet_scheduler::tick(self.app.store(), mainsheet_scheduler::INTERVAL);
        let (ticked, calls) = Box::pin(self.app.measure(tick)).await;
        assert_eq!(ticked.unwrap().scheduled, due);
        // The first transaction notes the tick itself, and each of the next ones creates a run; records are sealed after the last.
        let writes = calls.iter().enumerate().filter(|(_, name)| *name == "TransactWriteItems");
        let last_run = writes.map(|(index, _)| index).nth(due).unwrap();
        let reads = |calls: &[String]| calls.iter().filter(|name| *name != "TransactWriteItems").count();
        let (scheduling, sealing) = match due {
            0 => (reads(&calls) - SHARDS, SHARDS),
            _ => (reads(&calls[..last_run]), reads(&calls[last_run..])),
        };
        // When the last tick was, the shards of runs, those of jobs, and the jobs.
        let most = 1 + SHARDS + SHARDS + due.div_ceil(PAGE);
        let name = format!("reads of a tick with {due} due of {} jobs", self.jobs);
        [
            Line::counted(format!("{name}, until they have runs"), scheduling, most),
            Line::shown("  to seal their audit records", "", vec![sealing as f64]),
        ]
    }
}
