//! The model's ticks: every ten minutes one is due, and what becomes of each is in the ledger.

use proptest::prelude::*;
use serde_json::{Value, json};

/// Seconds from one tick to the next.
pub(super) const PERIOD: u64 = 600;
/// The same as an expression. Sequences begin on the hour.
pub(super) const EXPRESSION: &str = "*/10 * * * *";
/// What `infra/docs` says: after more seconds than that a tick is late, and no more ticks than that are caught up on.
const LATE: u64 = 120;
const MOST_CAUGHT_UP: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Concurrency {
    Skip,
    Allow(usize),
    Replace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missed {
    Latest,
    All,
    Skip,
}

/// What a job's version says about its ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Policies {
    concurrency: Concurrency,
    missed: Missed,
}

impl Policies {
    pub(super) fn any() -> impl Strategy<Value = Self> {
        let concurrency = vec![Concurrency::Skip, Concurrency::Allow(1), Concurrency::Allow(3), Concurrency::Replace];
        let missed = vec![Missed::Latest, Missed::All, Missed::Skip];
        (prop::sample::select(concurrency), prop::sample::select(missed))
            .prop_map(|(concurrency, missed)| Self { concurrency, missed })
    }

    /// As a request has them.
    pub(super) fn body(self) -> Value {
        let (concurrency, cap) = match self.concurrency {
            Concurrency::Skip => ("skip", 1),
            Concurrency::Allow(cap) => ("allow", cap),
            Concurrency::Replace => ("replace", 1),
        };
        let missed = match self.missed {
            Missed::Latest => "latest",
            Missed::All => "all",
            Missed::Skip => "skip",
        };
        json!({ "concurrencyPolicy": concurrency, "maxConcurrentRuns": cap, "missedSchedulePolicy": missed })
    }

    pub(super) fn replaces(self) -> bool {
        self.concurrency == Concurrency::Replace
    }

    /// How many runs may not have ended once a tick has created one; a run that replaces others waits for their end.
    pub(super) fn cap(self) -> usize {
        match self.concurrency {
            Concurrency::Skip => 1,
            Concurrency::Allow(cap) => cap,
            Concurrency::Replace => usize::MAX,
        }
    }
}

/// What is to become of ticks in a row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verdict {
    Run { tick: u64, reason: &'static str },
    No { first: u64, last: u64, outcome: &'static str, reason: &'static str },
}

/// An entry of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) at: u64,
    pub(super) through: Option<u64>,
    /// 0 for a pause.
    pub(super) ticks: u64,
    pub(super) outcome: &'static str,
    pub(super) reason: &'static str,
    /// The run that was created for it.
    pub(super) run: Option<usize>,
}

impl Entry {
    fn of(first: u64, last: u64, outcome: &'static str, reason: &'static str) -> Self {
        let ticks = (last - first) / PERIOD + 1;
        Self { at: first, through: (ticks > 1).then_some(last), ticks, outcome, reason, run: None }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Ledger {
    pub(super) entries: Vec<Entry>,
    /// The next tick; none while the job is paused.
    pub(super) next: Option<u64>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { entries: Vec::new(), next: Some(PERIOD) }
    }
}

impl Ledger {
    pub(super) fn is_due(&self, now: u64) -> bool {
        self.next.is_some_and(|next| next <= now)
    }

    fn due(&self, now: u64) -> Vec<u64> {
        let period = usize::try_from(PERIOD).unwrap();
        self.next.into_iter().flat_map(|next| (next..=now).step_by(period)).collect()
    }

    /// What is to become of the ticks that are due while so many runs have not ended.
    pub(super) fn owed(&self, now: u64, policies: Policies, mut live: usize) -> Vec<Verdict> {
        let due = self.due(now);
        let is_late = |tick: u64| now - tick > LATE;
        let (acted_on, reason) = match policies.missed {
            _ if !due.first().is_some_and(|first| is_late(*first)) => (due.len(), "overtaken"),
            Missed::Latest => (1, "overtaken"),
            Missed::All => (due.len().min(MOST_CAUGHT_UP), "too_many"),
            Missed::Skip => (due.iter().filter(|tick| !is_late(**tick)).count(), "not_caught_up"),
        };
        let (missed, acted_on) = due.split_at(due.len() - acted_on);
        let mut verdicts = Vec::new();
        if let (Some(first), Some(last)) = (missed.first(), missed.last()) {
            verdicts.push(Verdict::No { first: *first, last: *last, outcome: "missed", reason });
        }
        for tick in acted_on {
            let otherwise = match policies.concurrency {
                Concurrency::Skip => (live > 0).then_some(("skipped", "run_not_ended")),
                Concurrency::Allow(cap) => (live >= cap).then_some(("skipped", "at_cap")),
                Concurrency::Replace => (Some(tick) != due.last()).then_some(("replaced", "newer_tick")),
            };
            verdicts.push(if let Some((outcome, reason)) = otherwise {
                Verdict::No { first: *tick, last: *tick, outcome, reason }
            } else {
                live += 1;
                Verdict::Run { tick: *tick, reason: if is_late(*tick) { "caught_up" } else { "due" } }
            });
        }
        verdicts
    }

    pub(super) fn enter(&mut self, verdict: Verdict, run: Option<usize>) {
        let (entry, last) = match verdict {
            Verdict::Run { tick, reason } => (Entry { run, ..Entry::of(tick, tick, "ran", reason) }, tick),
            Verdict::No { first, last, outcome, reason } => (Entry::of(first, last, outcome, reason), last),
        };
        self.entries.push(entry);
        self.next = Some(last + PERIOD);
    }

    /// A run gave way before an agent had it.
    pub(super) fn give_way(&mut self, run: usize) {
        for entry in self.entries.iter_mut().filter(|entry| entry.run == Some(run)) {
            (entry.outcome, entry.reason) = ("replaced", "newer_tick");
        }
    }

    /// An entry of a pause is named by its moment.
    pub(super) fn can_pause(&self, now: u64) -> bool {
        !self.entries.iter().any(|entry| entry.ticks == 0 && entry.at == now)
    }

    pub(super) fn pause(&mut self, now: u64) {
        if self.next.is_none() {
            return;
        }
        let due = self.due(now);
        if let (Some(first), Some(last)) = (due.first(), due.last()) {
            self.entries.push(Entry::of(*first, *last, "skipped", "paused_before"));
        }
        self.entries.push(Entry { ticks: 0, ..Entry::of(now, now, "skipped", "paused") });
        self.next = None;
    }

    pub(super) fn resume(&mut self, now: u64) {
        if self.next.is_none()
            && let Some(pause) = self.entries.iter_mut().rfind(|entry| entry.ticks == 0)
        {
            pause.through = Some(now);
            self.next = Some((now / PERIOD + 1) * PERIOD);
        }
    }

    /// Whatever policies say: each tick that passed, and was not in a pause, stands once in the ledger unless it is still due.
    #[track_caller]
    pub(super) fn assert_exact(&self, now: u64) {
        let (pauses, ticks): (Vec<&Entry>, Vec<&Entry>) = self.entries.iter().partition(|entry| entry.ticks == 0);
        let in_pause = |tick: &u64| {
            pauses.iter().any(|pause| pause.at < *tick && pause.through.is_none_or(|through| *tick <= through))
        };
        let mut entered: Vec<u64> = ticks
            .iter()
            .flat_map(|entry| (0..entry.ticks).map(|index| entry.at + index * PERIOD))
            .chain(self.due(now))
            .collect();
        entered.sort_unstable();
        let passed: Vec<u64> = (1..=now / PERIOD).map(|index| index * PERIOD).filter(|tick| !in_pause(tick)).collect();
        assert_eq!(entered, passed, "{:?}", self.entries);
        let ends = ticks.iter().all(|entry| entry.through.unwrap_or(entry.at) == entry.at + (entry.ticks - 1) * PERIOD);
        assert!(ends, "{:?}", self.entries);
    }
}
