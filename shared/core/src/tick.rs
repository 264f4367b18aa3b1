//! Ticks: the moments at which a job's schedule asks for a run, and what becomes of each. `infra/docs/schedules.md` has the
//! rules in words.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::job::{ConcurrencyPolicy, MissedSchedulePolicy, Schedule};
use crate::schedule::ClockChange;
use crate::{JobRunId, Timestamp};

/// How late the scheduler may come to a tick that still counts as on time: two of its intervals.
pub const GRACE: Duration = Duration::from_secs(120);
/// The most ticks that run after an outage under [`MissedSchedulePolicy::All`] (contract, decisions, Jobs).
pub const MAX_CAUGHT_UP: usize = 100;

/// What became of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TickOutcome {
    /// A run was created for it.
    Ran,
    /// It was acted on, and something stood against a run.
    Skipped,
    /// The scheduler came too late to it.
    Missed,
    /// A newer tick took its place before an agent had its run.
    Replaced,
}

/// Why that became of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TickReason {
    /// Ran: it was due.
    Due,
    /// Ran: the scheduler came late, and the job's policy has it run all the same.
    CaughtUp,
    /// Skipped: a run of the job had not ended, under `skip`.
    RunNotEnded,
    /// Skipped: `maxConcurrentRuns` had not ended, under `allow`.
    AtCap,
    /// Skipped: the cluster of the version in force was gone.
    ClusterGone,
    /// Skipped: the job was paused, and its ticks were not due. An entry of its own for each pause.
    Paused,
    /// Skipped: the job was paused before the scheduler came.
    PausedBefore,
    /// Skipped: the job lost its schedule before the scheduler came.
    Unscheduled,
    /// Missed: the scheduler came late, and a newer tick runs in its place, under `latest`.
    Overtaken,
    /// Missed: the scheduler came late, under `skip`.
    NotCaughtUp,
    /// Missed: the scheduler came late, and a hundred newer ticks run, under `all`.
    TooMany,
    /// Missed: the schedule changed before the scheduler came, and a newer tick of the one before was due as well.
    ScheduleChanged,
    /// Replaced: a newer tick was due before an agent had its run.
    NewerTick,
}

impl TickReason {
    /// What it is the reason of.
    #[must_use]
    pub fn outcome(self) -> TickOutcome {
        match self {
            Self::Due | Self::CaughtUp => TickOutcome::Ran,
            Self::RunNotEnded
            | Self::AtCap
            | Self::ClusterGone
            | Self::Paused
            | Self::PausedBefore
            | Self::Unscheduled => TickOutcome::Skipped,
            Self::Overtaken | Self::NotCaughtUp | Self::TooMany | Self::ScheduleChanged => TickOutcome::Missed,
            Self::NewerTick => TickOutcome::Replaced,
        }
    }
}

/// What became of a tick, or of several in a row of which the same became: an entry of a job's ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tick {
    /// Its moment; the first one's of several.
    pub scheduled_at: Timestamp,
    /// The last one's of several; the end of a pause.
    #[serde(default)]
    pub through: Option<Timestamp>,
    /// How many there were: 1, more in a stretch, and 0 in a pause, whose ticks were not due.
    pub ticks: u64,
    /// What became of it.
    pub outcome: TickOutcome,
    /// Why.
    pub reason: TickReason,
    /// What a change of the clock did to it; of a single tick alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_change: Option<ClockChange>,
    /// The run that was created for it.
    #[serde(default)]
    pub job_run_id: Option<JobRunId>,
    /// The version that was in force.
    pub job_version: u32,
    /// When that was decided.
    pub decided_at: Timestamp,
}

/// The ticks of a job that are due, oldest first: the newest [`MAX_CAUGHT_UP`] one by one, those before as a stretch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Owed {
    earlier: Option<Stretch>,
    newest: VecDeque<Timestamp>,
}

/// Ticks in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The first one's moment.
    pub first: Timestamp,
    /// The last one's moment.
    pub last: Timestamp,
    /// How many.
    pub ticks: u64,
}

impl Stretch {
    /// One tick.
    #[must_use]
    pub fn of(tick: Timestamp) -> Self {
        Self { first: tick, last: tick, ticks: 1 }
    }

    /// One tick more, which is later than all of it.
    fn and(self, tick: Timestamp) -> Self {
        Self { last: tick, ticks: self.ticks + 1, ..self }
    }

    /// A pause, whose ticks are not due.
    #[must_use]
    pub fn pause(since: Timestamp) -> Self {
        Self { ticks: 0, ..Self::of(since) }
    }

    /// The entry that this becomes in the ledger.
    #[must_use]
    pub fn entry(self, reason: TickReason, job_version: u32, now: Timestamp) -> Tick {
        Tick {
            scheduled_at: self.first,
            through: (self.ticks > 1).then_some(self.last),
            ticks: self.ticks,
            outcome: reason.outcome(),
            reason,
            clock_change: None,
            job_run_id: None,
            job_version,
            decided_at: now,
        }
    }
}

impl FromIterator<Timestamp> for Owed {
    /// From ticks in order, oldest first.
    fn from_iter<I: IntoIterator<Item = Timestamp>>(ticks: I) -> Self {
        let mut owed = Self::default();
        for tick in ticks {
            if owed.newest.len() == MAX_CAUGHT_UP
                && let Some(early) = owed.newest.pop_front()
            {
                owed.earlier = Some(owed.earlier.map_or_else(|| Stretch::of(early), |stretch| stretch.and(early)));
            }
            owed.newest.push_back(tick);
        }
        owed
    }
}

impl Owed {
    /// The oldest.
    #[must_use]
    pub fn first(&self) -> Option<Timestamp> {
        self.earlier.map(|stretch| stretch.first).or(self.newest.front().copied())
    }

    /// The newest.
    #[must_use]
    pub fn last(&self) -> Option<Timestamp> {
        self.newest.back().copied()
    }

    /// All but the newest `count` as one stretch; `None` when there are no more than that.
    #[must_use]
    pub fn all_but(&self, count: usize) -> Option<Stretch> {
        let some = self.newest.len().saturating_sub(count);
        let rest = self.newest.iter().take(some);
        rest.fold(self.earlier, |stretch, tick| {
            Some(stretch.map_or_else(|| Stretch::of(*tick), |stretch| stretch.and(*tick)))
        })
    }
}

/// What is to become of ticks in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Which ticks.
    pub ticks: Stretch,
    /// What, and why.
    pub reason: TickReason,
}

/// What is to become of the ticks that a job owes at `now`, in their order, while `live` of its runs have not ended.
///
/// The scheduler comes *late* when the oldest of them is longer ago than [`GRACE`]. Then the missed-schedule policy picks those
/// that are acted on, and the rest is missed. The concurrency policy decides about each that is acted on.
#[must_use]
pub fn decide(owed: &Owed, schedule: &Schedule, live: u64, now: Timestamp) -> Vec<Verdict> {
    let is_late = |tick: Timestamp| now.since(tick) > GRACE;
    let comes_late = owed.first().is_some_and(is_late);
    let (acted_on, rest) = match schedule.missed_schedule_policy {
        _ if !comes_late => (owed.newest.len(), TickReason::Overtaken),
        MissedSchedulePolicy::Latest => (1, TickReason::Overtaken),
        MissedSchedulePolicy::All => (owed.newest.len(), TickReason::TooMany),
        MissedSchedulePolicy::Skip => {
            (owed.newest.iter().filter(|tick| !is_late(**tick)).count(), TickReason::NotCaughtUp)
        }
    };
    let missed = owed.all_but(acted_on).map(|ticks| Verdict { ticks, reason: rest });
    let acted_on = owed.newest.iter().skip(owed.newest.len() - acted_on.min(owed.newest.len()));
    let runs = |tick: Timestamp| if is_late(tick) { TickReason::CaughtUp } else { TickReason::Due };
    let ticks: Vec<Timestamp> = acted_on.copied().collect();
    let (room, otherwise) = match schedule.concurrency_policy {
        ConcurrencyPolicy::Skip => (usize::from(live == 0), TickReason::RunNotEnded),
        ConcurrencyPolicy::Allow => {
            let room = u64::from(schedule.max_concurrent_runs).saturating_sub(live);
            (usize::try_from(room).unwrap_or(usize::MAX), TickReason::AtCap)
        }
        ConcurrencyPolicy::Replace => (1, TickReason::NewerTick),
    };
    // Of several at once the newest replaces the others, which need not begin.
    let begins = match schedule.concurrency_policy {
        ConcurrencyPolicy::Replace => ticks.len().saturating_sub(room),
        ConcurrencyPolicy::Skip | ConcurrencyPolicy::Allow => 0,
    };
    let verdict = |(index, tick): (usize, &Timestamp)| {
        let has_room = (begins..begins.saturating_add(room)).contains(&index);
        Verdict { ticks: Stretch::of(*tick), reason: if has_room { runs(*tick) } else { otherwise } }
    };
    missed.into_iter().chain(ticks.iter().enumerate().map(verdict)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    fn schedule(concurrency_policy: ConcurrencyPolicy, missed_schedule_policy: MissedSchedulePolicy) -> Schedule {
        Schedule {
            cron_expression: Some("0 * * * *".to_owned()),
            cron_timezone: "UTC".to_owned(),
            concurrency_policy,
            max_concurrent_runs: 3,
            missed_schedule_policy,
        }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000) + Duration::from_secs(seconds)
    }

    /// Hourly ticks, of which the newest is `late` seconds ago.
    fn hourly(ticks: u64, late: u64) -> (Owed, Timestamp) {
        ((0..ticks).map(|hour| at(hour * HOUR)).collect(), at((ticks - 1) * HOUR + late))
    }

    fn reasons(verdicts: &[Verdict]) -> Vec<(u64, TickReason)> {
        verdicts.iter().map(|verdict| (verdict.ticks.ticks, verdict.reason)).collect()
    }

    #[test]
    fn the_missed_schedule_policy_counts_when_the_scheduler_comes_late() {
        use MissedSchedulePolicy::{All, Latest, Skip};
        use TickReason::{CaughtUp, Due, NotCaughtUp, Overtaken, TooMany};
        let decided = |policy, (owed, now): (Owed, Timestamp)| {
            let schedule = Schedule { max_concurrent_runs: 1000, ..schedule(ConcurrencyPolicy::Allow, policy) };
            reasons(&decide(&owed, &schedule, 0, now))
        };
        for policy in [Latest, Skip, All] {
            assert_eq!(decided(policy, hourly(1, 120)), [(1, Due)], "{policy:?}: two minutes are on time");
        }
        assert_eq!(decided(Latest, hourly(1, 121)), [(1, CaughtUp)]);
        assert_eq!(decided(Skip, hourly(1, 121)), [(1, NotCaughtUp)]);
        assert_eq!(decided(Latest, hourly(8, 0)), [(7, Overtaken), (1, Due)]);
        assert_eq!(decided(Latest, hourly(8, 600)), [(7, Overtaken), (1, CaughtUp)]);
        assert_eq!(decided(Skip, hourly(8, 0)), [(7, NotCaughtUp), (1, Due)]);
        assert_eq!(decided(Skip, hourly(8, 600)), [(8, NotCaughtUp)]);
        let all = decided(All, hourly(130, 600));
        assert_eq!((all[0], all.len()), ((30, TooMany), 101));
        assert!(all[1..].iter().all(|verdict| *verdict == (1, CaughtUp)));
    }

    #[test]
    fn the_concurrency_policy_decides_about_each_tick_that_is_acted_on() {
        use ConcurrencyPolicy::{Allow, Replace, Skip};
        use TickReason::{AtCap, CaughtUp, NewerTick, RunNotEnded};
        let decided = |policy, live| {
            let (owed, now) = hourly(4, 600);
            let verdicts = decide(&owed, &schedule(policy, MissedSchedulePolicy::All), live, now);
            verdicts.iter().map(|verdict| verdict.reason).collect::<Vec<_>>()
        };
        assert_eq!(decided(Skip, 0), [CaughtUp, RunNotEnded, RunNotEnded, RunNotEnded]);
        assert_eq!(decided(Skip, 1), [RunNotEnded; 4]);
        assert_eq!(decided(Allow, 1), [CaughtUp, CaughtUp, AtCap, AtCap]);
        assert_eq!(decided(Allow, 5), [AtCap; 4]);
        assert_eq!(decided(Replace, 7), [NewerTick, NewerTick, NewerTick, CaughtUp]);
    }

    #[test]
    fn every_tick_is_in_one_verdict_and_they_are_in_order() {
        use ConcurrencyPolicy as C;
        use MissedSchedulePolicy as M;
        for ticks in [1, 2, 99, 100, 101, 250] {
            for (concurrency, missed) in [(C::Skip, M::Latest), (C::Allow, M::All), (C::Replace, M::Skip)] {
                let (owed, now) = hourly(ticks, 30);
                let verdicts = decide(&owed, &schedule(concurrency, missed), 0, now);
                assert_eq!(verdicts.iter().map(|verdict| verdict.ticks.ticks).sum::<u64>(), ticks);
                assert!(verdicts.is_sorted_by(|one, next| one.ticks.last < next.ticks.first));
                assert_eq!(verdicts.first().map(|verdict| verdict.ticks.first), owed.first());
                assert_eq!(verdicts.last().map(|verdict| verdict.ticks.last), owed.last());
            }
        }
        assert!(decide(&Owed::default(), &schedule(C::Skip, M::Latest), 0, at(0)).is_empty());
    }
}
