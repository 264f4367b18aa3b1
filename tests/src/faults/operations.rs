//! Every operation of the document. A new one is tried as well; a `POST` without an `Idempotency-Key` has to say what sending it again
//! comes to.

use std::collections::BTreeSet;

use mainsheet_testkit::TestApp;
use rstest::rstest;

use super::report;
use super::stage::{Again, Stage, Trial};
use crate::gates::document::{Operation, operations};
use crate::operations::{Request, right};
use crate::world::World;

/// The areas, in groups that share a world.
const IDENTITY: &[&str] = &["authentication", "identity-providers", "mfa", "users"];
const ORGANIZATION: &[&str] = &[
    "audit-log",
    "authorization-policies",
    "invitations",
    "members",
    "organizations",
    "roles",
    "service-accounts",
    "teams",
];
const INFRASTRUCTURE: &[&str] = &["clusters", "connections", "networks", "operations", "provisioned-catalogs"];
const WORKLOADS: &[&str] = &["agents", "catalogs", "job-runs", "jobs", "queries"];

/// What sending an operation again comes to where its method does not say so, and why.
const DECLARED: [(&str, Again, &str); 23] = [
    ("registerAgent", Again::Same, "the token knows whose secret it was traded for"),
    ("agentHeartbeat", Again::Same, "it says how things are"),
    ("leaseJobRuns", Again::Same, "a lease whose answer was lost is handed out again"),
    ("reportJobRunEvents", Again::Same, "reports are numbered"),
    ("appendJobRunLog", Again::Same, "lines are numbered"),
    ("verifyEmail", Again::Same, "what is confirmed stays confirmed"),
    ("loginWithPassword", Again::OneMore, "a login of which nobody has the tokens is in the list, and runs out"),
    ("startSsoLogin", Again::OneMore, "an attempt that nobody comes back from runs out"),
    ("signUp", Again::OneMore, "whoever has the address is written to once more"),
    ("resendEmailVerification", Again::OneMore, "a mail that was asked for once more; they are throttled"),
    ("requestLoginCode", Again::OneMore, "a mail with another code, which takes the place of the first"),
    ("requestPasswordReset", Again::OneMore, "a mail that was asked for once more; they are throttled"),
    ("refreshToken", Again::Refused(401), "one of two who have the same token has stolen it: the login ends"),
    ("loginWithCode", Again::Refused(401), "a code is good for once: another one is mailed"),
    ("verifyMfaChallenge", Again::Refused(401), "a half-done sign-in is finished once"),
    ("exchangeOneTimeCode", Again::Refused(401), "a code is good for once: sign in again"),
    ("completePasswordReset", Again::Refused(400), "the link is good for once; the new password is set"),
    ("acceptInvitation", Again::Refused(404), "it is accepted once; whoever did has a password, and signs in"),
    ("backchannelLogout", Again::Refused(400), "a logout token is taken once (Back-Channel Logout, section 2.6)"),
    ("finishSsoLogin", Again::Spent(400), "the attempt ends before the provider is asked: its code is traded once"),
    ("logout", Again::Refused(401), "the login that could ask again has ended"),
    ("resetMyMfa", Again::Refused(401), "every login has ended, this one too"),
    ("changeUserPassword", Again::Refused(422), "the present password is the new one"),
];

impl Again {
    fn of(operation: &Operation, names_version: bool) -> Self {
        let has_key = operation.parameters.iter().any(|name| name == "Idempotency-Key");
        match DECLARED.iter().find(|(id, ..)| *id == operation.id) {
            Some((_, again, _)) => *again,
            None if operation.method == "GET" || has_key => Self::Same,
            None if operation.method == "POST" => panic!("what does sending {} again come to?", operation.id),
            None if names_version => Self::Stale,
            None => Self::Change,
        }
    }
}

/// The version of what a request changes, which is at its path or above it, for `If-Match`.
async fn version(operation: &Operation, request: &Request, world: &World) -> Option<String> {
    if !operation.parameters.iter().any(|name| name == "If-Match") {
        return None;
    }
    let client = request.client(world);
    let (above, _) = request.path.rsplit_once('/')?;
    for path in [request.path.as_str(), above] {
        if let Some(version) = client.get(path).await.header("etag") {
            return Some(version.to_owned());
        }
    }
    None
}

#[rstest]
#[case::identity(IDENTITY)]
#[case::organization(ORGANIZATION)]
#[case::infrastructure(INFRASTRUCTURE)]
#[case::workloads(WORKLOADS)]
#[tokio::test(flavor = "multi_thread")]
async fn whatever_call_fails_a_request_takes_effect_once(#[case] tags: &[&str]) {
    let world = World::start().await;
    let stage = Stage::set(&world.app, &world.provider).await;
    let all = operations(&world.app);
    for tag in tags {
        let mut count = 0;
        for operation in all.iter().filter(|operation| operation.tag == *tag) {
            let request = right(&operation.id, &world).unwrap();
            let version = version(operation, &request, &world).await;
            // Who sends a request again names it, and the version that it changes, where that is possible.
            let call = || {
                let call = request.call(&request.client(&world));
                let call = if request.method == "POST" { call.idempotent("the-same-request") } else { call };
                version.iter().fold(call, |call, version| call.if_match(version))
            };
            let again = Again::of(operation, version.is_some());
            let (name, success) = (operation.id.as_str(), operation.success);
            count += stage.try_out(&Trial { name, request: &call, success, again }).await;
        }
        report(tag, count);
    }
}

#[tokio::test]
async fn no_area_is_left_out() {
    let app = TestApp::start().await;
    let all = operations(&app);
    let tags: BTreeSet<&str> = all.iter().map(|operation| operation.tag.as_str()).collect();
    let tried = [IDENTITY, ORGANIZATION, INFRASTRUCTURE, WORKLOADS].concat();
    assert_eq!(tags, tried.into_iter().collect());
    for (id, ..) in DECLARED {
        assert!(all.iter().any(|operation| operation.id == id), "there is no operation {id}");
    }
}
