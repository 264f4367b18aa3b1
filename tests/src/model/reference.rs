//! The model: what runs and ticks are and what each step makes of them, in a few plain fields and seconds.

use mainsheet_testkit::Fault;
use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use super::schedule::{Ledger, Policies, Verdict};

/// What `infra/docs` and the contract say, in seconds.
const LEASE: u64 = 60;
const GRACE: u64 = 30;
const PULSE_VALID: u64 = 120;
const LONGEST_PAUSE: u64 = 120;
/// Of the model's one job.
pub(super) const TIMEOUT: u64 = 300;
pub(super) const RETRIES: u32 = 1;
/// The most runs that people ask for, in a sequence.
const MOST_ASKED_FOR: usize = 5;
/// The most runs that have not ended while people try others again: an agent is offered ten at once.
const MOST_LIVE: usize = 8;

/// Where a run stands: the contract's words, the steps of an active one counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    Pending,
    Ready,
    /// Active, after so many of the five steps.
    Active(usize),
    Succeeded,
    Failed,
    Cancelled,
    Timeout,
}

/// What an agent says on the way: each makes one step.
pub(super) const WALK: [&str; 5] = ["sail_requested", "sail_created", "sail_answered", "runner_started", "succeed"];

impl Stands {
    pub(super) fn is_active(self) -> bool {
        matches!(self, Self::Active(_))
    }

    pub(super) fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled | Self::Timeout)
    }

    /// As the wire has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Active(steps) => {
                ["starting", "creating_sail", "waiting_for_sail", "creating_runner", "running"][steps]
            }
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Timeout => "timeout",
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) stands: Stands,
    pub(super) is_held_back: bool,
    created_at: u64,
    /// The tick that it was created for.
    pub(super) tick: Option<u64>,
    /// It takes the place of the job's older runs, whose end it waits for unless somebody lets it go.
    replaces: bool,
    /// A newer run takes its place.
    pub(super) is_replaced: bool,
    /// Its event has not been delivered.
    announced: bool,
    pub(super) attempt: u32,
    pub(super) last_report: u64,
    retries_left: u32,
    leased_at: u64,
    lease_ends: u64,
    pub(super) cancelled_at: Option<u64>,
    pub(super) is_deleted: bool,
}

impl Run {
    fn new(is_held_back: bool, tick: Option<u64>, created_at: u64) -> Self {
        Self {
            stands: Stands::Pending,
            is_held_back,
            created_at,
            tick,
            replaces: false,
            is_replaced: false,
            announced: true,
            attempt: 0,
            last_report: 0,
            retries_left: RETRIES,
            leased_at: 0,
            lease_ends: 0,
            cancelled_at: None,
            is_deleted: false,
        }
    }

    pub(super) fn is_live(&self) -> bool {
        !self.is_deleted && !self.stands.has_ended()
    }

    /// Of runs that are created at the same moment, those that somebody asks for count as older than those of ticks.
    fn is_older_than(&self, other: &Self) -> bool {
        (self.created_at, self.tick) < (other.created_at, other.tick)
    }

    /// When somebody has to look at it.
    pub(super) fn due_at(&self) -> Option<u64> {
        let stop = self.cancelled_at.map_or(u64::MAX, |at| at + GRACE);
        self.stands.is_active().then_some(self.lease_ends.min(self.leased_at + TIMEOUT).min(stop))
    }

    fn make_ready(&mut self) {
        self.let_go();
        self.cancelled_at = None;
        (self.replaces, self.is_replaced) = (false, false);
    }

    /// It need not wait any longer.
    fn let_go(&mut self) {
        self.stands = Stands::Ready;
        self.is_held_back = false;
    }

    /// Others may wait for its end.
    fn is_awaited(&self) -> bool {
        self.stands == Stands::Succeeded || self.is_replaced || self.replaces
    }

    /// Somebody asks an agent to stop it.
    fn order_cancel(&mut self, now: u64) {
        self.cancelled_at = self.cancelled_at.or(Some(now));
        self.lease_ends = now + LEASE;
    }
}

/// A run that the agent works on, under one lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) run: usize,
    pub(super) attempt: u32,
    /// The reports that it has sent.
    pub(super) said: u64,
    /// The steps that it has made.
    pub(super) steps: usize,
}

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) now: u64,
    /// Oldest first.
    pub(super) runs: Vec<Run>,
    pub(super) policies: Policies,
    pub(super) ledger: Ledger,
    /// An end was announced that runs wait for.
    end_announced: bool,
    pub(super) held: Vec<Held>,
    pulse_at: u64,
    last_tick: u64,
    grace_until: u64,
}

/// What a report of the agent's is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// The next step.
    Next,
    /// It failed.
    Fail,
    /// It has stopped as it was told.
    Cancel,
}

/// What happens next. Numbers choose among what there is.
#[derive(Debug, Clone)]
pub(super) enum Action {
    Advance(u64),
    /// One scheduler's tick, or two schedulers' at once.
    Tick {
        schedulers: usize,
    },
    /// What waits is delivered; in disorder: the newest first, each twice, and all that was ever delivered once more.
    Deliver {
        in_disorder: bool,
    },
    /// A version with other policies comes into force.
    Publish(Policies),
    Pause,
    Resume,
    Create {
        hold: bool,
    },
    Release(usize),
    Cancel(usize),
    Retry(usize, bool),
    Delete(usize),
    Lease {
        answer_is_lost: bool,
    },
    Heartbeat,
    Report {
        held: usize,
        word: Word,
        repeated: bool,
    },
    /// The agent is killed and forgets what it works on.
    AgentDies,
}

/// What happens, and which call of the table fails meanwhile; who was told so, or nothing, tries again.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) action: Action,
    pub(super) trouble: Option<(usize, Fault)>,
}

impl World {
    /// The run that a number chooses; deleted ones are nobody's choice.
    pub(super) fn chosen(&self, number: usize) -> Option<usize> {
        let there: Vec<usize> = (0..self.runs.len()).filter(|index| !self.runs[*index].is_deleted).collect();
        (!there.is_empty()).then(|| there[number % there.len()])
    }

    pub(super) fn chosen_held(&self, number: usize) -> Option<usize> {
        (!self.held.is_empty()).then(|| number % self.held.len())
    }

    pub(super) fn cluster_is_active(&self) -> bool {
        self.now < self.pulse_at + PULSE_VALID
    }

    pub(super) fn can_create(&self) -> bool {
        self.runs.iter().filter(|run| run.tick.is_none()).count() < MOST_ASKED_FOR
    }

    pub(super) fn live(&self) -> usize {
        self.runs.iter().filter(|run| run.is_live()).count()
    }

    pub(super) fn can_retry(&self) -> bool {
        self.live() < MOST_LIVE
    }

    /// Whether a tick finds runs to settle and ticks to decide about.
    pub(super) fn owes_both(&self) -> bool {
        let is_due = |run: &Run| run.is_live() && run.due_at().is_some_and(|due_at| due_at <= self.now);
        self.runs.iter().any(is_due) && self.ledger.is_due(self.now)
    }

    fn tick(&mut self) {
        if self.now - self.last_tick > LONGEST_PAUSE {
            self.grace_until = self.now + LEASE;
        }
        self.last_tick = self.now;
        let (now, in_grace) = (self.now, self.grace_until > self.now);
        for run in self.runs.iter_mut().filter(|run| !run.is_deleted) {
            if run.due_at().is_none_or(|due_at| due_at > now) {
                continue;
            }
            let is_late = run.leased_at + TIMEOUT <= now;
            if in_grace && !is_late && run.cancelled_at.is_none() {
                run.lease_ends = now + LEASE;
            } else if is_late {
                run.stands = Stands::Timeout;
            } else if run.cancelled_at.is_some() {
                run.stands = Stands::Cancelled;
            } else if run.retries_left > 0 {
                run.retries_left -= 1;
                run.make_ready();
            } else {
                run.stands = Stands::Failed;
            }
            self.end_announced |= run.stands.has_ended() && run.is_awaited();
        }
        self.schedule();
    }

    /// Acts on the ticks that are due.
    fn schedule(&mut self) {
        for verdict in self.ledger.owed(self.now, self.policies, self.live()) {
            let Verdict::Run { tick, .. } = verdict else {
                self.ledger.enter(verdict, None);
                continue;
            };
            let mut run = Run::new(false, Some(tick), self.now);
            if self.policies.replaces() && self.live() > 0 {
                run.replaces = true;
            } else {
                run.announced = false;
                run.make_ready();
            }
            self.ledger.enter(verdict, Some(self.runs.len()));
            self.runs.push(run);
        }
    }

    fn deliver(&mut self, in_disorder: bool) {
        let mut looks = std::mem::take(&mut self.end_announced) || in_disorder;
        for run in &mut self.runs {
            let is_new = std::mem::take(&mut run.announced) && run.is_live();
            looks |= is_new && run.replaces;
            if is_new && run.stands == Stands::Pending && !run.replaces && !run.is_held_back {
                run.make_ready();
            }
        }
        if looks {
            self.replace();
        }
    }

    /// The newest run that replaces others stops all older ones, and goes once they have ended; unless somebody let it go before.
    fn replace(&mut self) {
        let replaces = |run: &Run| run.is_live() && run.replaces;
        let Some(newest) = self.runs.iter().rposition(replaces) else { return };
        let (now, newcomer) = (self.now, self.runs[newest].clone());
        let is_in_the_way = |run: &Run| run.is_live() && run.is_older_than(&newcomer);
        for (index, run) in self.runs.iter_mut().enumerate().filter(|(_, run)| is_in_the_way(run)) {
            if !run.stands.is_active() {
                run.stands = Stands::Cancelled;
                if run.attempt == 0 && run.tick.is_some() {
                    self.ledger.give_way(index);
                }
            } else if run.cancelled_at.is_none() || !run.is_replaced {
                run.order_cancel(now);
            }
            run.is_replaced = true;
        }
        if newcomer.stands == Stands::Pending && !self.runs.iter().any(is_in_the_way) {
            self.runs[newest].make_ready();
        }
    }

    fn lease(&mut self, answer_is_lost: bool) {
        let now = self.now;
        for (index, run) in self.runs.iter_mut().enumerate().filter(|(_, run)| !run.is_deleted) {
            let works_on_it = self.held.iter().any(|held| held.run == index && held.attempt == run.attempt);
            match run.stands {
                Stands::Ready => {
                    run.stands = Stands::Active(0);
                    run.attempt += 1;
                    run.last_report = 0;
                    (run.leased_at, run.lease_ends) = (now, now + LEASE);
                }
                Stands::Active(0) if !works_on_it => run.lease_ends = now + LEASE,
                _ => continue,
            }
            if !answer_is_lost {
                self.held.push(Held { run: index, attempt: run.attempt, said: 0, steps: 0 });
            }
        }
    }

    fn heartbeat(&mut self) {
        self.pulse_at = self.now;
        let (now, runs) = (self.now, &mut self.runs);
        self.held.retain(|held| {
            let run = &mut runs[held.run];
            let holds = !run.is_deleted && run.attempt == held.attempt && run.stands.is_active();
            if holds {
                run.lease_ends = now + LEASE;
            }
            holds
        });
    }

    fn report(&mut self, index: usize, word: Word) {
        let held = self.held[index];
        let run = &mut self.runs[held.run];
        let is_heard =
            !run.is_deleted && run.attempt == held.attempt && (run.stands.is_active() || run.stands.has_ended());
        if !is_heard {
            self.held.remove(index);
            return;
        }
        run.last_report += 1;
        let had_ended = run.stands.has_ended();
        if let Stands::Active(steps) = run.stands {
            run.stands = match word {
                Word::Next if steps == 4 => Stands::Succeeded,
                Word::Next => Stands::Active(steps + 1),
                Word::Fail => Stands::Failed,
                Word::Cancel => Stands::Cancelled,
            };
        }
        if run.stands.has_ended() {
            self.end_announced |= !had_ended && run.is_awaited();
            self.held.remove(index);
        } else {
            self.held[index].said += 1;
            self.held[index].steps += 1;
        }
    }
}

pub(super) struct Runs;

impl ReferenceStateMachine for Runs {
    type State = World;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<World> {
        Policies::any()
            .prop_map(|policies| World {
                now: 0,
                runs: Vec::new(),
                policies,
                ledger: Ledger::default(),
                end_announced: false,
                held: Vec::new(),
                pulse_at: 0,
                last_tick: 0,
                grace_until: 0,
            })
            .boxed()
    }

    fn transitions(_: &World) -> BoxedStrategy<Step> {
        let seconds = prop::sample::select(vec![1, 10, 15, 29, 30, 31, 45, 60, 61, 121, 299, 300, 600, 3_600, 90_000]);
        let word = prop_oneof![8 => Just(Word::Next), 1 => Just(Word::Fail), 1 => Just(Word::Cancel)];
        let action = prop_oneof![
            4 => seconds.prop_map(Action::Advance),
            4 => (1usize..3).prop_map(|schedulers| Action::Tick { schedulers }),
            4 => any::<bool>().prop_map(|in_disorder| Action::Deliver { in_disorder }),
            1 => Policies::any().prop_map(Action::Publish),
            1 => Just(Action::Pause),
            1 => Just(Action::Resume),
            4 => prop::bool::weighted(0.2).prop_map(|hold| Action::Create { hold }),
            2 => any::<usize>().prop_map(Action::Release),
            2 => any::<usize>().prop_map(Action::Cancel),
            2 => (any::<usize>(), any::<bool>()).prop_map(|(run, hold)| Action::Retry(run, hold)),
            1 => any::<usize>().prop_map(Action::Delete),
            6 => prop::bool::weighted(0.3).prop_map(|answer_is_lost| Action::Lease { answer_is_lost }),
            5 => Just(Action::Heartbeat),
            10 => (any::<usize>(), word, prop::bool::weighted(0.3))
                .prop_map(|(held, word, repeated)| Action::Report { held, word, repeated }),
            1 => Just(Action::AgentDies),
        ];
        // A request makes a few calls, a tick and a delivery dozens.
        let call = prop_oneof![2 => 0usize..8, 1 => 8usize..64];
        let trouble = prop::option::weighted(0.25, (call, prop::sample::select(&Fault::ALL[..])));
        (action, trouble).prop_map(|(action, trouble)| Step { action, trouble }).boxed()
    }

    fn apply(mut world: World, step: &Step) -> World {
        let now = world.now;
        let chosen = |number: &usize| world.chosen(*number);
        match &step.action {
            Action::Advance(seconds) => world.now += seconds,
            Action::Tick { .. } => world.tick(),
            Action::Deliver { in_disorder } => world.deliver(*in_disorder),
            Action::Publish(policies) => world.policies = *policies,
            Action::Pause if world.ledger.can_pause(now) => world.ledger.pause(now),
            Action::Pause => {}
            Action::Resume => world.ledger.resume(now),
            Action::Create { hold } => {
                if world.can_create() && world.cluster_is_active() {
                    world.runs.push(Run::new(*hold, None, world.now));
                }
            }
            Action::Release(number) => {
                if let Some(run) = chosen(number).map(|index| &mut world.runs[index])
                    && run.stands == Stands::Pending
                {
                    run.let_go();
                }
            }
            Action::Cancel(number) => {
                if let Some(run) = chosen(number).map(|index| &mut world.runs[index]) {
                    if run.stands.is_active() && run.cancelled_at.is_none() {
                        run.order_cancel(now);
                    } else if matches!(run.stands, Stands::Pending | Stands::Ready) {
                        run.stands = Stands::Cancelled;
                        world.end_announced |= run.replaces;
                    }
                }
            }
            Action::Retry(number, hold) => {
                if world.can_retry()
                    && let Some(run) = chosen(number).map(|index| &mut world.runs[index])
                    && run.stands.has_ended()
                    && run.stands != Stands::Succeeded
                {
                    run.make_ready();
                    run.retries_left = RETRIES;
                    if *hold {
                        (run.stands, run.is_held_back) = (Stands::Pending, true);
                    }
                }
            }
            Action::Delete(number) => {
                if let Some(run) = chosen(number).map(|index| &mut world.runs[index])
                    && run.stands.has_ended()
                {
                    run.is_deleted = true;
                }
            }
            Action::Lease { answer_is_lost } => world.lease(*answer_is_lost),
            Action::Heartbeat => world.heartbeat(),
            Action::Report { held, word, .. } => {
                if let Some(index) = world.chosen_held(*held) {
                    world.report(index, *word);
                }
            }
            Action::AgentDies => world.held.clear(),
        }
        world
    }
}
