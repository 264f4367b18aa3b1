//! What a workflow is made of.

use std::time::Duration;

use mainsheet_core::operation::OperationKind;

use crate::Step;

/// A workflow: steps one after the other; when one of them fails, or the operation is cancelled, the steps that undo them.
#[derive(Debug, Clone, Copy)]
pub struct Workflow {
    /// The kind of operation that it is for.
    pub operation: OperationKind,
    /// What is done, in order. Cancellation is honoured before each of them, and each time one is asked again.
    pub steps: &'static [Stage],
    /// What is done, in order, after one of `steps` failed for good. Not cancelled any more.
    pub undo: &'static [Stage],
    /// How it ends when all of `undo` was done. When some of it was not, it ends with [`Step::Fail`].
    pub undone: Step,
}

/// A step with its patience.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// What is done.
    pub step: Step,
    /// How long to wait before it is asked again whether it is done.
    pub interval: Duration,
    /// How long after it was first asked it has failed, if it is still not done.
    pub deadline: Duration,
}

/// How trouble that passes is met: the step is asked again, after a growing delay with full jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How often, before it is trouble that does not pass.
    pub max_attempts: u32,
    /// The longest first delay.
    pub interval: Duration,
    /// What the longest delay is multiplied with each time.
    pub backoff_rate: u32,
    /// The longest delay of all.
    pub max_delay: Duration,
}

/// How every step is retried: for 3 to 4 minutes at most.
pub const RETRY: Retry =
    Retry { max_attempts: 8, interval: Duration::from_secs(2), backoff_rate: 2, max_delay: Duration::from_secs(60) };

/// Where a workflow goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// With this step.
    Step(Step),
    /// Nowhere: it is over.
    End,
}

impl Stage {
    /// A step that is done at once.
    #[must_use]
    pub const fn at_once(step: Step) -> Self {
        Self::polled(step, 5, 5)
    }

    /// A step that takes its time: asked again after `interval` seconds, for `deadline` minutes at most.
    #[must_use]
    pub const fn polled(step: Step, interval: u64, deadline: u64) -> Self {
        Self { step, interval: Duration::from_secs(interval), deadline: Duration::from_secs(deadline * 60) }
    }
}

impl Retry {
    /// The delay after so many failures in a row, the first being 1; `None` when it is not tried again. `share` of 0 to 1 is
    /// the jitter.
    #[must_use]
    pub fn delay(&self, failures: u32, share: f64) -> Option<Duration> {
        if failures == 0 || failures > self.max_attempts {
            return None;
        }
        let longest = self.interval.saturating_mul(self.backoff_rate.saturating_pow(failures - 1)).min(self.max_delay);
        Some(longest.mul_f64(share.clamp(0.0, 1.0)))
    }

    /// The longest that retries can take together.
    #[must_use]
    pub fn budget(&self) -> Duration {
        (1..=self.max_attempts).filter_map(|failures| self.delay(failures, 1.0)).sum()
    }
}

impl Workflow {
    /// Its name: that of the state machine, and of its file.
    #[must_use]
    pub fn name(&self) -> String {
        self.operation.as_str().replace(['.', '_'], "-")
    }

    /// Every stage, the ending ones included, in the order in which they stand in the state machine.
    #[must_use]
    pub fn stages(&self) -> Vec<Stage> {
        let endings = match self.undone {
            Step::Fail => vec![Step::Succeed, Step::Fail],
            undone => vec![Step::Succeed, undone, Step::Fail],
        };
        let endings = endings.into_iter().map(Stage::at_once);
        self.steps.iter().chain(self.undo).copied().chain(endings).collect()
    }

    /// A stage by its step.
    #[must_use]
    pub fn stage(&self, step: Step) -> Option<Stage> {
        self.stages().into_iter().find(|stage| stage.step == step)
    }

    /// The first step.
    #[must_use]
    pub fn first(&self) -> Step {
        self.steps.first().map_or(Step::Succeed, |stage| stage.step)
    }

    /// Whether a step leads towards success, so that it is not begun for an operation that was cancelled or has failed.
    #[must_use]
    pub fn is_forward(&self, step: Step) -> bool {
        self.steps.iter().any(|stage| stage.step == step)
    }

    /// What follows when a step is done.
    #[must_use]
    pub fn after(&self, step: Step) -> Next {
        let following = |stages: &[Stage]| {
            let position = stages.iter().position(|stage| stage.step == step)?;
            Some(stages.get(position + 1).map(|stage| stage.step))
        };
        if let Some(next) = following(self.steps) {
            return Next::Step(next.unwrap_or(Step::Succeed));
        }
        if let Some(next) = following(self.undo) {
            return Next::Step(next.unwrap_or(self.undone));
        }
        Next::End
    }

    /// What follows when a step is not done and will not be. An end that cannot be told is tried again until the execution's own end:
    /// nobody else would end the operation.
    #[must_use]
    pub fn after_failure(&self, step: Step) -> Next {
        match step {
            Step::Fail => Next::Step(Step::Fail),
            step if self.is_forward(step) => Next::Step(self.undo.first().map_or(Step::Fail, |stage| stage.step)),
            _ => Next::Step(Step::Fail),
        }
    }

    /// The longest that it can take: every step asked until its deadline, and then retried to the end.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.stages().iter().map(|stage| stage.deadline + RETRY.budget()).sum()
    }
}
