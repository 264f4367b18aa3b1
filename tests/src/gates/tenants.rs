//! Nobody reaches another organization's things, by whichever way they name them: in the path, in the body, in the header. What
//! is answered is byte for byte what is answered for something that does not exist.

use mainsheet_testkit::{Answer, Client};
use serde_json::{Value, json};

use super::authz::{Needs, Refusals, for_people};
use super::document::{Operation, operations};
use crate::operations::{Request, Sender, right};
use crate::world::World;

/// An id that nothing has.
const ABSENT: &str = "ABSENTABSENTABSENT00";

/// Two organizations on one control plane, each with the same things.
struct Two {
    theirs: World,
    own: World,
}

impl Two {
    async fn start() -> Self {
        let theirs = World::start().await;
        let own = World::beside(&theirs, "stranger@example.com").await;
        Self { theirs, own }
    }

    /// Every operation that is for people, with the right request in either organization.
    fn operations(&self) -> Vec<(Operation, Request, Request)> {
        let named = |operation: &Operation, request: &Request| {
            // The sign-in page's: for anybody who names the organization.
            operation.schemes == ["accessToken"] || (operation.schemes.is_empty() && request.sender == Sender::Person)
        };
        let both = |operation: Operation| {
            let (own, theirs) = (right(&operation.id, &self.own)?, right(&operation.id, &self.theirs)?);
            named(&operation, &own).then_some((operation, own, theirs))
        };
        operations(&self.own.app).into_iter().filter_map(both).collect()
    }

    /// Sends a request with somebody else's id, and one with nobody's: both are refused in the same words.
    async fn refused(&self, client: &Client, pair: Pair<'_>, who: &str) {
        let (foreign, absent) = (pair.foreign.send_as(client).await, pair.absent.send_as(client).await);
        let without = |answer: &Answer, id: &str| answer.anonymous().replace(id, "");
        let (told, expected) = (without(&foreign, pair.id), without(&absent, ABSENT));
        assert_eq!(told, expected, "{who}: somebody else's is told from nobody's: {foreign}, {absent}");
        match (foreign.status.as_u16(), pair.field) {
            (404, _) | (400, Some(_)) => {}
            (422, Some(field)) => {
                let named = foreign.problem().field_errors;
                assert!(named.keys().any(|name| name.contains(field)), "{who}: not for `{field}`: {foreign}");
            }
            _ => panic!("{who}: {foreign}"),
        }
    }
}

/// The same request with somebody else's id and with nobody's.
struct Pair<'p> {
    id: &'p str,
    /// The field of the body that names it.
    field: Option<&'p str>,
    foreign: Request,
    absent: Request,
}

#[tokio::test]
async fn ids_in_paths() {
    let two = Box::pin(Two::start()).await;
    let refusals = Refusals::of(&two.own);
    let mut tried = 0;
    for (operation, own, theirs) in two.operations() {
        let client = own.client(&two.own);
        let (mine, others): (Vec<&str>, Vec<&str>) = (own.path.split('/').collect(), theirs.path.split('/').collect());
        assert_eq!(mine.len(), others.len(), "{}", operation.id);
        for (position, foreign) in others.iter().enumerate().filter(|(position, other)| mine[*position] != **other) {
            // A policy's path names the kind of principal before the id.
            let kind = foreign.rsplit_once(':').map_or("", |(kind, _)| kind);
            let id = foreign.rsplit(':').next().unwrap();
            let with = |segment: &str| {
                let mut path = mine.clone();
                path[position] = segment;
                Request { path: path.join("/"), ..own.clone() }
            };
            let absent = if kind.is_empty() { ABSENT.to_owned() } else { format!("{kind}:{ABSENT}") };
            let pair = Pair { id, field: None, foreign: with(foreign), absent: with(&absent) };
            let who = format!("{} with another's {foreign} in the path", operation.id);
            two.refused(&client, pair, &who).await;
            tried += 1;
        }
    }
    assert!(tried > 80, "{tried}");
    refusals.left_no_trace();
    two.own.app.deliver().await;
}

/// Fields of bodies that end in `Id` or `Ids` and name nothing of an organization's.
const OF_NO_TENANT: [&str; 10] = [
    "accountId",
    "clientId",
    "identityProviderTypeId",
    "organizationRoleId",
    "defaultOrgRoleId",
    "defaultRoleId",
    "roleId",
    "roleIds",
    "deviceId",
    "loginId",
];

/// The id in a world of what a field names. A new field needs a line here, or one in [`OF_NO_TENANT`].
fn id_of<'w>(field: &str, world: &'w World) -> &'w str {
    match field {
        "teamId" | "teamIds" | "defaultTeamId" => &world.second_team,
        "clusterId" => &world.agent.cluster_id,
        "connectionId" => &world.estate.connection,
        "networkId" => &world.estate.network,
        "catalogId" | "catalogIds" | "defaultCatalogId" => &world.catalog,
        "queryId" => &world.query,
        "jobId" => &world.job,
        "organizationId" => &world.owner.organization_id,
        _ => panic!("what is `{field}` the id of?"),
    }
}

/// A body that names a thing in one of its fields, and is right otherwise.
fn naming(body: &Value, pointer: &str, id: &str) -> Value {
    let mut body = body.clone();
    let fields = body.as_object_mut().unwrap();
    let config = |config: Value| ("config", config);
    let (field, value) = match pointer {
        "/config/sql/queryId" => config(json!({ "sql": { "queryId": id } })),
        "/config/lakesail/catalogIds" => {
            config(json!({ "sql": { "source": "SELECT 1" }, "lakesail": { "catalogIds": [id] } }))
        }
        "/config/lakesail/defaultCatalogId" => {
            config(json!({ "sql": { "source": "SELECT 1" }, "lakesail": { "defaultCatalogId": id } }))
        }
        "/teamAssignments/teamId" => ("teamAssignments", json!([{ "teamId": id }])),
        _ => {
            let field = pointer.strip_prefix('/').filter(|field| !field.contains('/'));
            let field = field.unwrap_or_else(|| panic!("how is {pointer} set?"));
            (field, if field.ends_with("Ids") { json!([id]) } else { json!(id) })
        }
    };
    fields.insert(field.to_owned(), value);
    body
}

#[tokio::test]
async fn ids_in_bodies() {
    let two = Box::pin(Two::start()).await;
    let refusals = Refusals::of(&two.own);
    let mut tried = 0;
    for (operation, own, _) in two.operations() {
        for pointer in &operation.ids_in_body {
            let field = pointer.rsplit('/').next().unwrap();
            if OF_NO_TENANT.contains(&field) {
                continue;
            }
            let body = own.body.clone().unwrap_or_else(|| json!({}));
            let with = |id: &str| Request { body: Some(naming(&body, pointer, id)), ..own.clone() };
            let id = id_of(field, &two.theirs);
            let pair = Pair { id, field: Some(field), foreign: with(id), absent: with(ABSENT) };
            let who = format!("{} with another's {field}", operation.id);
            two.refused(&own.client(&two.own), pair, &who).await;
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried}");
    refusals.left_no_trace();
    two.own.app.deliver().await;
}

#[tokio::test]
async fn organizations_in_headers() {
    let two = Box::pin(Two::start()).await;
    let refusals = Refusals::of(&two.own);
    for (operation, own) in for_people(&two.own) {
        if Needs::of(&operation) == Needs::SelfOnly {
            continue;
        }
        let client = own.client(&two.own);
        let pretender = client.with("lakesail-organization-id", &two.theirs.owner.organization_id);
        let foreign = refusals.try_one(&own, &pretender, 404, &format!("by header, {}", operation.id)).await;
        let nobody = client.with("lakesail-organization-id", ABSENT);
        let absent = refusals.try_one(&own, &nobody, 404, &format!("by header, {}", operation.id)).await;
        assert_eq!(foreign.anonymous(), absent.anonymous(), "{}", operation.id);
    }
    refusals.left_no_trace();
}

#[tokio::test]
async fn lists_are_of_the_callers_organization() {
    let two = Box::pin(Two::start()).await;
    let theirs = &two.theirs;
    let ids = [&theirs.owner.organization_id, &theirs.owner.team_id, &theirs.job, &theirs.query, &theirs.catalog];
    let mut tried = 0;
    for (operation, own, _) in two.operations().into_iter().filter(|(operation, ..)| operation.method == "GET") {
        let answer = own.send(&two.own).await.expect(operation.success);
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(ids.into_iter().all(|id| !body.contains(id)), "{} shows what is another's: {answer}", operation.id);
        tried += 1;
    }
    assert!(tried > 40, "{tried}");
}
