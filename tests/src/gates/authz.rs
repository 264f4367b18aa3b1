//! Who is refused what: every operation of the document that is not for everybody, tried by everybody who may not. A refusal
//! has the status that the design gives it and leaves the table as it was.

use std::time::Duration;

use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_testkit::{Answer, Client, Person, TestAgent};

use super::document::{Operation, operations};
use crate::operations::{Request, right};
use crate::world::World;

/// Operations without ids in their path whose body names things of the organization.
const NAMES_IN_BODY: [&str; 2] = ["createJob", "createQuery"];
/// Operations whose path names what is the same in every organization.
const SAME_FOR_ALL: [&str; 2] = ["getOrganizationRole", "getTeamRole"];

/// What an operation asks of a person (`x-required-relation`).
#[derive(Debug, Clone, PartialEq, Eq)]
enum Needs {
    /// To be signed in.
    SelfOnly,
    /// To be a member of the organization.
    Member,
    /// A relation over the organization.
    Organization(String),
    /// A relation over a team that the thing is shared with.
    Team(String),
}

impl Needs {
    fn of(operation: &Operation) -> Self {
        let text = operation.relation.as_deref();
        let text = text.unwrap_or_else(|| panic!("{} is secured and has no x-required-relation", operation.id));
        match text.split_once(':') {
            None if text == "self" => Self::SelfOnly,
            None if text == "member" => Self::Member,
            Some(("organization", relation)) => Self::Organization(relation.to_owned()),
            Some(("team", relation)) => Self::Team(relation.to_owned()),
            _ => panic!("{}: x-required-relation `{text}` is of no known form", operation.id),
        }
    }
}

fn for_people(world: &World) -> Vec<(Operation, Request)> {
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

/// Tries a request and asserts that it is refused and changes nothing.
async fn refused(world: &World, request: &Request, client: &Client, status: u16, who: &str) -> Answer {
    let before = world.app.dump();
    let answer = request.send_as(client).await;
    assert_eq!(answer.status.as_u16(), status, "{who}: {answer}");
    world.app.dump().assert_same_as(&before, &format!("{who}: {answer}"));
    answer
}

#[tokio::test]
async fn without_a_good_token_nothing_is_answered() {
    let world = World::start().await;
    let ended = Person::sign_in(&world.app, &world.owner.email, mainsheet_testkit::PASSWORD).await;
    let _ = ended.act("/auth/logout").await.expect(204);
    let clients = [
        ("anonymous", world.app.anonymous()),
        ("garbage", world.app.anonymous().bearer("garbage")),
        ("an ended login", ended.client.clone()),
        ("another scheme", world.app.anonymous().with("authorization", "Basic YTpi")),
    ];
    for (operation, request) in for_people(&world).into_iter().chain(for_agents(&world)) {
        for (who, client) in &clients {
            refused(&world, &request, client, 401, &format!("{who}, {}", operation.id)).await;
        }
    }
    for (operation, request) in for_people(&world) {
        refused(&world, &request, &world.agent.client, 401, &format!("an agent, {}", operation.id)).await;
    }
    for (operation, request) in for_agents(&world) {
        refused(&world, &request, &world.owner.client, 401, &format!("a person, {}", operation.id)).await;
    }
}

#[tokio::test]
async fn expired_tokens_are_refused() {
    let world = World::start().await;
    world.app.advance(Duration::from_secs(15 * 60 + 1));
    for (operation, request) in for_people(&world) {
        refused(&world, &request, &world.owner.client, 401, &operation.id).await;
    }
}

#[tokio::test]
async fn other_organizations_are_out_of_reach() {
    let world = World::start().await;
    let stranger = world.app.sign_up("stranger@example.com").await;
    let pretender = stranger.with("lakesail-organization-id", &world.owner.organization_id);
    for (operation, request) in for_people(&world) {
        let needs = Needs::of(&operation);
        if needs != Needs::SelfOnly {
            refused(&world, &request, &pretender, 404, &format!("by header, {}", operation.id)).await;
        }
        let who = format!("a stranger, {}", operation.id);
        if SAME_FOR_ALL.contains(&operation.id.as_str()) {
            let _ = request.send_as(&stranger).await.expect(200);
        } else if operation.path.contains('{') {
            refused(&world, &request, &stranger, 404, &who).await;
        } else if NAMES_IN_BODY.contains(&operation.id.as_str()) {
            refused(&world, &request, &stranger, 422, &who).await;
        } else if operation.method == "GET" {
            let answer = request.send_as(&stranger).await.expect(200);
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            let own = [&world.owner.organization_id, &world.owner.team_id, &world.job, &world.query];
            assert!(own.into_iter().all(|id| !body.contains(id)), "{who} sees what is not theirs: {answer}");
        } else {
            // It makes or changes something of the stranger's own.
            assert!(request.body.as_ref().is_none_or(|body| !body.to_string().contains(&world.owner.team_id)), "{who}");
        }
    }
}

#[tokio::test]
async fn other_clusters_agents_are_refused() {
    let world = World::start().await;
    let stranger = world.app.sign_up("stranger@example.com").await;
    let foreign = stranger.cluster("theirs").await;
    let neighbour: TestAgent = world.owner.cluster("another").await;
    for (operation, request) in for_agents(&world).into_iter().filter(|(operation, _)| operation.path.contains('{')) {
        refused(&world, &request, &foreign.client, 404, &format!("another organization's, {}", operation.id)).await;
        refused(&world, &request, &neighbour.client, 409, &format!("another cluster's, {}", operation.id)).await;
    }
    let held = std::slice::from_ref(&world.leased);
    for agent in [&foreign, &neighbour] {
        let answer = agent.heartbeat(held).await.expect(200).json();
        assert_eq!(answer["runs"][0]["order"], "abandon", "{answer}");
    }
    world.app.deliver().await;
}

#[tokio::test]
async fn members_without_the_relation_are_refused() {
    let world = World::start().await;
    let organization = world.owner.organization_id.clone();
    let member = world.app.member("member@example.com", &organization, &[OrganizationRole::Member], &[]).await;
    let seats = [(world.owner.team_id.as_str(), TeamRole::Viewer)];
    let viewer = world.app.member("viewer@example.com", &organization, &[OrganizationRole::Member], &seats).await;
    for (operation, request) in for_people(&world) {
        let (of_member, of_viewer) = match Needs::of(&operation) {
            Needs::SelfOnly | Needs::Member => continue,
            Needs::Organization(relation) => ((403, relation.clone()), Some((403, relation))),
            Needs::Team(relation) => {
                // What somebody cannot see is not there for them.
                let of_member = if operation.path.contains('{') { 404 } else { 403 };
                let may_see = relation.starts_with("CanView");
                ((of_member, relation.clone()), (!may_see).then_some((403, relation)))
            }
        };
        for (who, person, expected) in [("a member", &member, Some(of_member)), ("a viewer", &viewer, of_viewer)] {
            let Some((status, relation)) = expected else {
                let _ = request.send_as(person).await.expect(operation.success);
                continue;
            };
            let answer = refused(&world, &request, person, status, &format!("{who}, {}", operation.id)).await;
            let named = answer.problem().message.contains(&relation);
            assert!(status == 404 || named, "the refusal has to name {relation}: {answer}");
        }
    }
}
