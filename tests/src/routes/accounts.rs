//! Looks into a customer's account: what it would let be built, what it offers, what is left in it, and how a cluster is doing.

use mainsheet_cloud::account::{
    Access, CONNECTION_TAG, ClientToken, CloudAccounts, NewStack, QuotaKind, RESOURCE_TAG, SERVICE, SERVICE_TAG, Tags,
    Template, network_parameters,
};
use mainsheet_testkit::infrastructure::{ACCOUNT, REGION, cluster, network};
use mainsheet_testkit::{Person, TestApp, build};
use serde_json::{Value, json};

/// A connection whose account lets the platform in.
struct Place {
    app: TestApp,
    owner: Person,
    connection: String,
    role: String,
    external_id: String,
}

impl Place {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let owner = app.sign_up("owner@example.com").await;
        let connection = owner.create("/infra/connections", json!({ "name": "prod", "provider": "aws" })).await;
        let path = format!("/infra/connections/{connection}");
        let template = owner.get(&format!("{path}/template")).await.expect(200).json();
        let external_id = template["parameters"]["ExternalId"].as_str().unwrap().to_owned();
        let role = app.deploy(&owner, &connection).await;
        let _ = owner.post(&format!("{path}/verify"), json!({ "roleArn": role })).await.expect(200);
        Self { app, owner, connection, role, external_id }
    }

    fn path(&self, below: &str) -> String {
        format!("/infra/connections/{}{below}", self.connection)
    }

    async fn look(&self, below: &str) -> Value {
        self.owner.get(&self.path(below)).await.expect(200).json()
    }

    /// A stack in the account that says that it was made for something.
    async fn stack(&self, name: &str, made_for: &str) {
        let access = Access {
            role_arn: self.role.parse().unwrap(),
            external_id: self.external_id.as_str().into(),
            region: REGION.parse().unwrap(),
            session_name: "test".to_owned(),
        };
        let account = self.app.cloud().open(&access).await.unwrap();
        let tags = [(SERVICE_TAG, SERVICE), (CONNECTION_TAG, &self.connection), (RESOURCE_TAG, made_for)];
        let boundary = format!("mainsheet-{}-RoleBoundary", self.connection);
        let stack = NewStack {
            name: name.to_owned(),
            template: Template::Network,
            parameters: network_parameters(&boundary, "10.0.0.0/16".parse().unwrap()),
            tags: tags.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect::<Tags>(),
            token: ClientToken::new(name),
        };
        account.create_stack(&stack).await.unwrap();
    }
}

/// The checks that stand against something, by name, with what they say.
fn against(preflight: &Value) -> Vec<(&str, &str)> {
    let checks = preflight["checks"].as_array().unwrap().iter();
    let failed = checks.filter(|check| check["status"] == "failed");
    failed.map(|check| (check["name"].as_str().unwrap(), check["message"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn what_stands_against_a_network_is_said_before_anybody_builds_it() {
    let place = Place::start().await;
    let id = place.app.pending_network(&place.owner, &place.connection, "main").await;
    let ask = async || place.owner.act(&place.path(&format!("/networks/{id}/preflight"))).await.expect(200).json();
    let fine = ask().await;
    assert_eq!((&fine["ok"], against(&fine)), (&json!(true), vec![]), "{fine}");

    let (cloud, role) = (place.app.cloud(), place.role.parse().unwrap());
    cloud.set_quota(&ACCOUNT.parse().unwrap(), QuotaKind::Vpcs, 0).unwrap();
    let full = ask().await;
    let [(name, message)] = against(&full)[..] else { panic!("{full}") };
    assert!(name == "quota" && message.contains(" of 0 are in use, 1 more are needed"), "{message}");
    assert_eq!(full["ok"], false);
    cloud.set_quota(&ACCOUNT.parse().unwrap(), QuotaKind::Vpcs, 5).unwrap();

    cloud.deny(&role, &["cloudformation:CreateStack"]).unwrap();
    let denied = ask().await;
    let [(name, message)] = against(&denied)[..] else { panic!("{denied}") };
    assert!(name == "permissions" && message.contains("cloudformation:CreateStack"), "{message}");

    // Networks of the same addresses can never be connected with each other: that is said, and allowed.
    cloud.deny(&role, &[]).unwrap();
    place.stack("mainsheet-network-other", "network/ABSENT").await;
    let overlapping = ask().await;
    let addresses =
        overlapping["checks"].as_array().unwrap().iter().find(|check| check["name"] == "addresses").unwrap();
    assert_eq!((&overlapping["ok"], &addresses["status"]), (&json!(true), &json!("warning")), "{addresses}");

    cloud.remove_role(&role).unwrap();
    let locked = ask().await;
    let [(name, message)] = against(&locked)[..] else { panic!("{locked}") };
    assert!(name == "role" && message.contains("external id"), "{message}");
    place.app.deliver().await;
}

#[tokio::test]
async fn what_stands_against_a_cluster_is_said_before_anybody_builds_it() {
    let place = Place::start().await;
    let network = place.app.network(&place.owner, &place.connection, "main").await;
    let ask = async |name: &str, machines: Value| {
        let body = build::with(cluster(name, &network), "/config/systemNodeGroup/instanceTypes", machines);
        let id = place.owner.create(&place.path("/clusters"), body).await;
        place.owner.act(&place.path(&format!("/clusters/{id}/preflight"))).await.expect(200).json()
    };
    let fine = ask("fine", json!(["m7g.large"])).await;
    assert_eq!((&fine["ok"], against(&fine)), (&json!(true), vec![]), "{fine}");
    for (name, machines, wanted) in
        [("mixed", json!(["m7g.large", "m7i.large"]), "several architectures"), ("odd", json!(["z9.none"]), "z9.none")]
    {
        let refused = ask(name, machines).await;
        let [(check, message)] = against(&refused)[..] else { panic!("{refused}") };
        assert!(check == "instance_types" && message.contains(wanted), "{message}");
    }
    place.app.cloud().set_quota(&ACCOUNT.parse().unwrap(), QuotaKind::Clusters, 0).unwrap();
    let full = ask("full", json!(["m7g.large"])).await;
    assert_eq!(against(&full)[0].0, "quota", "{full}");
    place.app.deliver().await;
}

/// What a record accounts for is no orphan; the connection's own stack is none, either.
#[tokio::test]
async fn what_belongs_to_nothing_is_found() {
    let place = Place::start().await;
    let live = place.app.network(&place.owner, &place.connection, "live").await;
    place.stack("mainsheet-network-live", &format!("network/{live}")).await;
    assert_eq!(place.look("/orphans").await, json!({ "items": [], "regions": [REGION] }));

    place.stack("mainsheet-network-lost", "network/1M7YAZCV00QD9FWAFAY8").await;
    let found = place.look("/orphans").await;
    let [orphan] = &found["items"].as_array().unwrap()[..] else { panic!("{found}") };
    assert_eq!(
        [&orphan["type"], &orphan["name"], &orphan["resourceType"], &orphan["resourceId"], &orphan["region"]],
        [
            &json!("AWS::CloudFormation::Stack"),
            &json!("mainsheet-network-lost"),
            &json!("network"),
            &json!("1M7YAZCV00QD9FWAFAY8"),
            &json!(REGION)
        ]
    );
    place.app.deliver().await;
}

#[tokio::test]
async fn an_account_tells_what_it_offers() {
    let place = Place::start().await;
    let offered = place.look("/instance-types?architecture=arm64&minVCpus=4&limit=100").await;
    let machines = offered["items"].as_array().unwrap();
    assert!(!machines.is_empty() && offered["total"] == machines.len(), "{offered}");
    for machine in machines {
        assert!(machine["vCpus"].as_u64() >= Some(4) && machine["architecture"] == "arm64", "{machine}");
        let (all, free) = (machine["vCpus"].as_u64().unwrap() * 1000, machine["allocatableMilliCpu"].as_u64().unwrap());
        assert!(free > 0 && free < all, "the system's own pods take some: {machine}");
    }
    assert!(
        place.look("/regions").await["items"].as_array().unwrap().iter().any(|region| region["regionCode"] == REGION)
    );

    place.stack("mainsheet-network-main", "network/ABSENT").await;
    place.app.advance(std::time::Duration::from_secs(600));
    let owner = place.owner.refreshed().await;
    let networks = owner.get(&place.path("/provider-networks")).await.expect(200).json();
    let blocks: Vec<&str> =
        networks["items"].as_array().unwrap().iter().map(|network| network["cidr"].as_str().unwrap()).collect();
    assert_eq!(blocks, ["172.31.0.0/16", "10.0.0.0/16"], "the account's own, and what was built");
    place.app.deliver().await;
}

/// What cannot be looked at is not called healthy.
#[tokio::test]
async fn a_cluster_that_is_gone_is_unhealthy_and_one_that_nobody_can_look_at_unknown() {
    let place = Place::start().await;
    let network = place.app.network(&place.owner, &place.connection, "main").await;
    let id = place.app.provisioned_cluster(&place.owner, (&place.connection, &network), "main").await;
    let health = format!("/clusters/{id}/health");
    let gone = place.look(&health).await;
    assert_eq!((&gone["status"], &gone["readyNodes"]), (&json!("unhealthy"), &json!(0)), "{gone}");
    assert!(gone["message"].as_str().unwrap().starts_with("There is no cluster"), "{gone}");
    place.app.cloud().remove_role(&place.role.parse().unwrap()).unwrap();
    let unknown = place.look(&health).await;
    assert_eq!(unknown["status"], "unknown");
    assert!(unknown["message"].as_str().unwrap().contains("Deploy the connection's template"), "{unknown}");
    place.app.deliver().await;
}

/// The customer names the policy that limits the platform's roles; stacks are built within that one.
#[tokio::test]
async fn the_boundary_has_the_name_that_the_customer_chose() {
    let place = Place::start().await;
    let fresh = place.owner.create("/infra/connections", json!({ "name": "fresh", "provider": "aws" })).await;
    let path = format!("/infra/connections/{fresh}");
    let template = place.owner.get(&format!("{path}/template/download")).await.expect(200);
    let text = std::str::from_utf8(&template.body).unwrap();
    let given = format!("mainsheet-{fresh}-RoleBoundary");
    assert!(text.contains(&given), "{text}");
    let chosen = text.replace(&given, "mainsheet-limits");
    let (account, region) = (ACCOUNT.parse().unwrap(), REGION.parse().unwrap());
    let role = place.app.cloud().deploy(&account, &region, &chosen).unwrap().role_arn.to_string();
    let _ = place.owner.post(&format!("{path}/verify"), json!({ "roleArn": role })).await.expect(200);
    let kept = place.app.dump();
    let row = kept.of_kind("connection").find(|row| row["data"]["id"] == *fresh).unwrap();
    assert_eq!(row["data"]["boundaryName"], "mainsheet-limits");
    let _ = place.owner.post(&format!("{path}/networks"), network("main")).await.expect(201);
    place.app.deliver().await;
}

/// Whoever knows such a role's name could have the platform enter it for them (AWS, the confused deputy problem).
#[tokio::test]
async fn a_role_that_demands_no_external_id_is_refused() {
    let place = Place::start().await;
    place.app.cloud().trust_anybody(&place.role.parse().unwrap()).unwrap();
    let stranger = place.app.sign_up("stranger@example.com").await;
    let theirs = stranger.create("/infra/connections", json!({ "name": "theirs", "provider": "aws" })).await;
    let verify = async |person: &Person, connection: &str| {
        let path = format!("/infra/connections/{connection}/verify");
        person.post(&path, json!({ "roleArn": place.role })).await.expect(200)
    };
    for (person, connection) in [(&stranger, theirs.as_str()), (&place.owner, place.connection.as_str())] {
        let refused = verify(person, connection).await;
        assert_eq!(refused.text("status"), "failed");
        assert!(refused.text("statusMessage").contains("sts:ExternalId"), "{}", refused.json());
    }

    // The template has its trust policy demand one.
    let role = place.app.deploy(&place.owner, &place.connection).await;
    assert_eq!(role, place.role);
    assert_eq!(verify(&place.owner, place.connection.as_str()).await.text("status"), "active");
    assert_eq!(verify(&stranger, theirs.as_str()).await.text("status"), "failed");
    place.app.deliver().await;
}

#[tokio::test]
async fn a_role_of_the_platforms_own_account_is_refused() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let connection = owner.create("/infra/connections", json!({ "name": "prod", "provider": "aws" })).await;
    let path = format!("/infra/connections/{connection}");
    let template = owner.get(&format!("{path}/template")).await.expect(200).json();
    let principal = template["parameters"]["LakeSailPrincipal"].as_str().unwrap();
    let role = principal.replace(":root", ":role/mainsheet-OrganizationRole");
    assert!(role.ends_with(":role/mainsheet-OrganizationRole"), "{principal}");
    let before = app.dump();
    owner.post(&format!("{path}/verify"), json!({ "roleArn": role })).await.assert_names_field("roleArn");
    app.dump().assert_same_as(&before, "a refused role");
}
