//! Rounds in which the packages take turns, so that whatever else the machine does meets all of them.

use axum::body::Bytes;

use super::estate::{Estate, LIST, event};
use super::sandbox::Sandbox;
use super::table_front::TableFront;
use super::{Options, Package};
use crate::bench::progress;
use crate::bench::timing::{Round, milliseconds};

/// What a package took in one round.
pub(super) struct Figures {
    /// From its start to its first answer, in milliseconds.
    pub(super) cold: f64,
    /// `GET /workloads/jobs/{job}`.
    pub(super) job: Round,
    /// `GET /workloads/jobs`.
    pub(super) list: Round,
    /// The most memory that it had, in MB.
    pub(super) memory: f64,
}

/// A package's rounds.
pub(super) struct Rounds {
    pub(super) package: Package,
    pub(super) figures: Vec<Figures>,
}

pub(super) async fn measure(options: &Options, estate: &mut Estate, table: &TableFront) -> Vec<Rounds> {
    let mut all: Vec<Rounds> =
        options.only.iter().map(|package| Rounds { package: *package, figures: Vec::new() }).collect();
    for round in 1..=options.rounds {
        progress(&format!("round {round} of {}", options.rounds));
        // Each is as often first as last.
        let turns = all.len();
        for turn in 0..turns {
            let rounds = &mut all[(round + turn) % turns];
            estate.renew().await;
            rounds.figures.push(once(rounds.package, estate, table, options.requests).await);
        }
    }
    all
}

async fn once(package: Package, estate: &Estate, table: &TableFront, requests: usize) -> Figures {
    let token = Some(estate.owner.access_token.as_str());
    let (job, list) = (event(&estate.job, token), event(LIST, token));
    let mut sandbox = Sandbox::start(package, table, &[]).await;
    let cold = milliseconds(sandbox.invoke(job.clone()).await.succeeded().since_start);
    for _ in 0..requests / 2 {
        for event in [&job, &list] {
            let _ = sandbox.invoke(event.clone()).await.succeeded();
        }
    }
    let job = warm(&mut sandbox, &job, requests).await;
    let list = warm(&mut sandbox, &list, requests).await;
    Figures { cold, job, list, memory: sandbox.peak_megabytes() }
}

async fn warm(sandbox: &mut Sandbox, event: &Bytes, requests: usize) -> Round {
    let before = sandbox.processor_time();
    let mut times = Vec::with_capacity(requests);
    for _ in 0..requests {
        times.push(sandbox.invoke(event.clone()).await.succeeded().took);
    }
    Round::of(times, sandbox.processor_time().saturating_sub(before))
}
