//! Operations, driven by the document: a new one of these areas is tried as well. To have another area tried, add its tag.

use mainsheet_testkit::{Answer, Fault, Lasting, Snapshot};
use rstest::rstest;

use super::outcome::{Names, Outcome};
use super::{report, tried};
use crate::gates::document::{Operation, operations};
use crate::operations::{Request, right};
use crate::world::World;

/// A world at one moment, to which everything comes back.
struct Stage {
    world: World,
    snapshot: Snapshot,
    names: Names,
}

impl Stage {
    async fn set() -> Self {
        let world = World::start().await;
        world.app.deliver().await;
        world.app.table().hold();
        let (snapshot, names) = (world.app.snapshot(), Names::of(&world.app.dump()));
        Self { world, snapshot, names }
    }

    fn reset(&self) {
        self.world.app.restore(&self.snapshot);
    }

    /// Who sends a request again names it, where that is possible.
    async fn send(&self, request: &Request) -> Answer {
        let call = request.call(&request.client(&self.world));
        let call = if request.method == "POST" { call.idempotent("the-same-request") } else { call };
        call.send().await
    }

    fn outcome(&self) -> Outcome {
        Outcome::of(&self.world.app.dump(), &self.names)
    }

    /// Tries a request with a fault at each call that it makes, and then at each call of what follows from it. Says how many
    /// faults were tried.
    async fn try_request(&self, operation: &Operation, request: &Request) -> usize {
        let app = &self.world.app;
        let (answer, calls) = app.measure(self.send(request)).await;
        let _ = answer.expect(operation.success);
        let (_, later_calls) = app.measure(app.deliver_through_faults()).await;
        let expected = self.outcome();
        self.reset();
        let mut count = 0;
        for (index, call) in calls.iter().enumerate() {
            for (fault, lasting) in tried(call) {
                let context = format!("{} with {fault:?} {lasting:?} at call {index} of {calls:?}", operation.id);
                app.fault(index, fault, lasting);
                let first = self.send(request).await;
                app.heal();
                self.ask_again(operation, request, (fault, lasting), &first, &context).await;
                let _ = app.deliver_through_faults().await;
                self.outcome().assert_is(&expected, &format!("{context}, which was answered {first}"));
                self.reset();
                count += 1;
            }
        }
        for (index, call) in later_calls.iter().enumerate() {
            for (fault, lasting) in tried(call) {
                let _ = self.send(request).await.expect(operation.success);
                app.fault(index, fault, lasting);
                let _ = app.deliver_through_faults().await;
                app.heal();
                let context = format!("{}, delivered with {fault:?} {lasting:?} at call {index}", operation.id);
                self.outcome().assert_is(&expected, &context);
                self.reset();
                count += 1;
            }
        }
        count
    }

    /// Sends a request again as a client does that was told to, or heard nothing; one with a name in any case.
    async fn ask_again(
        &self,
        operation: &Operation,
        request: &Request,
        (fault, lasting): (Fault, Lasting),
        first: &Answer,
        context: &str,
    ) {
        let succeeded = first.status == operation.success;
        if !succeeded {
            assert!(lasting == Lasting::ForTheCall, "{context}: the client's second try goes through: {first}");
            let problem = first.problem();
            assert!(problem.status == 503 && problem.retryable, "{context}: {first}");
        }
        // What was deleted is gone, and a change without a name is another change.
        let may_repeat = request.method == "POST" || (!succeeded && !fault.takes_effect());
        if may_repeat {
            let again = self.send(request).await;
            assert_eq!(again.status, operation.success, "{context}, sent again: {again}");
        }
    }
}

#[rstest]
#[case::jobs("jobs")]
#[case::runs("job-runs")]
#[case::queries("queries")]
#[case::catalogs("catalogs")]
#[case::agents("agents")]
#[tokio::test(flavor = "multi_thread")]
async fn whatever_call_fails_a_request_takes_effect_once(#[case] tag: &str) {
    let stage = Stage::set().await;
    let mut count = 0;
    for operation in operations(&stage.world.app).iter().filter(|operation| operation.tag == tag) {
        let request = right(&operation.id, &stage.world).unwrap();
        count += stage.try_request(operation, &request).await;
    }
    report(tag, count);
}
