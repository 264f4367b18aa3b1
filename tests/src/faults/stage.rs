//! A request with a fault at each call that it leads to: while it is handled, and in all that follows from it.

use mainsheet_testkit::provider::{Codes, TestProvider};
use mainsheet_testkit::{Answer, Call, Fault, Lasting, Snapshot, TestApp};

use super::outcome::{Before, Outcome};
use super::{PORT_FAULTS, WRITE, tried};

/// A control plane at one moment, to which everything comes back.
pub(super) struct Stage<'w> {
    app: &'w TestApp,
    provider: &'w TestProvider,
    snapshot: Snapshot,
    codes: Codes,
    before: Before,
}

/// A request.
pub(super) struct Trial<'t> {
    /// What it is called in messages.
    pub(super) name: &'t str,
    /// Makes it, the same each time.
    pub(super) request: &'t dyn Fn() -> Call,
    /// Its status when nothing goes wrong.
    pub(super) success: u16,
    /// What sending it again comes to.
    pub(super) again: Again,
}

/// What sending a request again comes to, once it was done. Whoever had no answer does not know whether it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// The same: it reads, or has a name or a number that tells that it comes again.
    Same,
    /// A refusal: it names the version that it changes, and that is another one by now (412), or gone (404).
    Stale,
    /// Another change, or a refusal: it takes what is there by now.
    Change,
    /// One more of what it made.
    OneMore,
    /// A refusal with this status: it has used up what it takes.
    Refused(u16),
    /// The same, and that is used up as soon as the request has begun to write, before it is done.
    Spent(u16),
}

/// A request whose course and outcome are known.
struct Course<'s> {
    stage: &'s Stage<'s>,
    trial: &'s Trial<'s>,
    /// The calls of the table while it is handled.
    calls: Vec<String>,
    /// Those in what follows.
    later_calls: Vec<String>,
    /// How many calls of ports there are in what follows.
    port_calls: usize,
    expected: Outcome,
}

impl<'w> Stage<'w> {
    pub(super) async fn set(app: &'w TestApp, provider: &'w TestProvider) -> Self {
        app.deliver().await;
        app.table().hold();
        Self { app, provider, snapshot: app.snapshot(), codes: provider.codes(), before: Before::of(app) }
    }

    fn reset(&self) {
        self.app.restore(&self.snapshot);
        self.provider.restore(&self.codes);
    }

    fn outcome(&self) -> Outcome {
        Outcome::of(self.app, &self.before)
    }

    /// Tries a request with each fault. Says how many there were.
    pub(super) async fn try_out(&self, trial: &Trial<'_>) -> usize {
        let course = self.course(trial).await;
        let mut count = 0;
        for (index, call) in course.calls.iter().enumerate() {
            for (fault, lasting) in tried(call) {
                course.handle_with(index, fault, lasting).await;
                count += 1;
            }
        }
        for (index, call) in course.later_calls.iter().enumerate() {
            for (fault, lasting) in tried(call) {
                let context = format!("{fault:?} {lasting:?} at call {index} of {:?}", course.later_calls);
                course.follow_with(|| self.app.fault(index, fault, lasting), &context).await;
                count += 1;
            }
        }
        for (index, fault) in (0..course.port_calls).flat_map(|index| PORT_FAULTS.map(|fault| (index, fault))) {
            let context = format!("{fault:?} at a port, call {index} of {}", course.port_calls);
            course.follow_with(|| self.app.fault_of_port(index, fault), &context).await;
            count += 1;
        }
        count
    }

    /// What becomes of it when nothing goes wrong.
    async fn course<'s>(&'s self, trial: &'s Trial<'s>) -> Course<'s> {
        let app = self.app;
        let (answer, calls) = app.measure(trial.send()).await;
        let _ = answer.expect(trial.success);
        let _ = app.take_port_calls();
        let (_, later_calls) = app.measure(app.deliver_through_faults()).await;
        let port_calls = app.take_port_calls();
        let expected = self.outcome();
        self.reset();
        Course { stage: self, trial, calls, later_calls, port_calls, expected }
    }
}

impl Trial<'_> {
    async fn send(&self) -> Answer {
        (self.request)().send().await
    }
}

impl Course<'_> {
    /// A fault while the request is handled. Whoever asked asks again, and what comes of it is what it is without the fault.
    async fn handle_with(&self, index: usize, fault: Fault, lasting: Lasting) {
        let (app, trial) = (self.stage.app, self.trial);
        app.fault(index, fault, lasting);
        let first = trial.send().await;
        app.heal();
        let calls = &self.calls;
        let context =
            format!("{} with {fault:?} {lasting:?} at call {index} of {calls:?}, answered {first}", trial.name);
        let writes = || calls.iter().enumerate().filter(|(_, call)| *call == WRITE).map(|(place, _)| place);
        let is_behind = |write: usize| index > write || (index == write && fault.takes_effect());
        let succeeded = first.status == trial.success;
        // The last write decides. Those before it count, or use up, what is given.
        let is_done = succeeded || writes().next_back().is_some_and(is_behind);
        if !succeeded {
            assert!(lasting == Lasting::ForTheCall, "{context}: the client's own second try goes through");
            assert_may_be_sent_again(&first, &context);
        }
        match trial.again {
            Again::Spent(status) if !is_done && writes().next().is_some_and(is_behind) => {
                self.expect_again(&[status], &context).await;
                let _ = app.deliver_through_faults().await;
                self.stage.outcome().assert_nothing_new(&context);
            }
            again => {
                if again == Again::Same || !is_done {
                    self.expect_again(&[trial.success], &context).await;
                }
                self.assert_outcome(&context).await;
                if is_done {
                    self.ask_once_more(&context).await;
                }
            }
        }
        self.stage.reset();
    }

    /// A fault in what follows from the request.
    async fn follow_with(&self, fault: impl Fn(), context: &str) {
        let app = self.stage.app;
        let _ = self.trial.send().await.expect(self.trial.success);
        fault();
        let _ = app.deliver_through_faults().await;
        app.heal();
        self.stage.outcome().assert_is(&self.expected, &format!("{}, delivered with {context}", self.trial.name));
        self.stage.reset();
    }

    /// What whoever asks for something that was done is told.
    async fn ask_once_more(&self, context: &str) {
        match self.trial.again {
            // Asked again already.
            Again::Same => {}
            Again::Stale => {
                self.expect_again(&[404, 412], context).await;
                self.assert_outcome(context).await;
            }
            Again::OneMore => self.expect_again(&[self.trial.success], context).await,
            Again::Refused(status) | Again::Spent(status) => self.expect_again(&[status], context).await,
            Again::Change => {
                let again = self.trial.send().await;
                assert!(again.status.as_u16() < 500, "{context}, sent again: {again}");
            }
        }
    }

    async fn expect_again(&self, statuses: &[u16], context: &str) {
        let again = self.trial.send().await;
        assert!(statuses.contains(&again.status.as_u16()), "{context}, sent again: {again}");
    }

    async fn assert_outcome(&self, context: &str) {
        let _ = self.stage.app.deliver_through_faults().await;
        self.stage.outcome().assert_is(&self.expected, context);
    }
}

/// The answer asks for another try, and does not say that nothing was changed: that is not known.
fn assert_may_be_sent_again(answer: &Answer, context: &str) {
    let problem = answer.problem();
    assert!(problem.status == 503 && problem.retryable, "{context}");
    assert!(problem.message.contains("may have been made"), "{context}");
}
