//! Every change is one transaction that carries its audit record. Driven by the document: a new operation is tried as well.

use super::document::operations;
use crate::operations::right;
use crate::world::World;

/// What an agent says about how it is getting on changes nothing that somebody decided, and is not audited.
const TELEMETRY: [&str; 3] = ["agentHeartbeat", "appendJobRunLog", "putJobRunResults"];

/// Where browsers are sent through, with GET: what is written, and how much of it is audited. An attempt to sign in is noted, and
/// ended before the provider is asked; both decide nothing.
const BY_BROWSER: [(&str, (usize, usize)); 2] = [("startSsoLogin", (1, 0)), ("finishSsoLogin", (2, 1))];

/// Where somebody proves who they are, and how many writes count the try before it is looked at.
const COUNTED_FIRST: [(&str, usize); 4] =
    [("loginWithPassword", 1), ("loginWithCode", 2), ("verifyMfaChallenge", 1), ("changeUserPassword", 1)];

#[tokio::test]
async fn every_mutation_is_one_audited_transaction() {
    let world = World::start().await;
    for operation in operations(&world.app) {
        let request = right(&operation.id, &world).unwrap_or_else(|| panic!("no right request to {}", operation.id));
        let before = world.app.dump();
        let (answer, round_trips) = world.app.measure(request.send(&world)).await;
        let answer = answer.expect(operation.success);
        let after = world.app.dump();
        let writes = round_trips.iter().filter(|name| *name == "TransactWriteItems").count();
        // Signing in and out is told in the trails of the person and of their organizations: one record.
        let records = after.new_of_kind(&before, "audit");
        let audits = records.iter().map(|row| &row["sk"]).collect::<std::collections::HashSet<_>>().len();
        let reads = ["GetItem", "BatchGetItem", "Query", "TransactGetItems", "TransactWriteItems"];
        assert!(round_trips.iter().all(|name| reads.contains(&name.as_str())), "{answer}: {round_trips:?}");
        if let Some((_, expected)) = BY_BROWSER.iter().find(|(id, _)| *id == operation.id) {
            assert_eq!((writes, audits), *expected, "{answer}: {round_trips:?}");
        } else if operation.method == "GET" {
            after.assert_same_as(&before, &operation.id);
        } else if TELEMETRY.contains(&operation.id.as_str()) {
            assert_eq!(audits, 0, "{answer}");
        } else {
            let counted = COUNTED_FIRST.iter().find(|(id, _)| *id == operation.id).map_or(0, |(_, writes)| *writes);
            assert_eq!(
                (writes, audits),
                (1 + counted, 1),
                "{answer}: {round_trips:?}\n{}",
                after.difference(&before).join("\n")
            );
        }
    }
    world.app.deliver().await;
}
