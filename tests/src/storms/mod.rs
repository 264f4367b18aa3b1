//! Storms: what can be had once is wanted by a hundred at the same moment. One gets it, the others are told that they do not, and
//! nothing is left of their tries. Where many may win, each of them has all of it.
//!
//! One round of each is part of every run of the tests; `MAINSHEET_STORM_ROUNDS=50 cargo test --workspace --all-features --lib storms` makes 50,
//! each over something new.

mod access;
mod jobs;
mod operations;

use std::collections::BTreeMap;
use std::num::NonZero;

use mainsheet_testkit::{Answer, environment};
use tokio::task::JoinSet;

/// Requests at once.
const PARALLEL: usize = 100;

/// How often a storm comes, each time over something new.
fn rounds() -> usize {
    environment::number::<NonZero<usize>>("MAINSHEET_STORM_ROUNDS").map_or(1, NonZero::get)
}

/// Does what `work` makes of each number, all at once.
async fn storm<R>(work: impl Fn(usize) -> R) -> Vec<R::Output>
where
    R: Future + Send + 'static,
    R::Output: Send + 'static,
{
    (0..PARALLEL).map(work).collect::<JoinSet<_>>().join_all().await
}

/// The one answer that has what all wanted. Each of the others is a refusal with one of these statuses.
#[track_caller]
fn winner(answers: Vec<Answer>, lost: &[u16]) -> Answer {
    let (mut won, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status.is_success());
    for answer in refused {
        assert!(lost.contains(&answer.status.as_u16()), "{answer}");
    }
    assert_eq!(won.len(), 1, "{}", won.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    won.remove(0)
}

/// How many were done, of answers that are all of them either that or one of these conflicts.
#[track_caller]
fn done<'a>(answers: impl IntoIterator<Item = &'a Answer>, conflicts: &[&str]) -> usize {
    let mut tally: BTreeMap<String, usize> = BTreeMap::new();
    for answer in answers {
        let kind = match answer.status.as_u16() {
            200 | 201 | 204 => "done".to_owned(),
            409 => answer.problem().code,
            _ => panic!("neither done nor a conflict: {answer}"),
        };
        *tally.entry(kind).or_default() += 1;
    }
    let is_known = |kind: &String| kind == "done" || conflicts.contains(&kind.as_str());
    assert!(tally.keys().all(is_known), "{tally:?}");
    tally.get("done").copied().unwrap_or_default()
}
