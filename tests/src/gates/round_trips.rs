//! What each operation asks of the table: a reviewed record, measured in front of the table, and the budget of the design.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::document::{Operation, operations};
use crate::operations::right;
use crate::world::World;

/// Operations that take more round trips than the rest, how many, and why.
const OVER_BUDGET: [(&str, usize, &str); 39] = [
    ("agentHeartbeat", 4, "one transaction for the pulse, and one to renew the lease of the held run"),
    ("leaseJobRuns", 4, "the inbox says which run is read"),
    (
        "loginWithPassword",
        5,
        "the try is counted first; the address leads to the person, and they to their organizations",
    ),
    ("loginWithCode", 6, "as with a password, and the try of the code is counted first, too"),
    ("verifyMfaChallenge", 4, "the try is counted first; the person leads to their organizations"),
    ("addMyEmail", 4, "how many addresses they have, and how many mails went to this one"),
    ("retireCluster", 4, "refused while runs wait in the inbox"),
    ("getNetwork", 4, "what the answer includes, its clusters and the rest, is known when the network was read"),
    ("getProvisionedCluster", 3, "what the answer includes is known when the cluster was read"),
    ("getConnectionCluster", 3, "what the answer includes is known when the cluster was read"),
    ("getClusterHealth", 3, "the cluster's two faces, and the connection by which its account is entered"),
    (
        "listConnectionOrphans",
        4,
        "the networks say where to look; what is in the account is compared with what is known",
    ),
    ("getClusterMetrics", 3, "nobody reads samples before they may see the cluster"),
    ("getJob", 3, "what the answer includes is known when the job was read"),
    ("getJobRunBlockers", 3, "the run says which cluster is looked for"),
    ("getJobRunResults", 3, "nobody reads a preview before they may see its run"),
    ("listCatalogQueries", 5, "the catalog decides who may look, and its links which queries are read"),
    ("getQuery", 3, "what the answer includes is known when the query was read"),
    (
        "acceptInvitation",
        4,
        "nobody is signed in; the invitation leads to the organization, and that to its default team",
    ),
    ("changeUserPassword", 6, "the address leads to the throttle, which is asked before the password is looked at"),
    ("createUser", 4, "the organization leads to its default team; and how many mails went to the address"),
    ("deleteUser", 4, "the account leads to the member"),
    ("getMember", 3, "what the answer includes is known when the member was read"),
    ("listTeamMembers", 4, "nobody reads who sits in a team before they may; what they point at is known then"),
    ("startSsoLogin", 3, "the provider leads to its organization; the attempt is noted"),
    (
        "finishSsoLogin",
        7,
        "attempt, provider and organization, who it is, their team; the attempt ends before the code is issued",
    ),
    (
        "backchannelLogout",
        5,
        "the provider leads to its organization, the subject to the person, the person to their logins",
    ),
    ("exchangeOneTimeCode", 4, "the code leads to the person, and their access to the organizations' rules"),
    ("getJobVersion", 4, "nobody reads a version before they may see its job, and then what the answer includes"),
    ("activateJobVersion", 4, "nobody reads a version before they may manage its job"),
    ("applyJob", 5, "the key leads to the job; whether a team is left that was not deleted"),
    ("listMyJobs", 4, "the list says which jobs are read, and they what the answer includes"),
    ("listTeamJobs", 5, "the team is looked for before its jobs, which are read as one's own are"),
    ("listTeamQueries", 4, "the team is looked for before its queries"),
    ("listTeamCatalogs", 4, "the team is looked for before its catalogs"),
    ("removeJobTeam", 4, "one of the teams that are left has to be there"),
    ("removeQueryTeam", 4, "one of the teams that are left has to be there"),
    ("listClusterJobs", 4, "the cluster is looked for before its jobs"),
    ("deleteQuery", 4, "refused while one of its jobs is active"),
];

#[tokio::test]
async fn round_trips() {
    let world = World::start().await;
    let mut record = String::new();
    let mut over = Vec::new();
    for operation in operations(&world.app) {
        let request = right(&operation.id, &world).unwrap_or_else(|| panic!("no right request to {}", operation.id));
        let (answer, round_trips) = world.app.measure(request.send(&world)).await;
        let _ = answer.expect(operation.success);
        let _ = writeln!(record, "{:6} {:45} {}", operation.method, operation.path, summary(&round_trips));
        if round_trips.len() > budget(&operation) {
            over.push(format!("{} {}: {round_trips:?}", operation.method, operation.path));
        }
    }
    world.app.deliver().await;
    insta::assert_snapshot!(record);
    assert!(over.is_empty(), "more round trips than the design allows:\n{}", over.join("\n"));
}

/// One round trip for who asks and whether they may, one for the work of a read and one more for what a list points at; a
/// write is a read and a transaction.
fn budget(operation: &Operation) -> usize {
    let exception = OVER_BUDGET.iter().find(|(id, ..)| *id == operation.id);
    let is_list = operation.method == "GET" && operation.is_list;
    let rule = if operation.method != "GET" || is_list { 3 } else { 2 };
    exception.map_or(rule, |(_, most, _)| *most)
}

/// `2 BatchGetItem, Query`
fn summary(round_trips: &[String]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in round_trips {
        *counts.entry(name).or_default() += 1;
    }
    let names: Vec<String> = counts
        .iter()
        .map(|(name, count)| if *count == 1 { (*name).to_owned() } else { format!("{count} {name}") })
        .collect();
    format!("{} ({})", round_trips.len(), names.join(", "))
}
