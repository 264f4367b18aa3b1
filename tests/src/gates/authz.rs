//! Who is refused what: every operation of the document that is not for everybody, tried by everybody who may not. A refusal
//! has the status that the design gives it and leaves the table as it was.

use std::time::Duration;

use mainsheet_auth::Relation;
use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_testkit::{Answer, Client, Dump, Person, TestAgent};
use serde_json::json;

use super::document::{Operation, operations};
use crate::operations::{Request, right};
use crate::world::World;

/// What an operation asks of a person (`x-required-relation`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// To be signed in.
    SelfOnly,
    /// To be a member of the organization.
    Member,
    /// A relation over the organization.
    Organization(Relation),
    /// A relation over a team that the thing is shared with.
    Team(Relation),
}

impl Needs {
    pub(super) fn of(operation: &Operation) -> Self {
        let text = operation.relation.as_deref();
        let text = text.unwrap_or_else(|| panic!("{} is secured and has no x-required-relation", operation.id));
        match text.split_once(':') {
            None if text == "self" => Self::SelfOnly,
            None if text == "member" => Self::Member,
            Some(("organization", relation)) => Self::Organization(relation.parse().unwrap()),
            Some(("team", relation)) => Self::Team(relation.parse().unwrap()),
            _ => panic!("{}: x-required-relation `{text}` is of no known form", operation.id),
        }
    }
}

pub(super) fn for_people(world: &World) -> Vec<(Operation, Request)> {
    of_scheme(world, "accessToken")
}

fn for_agents(world: &World) -> Vec<(Operation, Request)> {
    of_scheme(world, "agentToken")
}

/// Every operation under a scheme with a right request to it. One that has none fails.
fn of_scheme(world: &World, scheme: &str) -> Vec<(Operation, Request)> {
    let all = operations(&world.app).into_iter().filter(|operation| operation.schemes == [scheme]);
    let with_request = |operation: Operation| {
        let request = right(&operation.id, world).unwrap_or_else(|| panic!("no right request to {}", operation.id));
        (operation, request)
    };
    let found: Vec<_> = all.map(with_request).collect();
    assert!(!found.is_empty());
    found
}

/// Requests that are to be refused, and the table that none of them may change.
pub(super) struct Refusals<'w> {
    world: &'w World,
    before: Dump,
}

impl<'w> Refusals<'w> {
    pub(super) fn of(world: &'w World) -> Self {
        Self { world, before: world.app.dump() }
    }

    /// Tries a request: it is refused with this status, and nothing is written.
    pub(super) async fn try_one(&self, request: &Request, client: &Client, status: u16, who: &str) -> Answer {
        let (answer, round_trips) = self.world.app.measure(request.send_as(client)).await;
        assert_eq!(answer.status.as_u16(), status, "{who}: {answer}");
        assert!(!round_trips.iter().any(|name| name.contains("Write")), "{who}: {answer}: {round_trips:?}");
        answer
    }

    /// Asserts that the table is as it was, whoever wrote to it.
    pub(super) fn left_no_trace(self) {
        self.world.app.dump().assert_same_as(&self.before, "requests that were refused");
    }
}

#[tokio::test]
async fn without_a_good_token_nothing_is_answered() {
    let world = World::start().await;
    let ended = Person::sign_in(&world.app, &world.owner.email, mainsheet_testkit::PASSWORD).await;
    let _ = ended.act("/auth/logout").await.expect(204);
    let revoked = Person::sign_in(&world.app, &world.owner.email, mainsheet_testkit::PASSWORD).await;
    let login = crate::world::current_login(&revoked).await;
    let _ = world.owner.delete(&format!("/me/logins/{login}")).await.expect(204);
    let revoked_key = service_key(&world, json!({})).await;
    let _ = world.owner.delete(&revoked_key.path).await.expect(204);
    let clients = [
        ("anonymous", world.app.anonymous()),
        ("garbage", world.app.anonymous().bearer("garbage")),
        ("an ended login", ended.client.clone()),
        ("a revoked login", revoked.client.clone()),
        ("a revoked key of a service account", revoked_key.client),
        ("another scheme", world.app.anonymous().with("authorization", "Basic YTpi")),
    ];
    let refusals = Refusals::of(&world);
    for (operation, request) in for_people(&world).into_iter().chain(for_agents(&world)) {
        for (who, client) in &clients {
            refusals.try_one(&request, client, 401, &format!("{who}, {}", operation.id)).await;
        }
    }
    for (operation, request) in for_people(&world) {
        refusals.try_one(&request, &world.agent.client, 401, &format!("an agent, {}", operation.id)).await;
    }
    for (operation, request) in for_agents(&world) {
        refusals.try_one(&request, &world.owner.client, 401, &format!("a person, {}", operation.id)).await;
    }
    refusals.left_no_trace();
}

#[tokio::test]
async fn expired_tokens_are_refused() {
    let world = World::start().await;
    let lasts = Duration::from_secs(15 * 60 + 1);
    let key = service_key(&world, json!({ "expiresAt": world.app.now() + lasts })).await;
    world.app.advance(lasts);
    let refusals = Refusals::of(&world);
    for (operation, request) in for_people(&world) {
        refusals.try_one(&request, &world.owner.client, 401, &operation.id).await;
        refusals.try_one(&request, &key.client, 401, &format!("an expired key, {}", operation.id)).await;
    }
    refusals.left_no_trace();
}

#[tokio::test]
async fn other_clusters_agents_are_refused() {
    let world = World::start().await;
    let stranger = world.app.sign_up("stranger@example.com").await;
    let foreign = stranger.cluster("theirs").await;
    let neighbour: TestAgent = world.owner.cluster("another").await;
    let refusals = Refusals::of(&world);
    for (operation, request) in for_agents(&world).into_iter().filter(|(operation, _)| operation.path.contains('{')) {
        refusals.try_one(&request, &foreign.client, 404, &format!("another organization's, {}", operation.id)).await;
        refusals.try_one(&request, &neighbour.client, 409, &format!("another cluster's, {}", operation.id)).await;
    }
    refusals.left_no_trace();
    let held = std::slice::from_ref(&world.leased);
    for agent in [&foreign, &neighbour] {
        let answer = agent.heartbeat(held).await.expect(200).json();
        assert_eq!(answer["runs"][0]["order"], "abandon", "{answer}");
    }
    world.app.deliver().await;
}

/// Somebody of the organization, and what they hold.
struct Holder<'h> {
    who: String,
    client: Client,
    over_organization: Box<dyn Fn(Relation) -> bool + 'h>,
    /// Over the team that the world's things are shared with.
    over_team: Box<dyn Fn(Relation) -> bool + 'h>,
}

impl Holder<'_> {
    /// The status with which an operation is refused to them; `None` when they may.
    fn refusal(&self, operation: &Operation) -> Option<(u16, Relation)> {
        match Needs::of(operation) {
            Needs::SelfOnly | Needs::Member => None,
            Needs::Organization(relation) => (!(self.over_organization)(relation)).then_some((403, relation)),
            Needs::Team(relation) => {
                let may = |relation| (self.over_organization)(relation) || (self.over_team)(relation);
                // What somebody cannot see is not there for them.
                let is_hidden = operation.path.contains('{') && !may(Relation::CanViewJobs);
                (!may(relation)).then_some((if is_hidden { 404 } else { 403 }, relation))
            }
        }
    }
}

/// A member for each role of organizations, and for each role of teams.
async fn holders(world: &World) -> Vec<Holder<'static>> {
    let organization = &world.owner.organization_id;
    let mut holders = Vec::new();
    for role in OrganizationRole::ALL.iter().copied().filter(|role| *role != OrganizationRole::Owner) {
        let email = format!("{}@example.com", role.as_str().to_lowercase());
        let client = world.app.member(&email, organization, &[role], &[]).await.client;
        let over_organization = Box::new(move |relation: Relation| relation.is_held_by(role));
        holders.push(Holder {
            who: role.as_str().to_owned(),
            client,
            over_organization,
            over_team: Box::new(|_| false),
        });
    }
    for role in TeamRole::ALL.iter().copied() {
        let email = format!("{}@example.com", role.as_str().to_lowercase());
        let seats = [(world.owner.team_id.as_str(), role)];
        let client = world.app.member(&email, organization, &[OrganizationRole::Member], &seats).await.client;
        let over_team = Box::new(move |relation: Relation| relation.is_held_in_team_by(role));
        holders.push(Holder {
            who: role.as_str().to_owned(),
            client,
            over_organization: Box::new(|_| false),
            over_team,
        });
    }
    holders
}

/// A refusal names what is missing and who can give it. Over the organization that is no Team Admin.
#[track_caller]
fn tells_what_is_missing(answer: &Answer, relation: Relation, who: &str) {
    let problem = answer.problem();
    assert_eq!(problem.code, "permission_missing", "{who}: {answer}");
    let told = problem.message;
    assert!(told.contains(relation.as_str()) && told.contains("An Owner"), "{who}: {answer}");
    assert!(!(told.contains("over the organization") && told.contains("Team Admin")), "{who}: {answer}");
}

#[tokio::test]
async fn whoever_lacks_the_relation_is_refused() {
    let world = World::start().await;
    let mut holders = holders(&world).await;
    let key = service_key(&world, json!({})).await;
    let nothing = || Box::new(|_: Relation| false);
    let machine = "a service account without a policy".to_owned();
    holders.push(Holder { who: machine, client: key.client, over_organization: nothing(), over_team: nothing() });
    // The first request of the service account and of who acts in an emergency is noted; later ones are not for a while.
    for holder in &holders {
        let _ = holder.client.get("/org").await.expect(200);
    }
    let refusals = Refusals::of(&world);
    for (operation, request) in for_people(&world) {
        for holder in &holders {
            let who = format!("{}, {}", holder.who, operation.id);
            let Some((status, relation)) = holder.refusal(&operation) else {
                let holds = matches!(Needs::of(&operation), Needs::Organization(_) | Needs::Team(_));
                if holds && operation.method == "GET" {
                    let _ = request.send_as(&holder.client).await.expect(operation.success);
                }
                continue;
            };
            let answer = refusals.try_one(&request, &holder.client, status, &who).await;
            if status == 403 {
                tells_what_is_missing(&answer, relation, &who);
            }
        }
    }
    refusals.left_no_trace();
    world.app.deliver().await;
}

/// Relations that an operation asks for besides its own, because of what or whom the right request to it gives or names.
const BESIDES: [(&str, &[&str]); 4] = [
    ("setMemberRoles", &["CanViewBilling"]),
    ("setOrganizationPolicy", &["CanManageUsers"]),
    // The colleague was given the role Billing by then.
    ("resetUserMfa", &["CanViewBilling"]),
    ("resetUserPassword", &["CanViewBilling"]),
];

#[tokio::test]
async fn a_service_account_with_the_relation_alone_may() {
    let world = World::start().await;
    let key = service_key(&world, json!({})).await;
    let policy = format!("/org/policies/serviceAccount:{}", world.service_account);
    for (operation, request) in for_people(&world) {
        let (Needs::Organization(relation) | Needs::Team(relation)) = Needs::of(&operation) else { continue };
        let besides = BESIDES.iter().find(|(id, _)| *id == operation.id).map_or(&[][..], |(_, besides)| besides);
        let permissions: Vec<&str> = besides.iter().copied().chain([relation.as_str()]).collect();
        let _ = world.owner.put(&policy, json!({ "permissions": permissions })).await.expect(200);
        let _ = request.send_as(&key.client).await.expect(operation.success);
    }
    world.app.deliver().await;
}

/// A key of the world's service account.
pub(super) struct ServiceKey {
    pub(super) client: Client,
    pub(super) path: String,
}

pub(super) async fn service_key(world: &World, body: serde_json::Value) -> ServiceKey {
    let keys = format!("/org/service-accounts/{}/keys", world.service_account);
    let created = world.owner.post(&keys, body).await.expect(201);
    let client = world.app.anonymous().bearer(&created.text("key"));
    ServiceKey { client, path: format!("{keys}/{}", created.text("id")) }
}
