//! What the simulator lets through, and what it refuses, as AWS does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mainsheet_cloud::account::{
    Access, Architecture, CONNECTION_TAG, ClientToken, CloudAccount, CloudAccounts, CloudError, ClusterStatus,
    KubernetesTarget, NewAccessEntry, NewCluster, NewNodeGroup, NewStack, NodeGroupStatus, NodeScaling, QuotaKind,
    StackStatus, StackUpdate, Tags, Template, UpdateStatus, UpdateTarget, boundary_name,
};
use mainsheet_core::Timestamp;
use mainsheet_core::connection::RoleArn;
use mainsheet_core::time::ManualClock;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::{CloudSimulator, Fault, FaultError};

const EXTERNAL_ID: &str = "0b0e7c1e-6a53-4a0e-9d3c-1f1f6f0c9a11";

struct World {
    clock: ManualClock,
    simulator: CloudSimulator,
    role: RoleArn,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::new(Timestamp::from_millisecond(1_000_000));
        let simulator = CloudSimulator::new(clock.clock());
        let role: RoleArn = "arn:aws:iam::123456789012:role/mainsheet-C1".parse().unwrap();
        simulator.trust(&role, &"eu-central-1".parse().unwrap(), &"C1".parse().unwrap(), EXTERNAL_ID).unwrap();
        Self { clock, simulator, role }
    }

    fn pass(&self, minutes: u64) {
        self.clock.advance(Duration::from_secs(minutes * 60));
    }

    async fn open_with(&self, external_id: &str) -> Result<Arc<dyn CloudAccount>, CloudError> {
        let access = Access {
            role_arn: self.role.clone(),
            external_id: SecretString::from(external_id.to_owned()),
            region: "eu-central-1".parse().unwrap(),
            session_name: "test".to_owned(),
        };
        self.simulator.open(&access).await
    }

    async fn open(&self) -> Arc<dyn CloudAccount> {
        self.open_with(EXTERNAL_ID).await.unwrap()
    }

    /// A network and the roles of a cluster, both there. Answers subnets, and the roles of control plane and nodes.
    async fn foundations(&self) -> (Vec<String>, String, String) {
        let account = self.open().await;
        account.create_stack(&network("mainsheet-network")).await.unwrap();
        account.create_stack(&scaffolding()).await.unwrap();
        self.pass(10);
        let network = account.stack("mainsheet-network").await.unwrap();
        let subnets = network.outputs["PrivateSubnetIds"].split(',').map(str::to_owned).collect();
        let roles = account.stack("mainsheet-scaffolding").await.unwrap().outputs;
        (subnets, roles["ClusterRoleArn"].clone(), roles["NodeRoleArn"].clone())
    }

    /// A cluster with nodes.
    async fn cluster(&self) -> Arc<dyn CloudAccount> {
        let (subnets, cluster_role, node_role) = self.foundations().await;
        let account = self.open().await;
        account.create_cluster(&new_cluster(&subnets, &cluster_role)).await.unwrap();
        self.pass(10);
        account.create_node_group(&new_nodes(&subnets, &node_role)).await.unwrap();
        self.pass(5);
        account
    }
}

fn token(text: &str) -> ClientToken {
    ClientToken::new(text)
}

fn tags() -> Tags {
    Tags::from([(CONNECTION_TAG.to_owned(), "C1".to_owned())])
}

fn stack(name: &str, template: Template, parameters: &[(&str, &str)]) -> NewStack {
    let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    NewStack { name: name.to_owned(), template, parameters, tags: tags(), token: token(name) }
}

fn network(name: &str) -> NewStack {
    stack(name, Template::Network, &[("BoundaryName", "mainsheet-C1-RoleBoundary"), ("Cidr", "10.0.0.0/16")])
}

fn scaffolding() -> NewStack {
    let names = [
        ("BoundaryName", "mainsheet-C1-RoleBoundary"),
        ("ClusterName", "mainsheet-k"),
        ("BucketPrefix", "mainsheet-c1"),
        ("ResultsBucketName", "mainsheet-c1-k-results"),
    ];
    stack("mainsheet-scaffolding", Template::Cluster, &names)
}

fn new_cluster(subnets: &[String], role: &str) -> NewCluster {
    NewCluster {
        name: "mainsheet-k".to_owned(),
        version: "1.34".to_owned(),
        role_arn: role.to_owned(),
        subnet_ids: subnets.to_vec(),
        public_access_cidrs: Vec::new(),
        tags: tags(),
        token: token("k"),
    }
}

fn new_nodes(subnets: &[String], role: &str) -> NewNodeGroup {
    NewNodeGroup {
        cluster: "mainsheet-k".to_owned(),
        name: "system".to_owned(),
        node_role_arn: role.to_owned(),
        subnet_ids: subnets.to_vec(),
        instance_types: vec!["m7g.large".to_owned()],
        architecture: Architecture::Arm64,
        disk_size_gib: 100,
        scaling: NodeScaling { min: 1, desired: 2, max: 3 },
        tags: tags(),
        token: token("nodes"),
    }
}

fn fault(service: &str, operation: &str, error: FaultError, times: Option<u32>) -> Fault {
    Fault { service: service.to_owned(), operation: Some(operation.to_owned()), error, times }
}

#[tokio::test]
async fn nobody_enters_without_the_external_id_and_nobody_stays_without_the_role() {
    let world = World::new();
    let refused = world.open_with("another").await.err();
    assert!(matches!(refused, Some(CloudError::RoleNotAssumable { .. })), "{refused:?}");
    let account = world.open().await;
    world.simulator.deny(&world.role, &["eks:CreateCluster"]).unwrap();
    assert_eq!(account.verify().await.unwrap().missing_actions, ["eks:CreateCluster"]);
    world.simulator.remove_role(&world.role).unwrap();
    assert!(matches!(account.stack("mainsheet-x").await, Err(CloudError::RoleNotAssumable { .. })));
    assert!(world.open_with(EXTERNAL_ID).await.is_err());
}

#[tokio::test]
async fn the_downloaded_template_makes_the_role() {
    let world = World::new();
    let (account, region) = ("210987654321".parse().unwrap(), "us-east-1".parse().unwrap());
    assert!(world.simulator.deploy(&account, &region, Template::Connection.body()).is_err());
    let mut values: BTreeMap<&str, String> = BTreeMap::new();
    for name in Template::Connection.required_parameters() {
        values.insert(name, "X".to_owned());
    }
    values.insert("IamPermissionBoundaryName", boundary_name(&"X".parse().unwrap()));
    values.insert("LakeSailAccountID", "000000000000".to_owned());
    values.insert("LakeSailConnectionIDLowerCase", "x".to_owned());
    values.insert("LakeSailPrincipal", "arn:aws:iam::000000000000:root".to_owned());
    values.insert("IamRoleName", "mainsheet-X".to_owned());
    values.insert("LakeSailExternalID", EXTERNAL_ID.to_owned());
    let deployed = world.simulator.deploy(&account, &region, &Template::Connection.filled(&values)).unwrap();
    assert_eq!(deployed.role_arn.as_str(), "arn:aws:iam::210987654321:role/mainsheet-X");
    let there = World { role: deployed.role_arn, ..world };
    let entered = there.open().await;
    assert_eq!(entered.verify().await.unwrap().stack_arn, Some(deployed.stack_arn));
}

#[tokio::test]
async fn stacks_are_made_once_by_their_token_and_take_their_time() {
    let world = World::new();
    let account = world.open().await;
    let new = network("mainsheet-network");
    let arn = account.create_stack(&new).await.unwrap();
    assert_eq!(account.create_stack(&new).await.unwrap(), arn);
    let other = NewStack { token: token("other"), ..new.clone() };
    assert!(matches!(account.create_stack(&other).await, Err(CloudError::AlreadyExists { .. })));
    assert_eq!(account.stack(&arn).await.unwrap().status, StackStatus::CreateInProgress);
    assert!(account.stack(&arn).await.unwrap().outputs.is_empty());
    world.pass(10);
    assert_eq!(account.stack(&arn).await.unwrap().status, StackStatus::CreateComplete);
    assert_eq!(account.owned(&"C1".parse().unwrap()).await.unwrap().len(), 1);
    let same = account.update_stack(&arn, Template::Network, &BTreeMap::new(), &token("u")).await;
    assert_eq!(same, Ok(StackUpdate::Unchanged));
    account.delete_stack(&arn, &[], &token("d")).await.unwrap();
    world.pass(10);
    assert_eq!(account.stack(&arn).await.unwrap().status, StackStatus::DeleteComplete);
    assert!(account.stack("mainsheet-network").await.unwrap_err().is_not_found());
    assert!(account.owned(&"C1".parse().unwrap()).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let world = World::new();
    let account = world.open().await;
    let alien = account.create_stack(&network("production")).await;
    assert!(matches!(alien, Err(CloudError::AccessDenied { .. })), "{alien:?}");
    let incomplete = account.create_stack(&stack("mainsheet-n", Template::Network, &[("Cidr", "10.0.0.0/16")])).await;
    assert!(matches!(incomplete, Err(CloudError::Invalid { .. })), "{incomplete:?}");
    world.simulator.set_quota(&world.role.account_id(), QuotaKind::Vpcs, 1).unwrap();
    account.create_stack(&network("mainsheet-n")).await.unwrap();
    world.pass(10);
    assert_eq!(account.stack("mainsheet-n").await.unwrap().status, StackStatus::RollbackComplete);
    let events = account.stack_events("mainsheet-n").await.unwrap();
    let failed = events.iter().find(|event| event.status == StackStatus::CreateFailed).unwrap();
    assert!(failed.reason.as_ref().unwrap().contains("VPCs"), "{failed:?}");

    let (subnets, cluster_role, _) = {
        world.simulator.set_quota(&world.role.account_id(), QuotaKind::Vpcs, 5).unwrap();
        world.foundations().await
    };
    let good = new_cluster(&subnets, &cluster_role);
    for bad in [
        NewCluster { version: "1.99".to_owned(), ..good.clone() },
        NewCluster { subnet_ids: subnets[..1].to_vec(), ..good.clone() },
        NewCluster { subnet_ids: vec!["subnet-1".to_owned(), "subnet-2".to_owned()], ..good.clone() },
        NewCluster { role_arn: "arn:aws:iam::123456789012:role/mainsheet-none".to_owned(), ..good },
    ] {
        assert!(matches!(account.create_cluster(&bad).await, Err(CloudError::Invalid { .. })), "{bad:?}");
    }
}

#[tokio::test]
async fn what_stands_on_something_goes_before_it() {
    let world = World::new();
    let account = world.cluster().await;
    assert_eq!(account.node_group("mainsheet-k", "system").await.unwrap().status, NodeGroupStatus::Active);
    assert!(matches!(account.delete_cluster("mainsheet-k").await, Err(CloudError::Conflict { .. })));
    for name in ["mainsheet-network", "mainsheet-scaffolding"] {
        account.delete_stack(name, &[], &token("d")).await.unwrap();
        world.pass(10);
        assert_eq!(account.stack(name).await.unwrap().status, StackStatus::DeleteFailed, "{name}");
    }
    account.delete_node_group("mainsheet-k", "system").await.unwrap();
    world.pass(10);
    account.delete_cluster("mainsheet-k").await.unwrap();
    assert_eq!(account.cluster("mainsheet-k").await.unwrap().status, ClusterStatus::Deleting);
    world.pass(10);
    assert!(account.cluster("mainsheet-k").await.unwrap_err().is_not_found());
    for name in ["mainsheet-network", "mainsheet-scaffolding"] {
        account.delete_stack(name, &[], &token("d2")).await.unwrap();
    }
    world.pass(10);
    assert!(account.owned(&"C1".parse().unwrap()).await.unwrap().is_empty());
}

#[tokio::test]
async fn versions_go_up_one_at_a_time() {
    let world = World::new();
    let account = world.cluster().await;
    for version in ["1.33", "1.34", "1.36"] {
        let refused = account.update_cluster_version("mainsheet-k", version, &token(version)).await;
        assert!(matches!(refused, Err(CloudError::Invalid { .. })), "{version}: {refused:?}");
    }
    let id = account.update_cluster_version("mainsheet-k", "1.35", &token("up")).await.unwrap();
    assert_eq!(account.update_cluster_version("mainsheet-k", "1.35", &token("up")).await.as_ref(), Ok(&id));
    assert_eq!(account.cluster("mainsheet-k").await.unwrap().version, "1.34");
    world.pass(15);
    let update = account.update("mainsheet-k", &UpdateTarget::ControlPlane, &id).await.unwrap();
    assert_eq!(update.status, UpdateStatus::Successful);
    assert_eq!(account.cluster("mainsheet-k").await.unwrap().version, "1.35");
}

#[tokio::test]
async fn an_agent_runs_where_it_was_applied_and_nodes_are() {
    let world = World::new();
    let account = world.cluster().await;
    let target = KubernetesTarget {
        cluster: "mainsheet-k".to_owned(),
        endpoint: String::new(),
        certificate_authority: String::new(),
    };
    let object = |kind: &str, rest: serde_json::Value| {
        let mut object = json!({
            "apiVersion": "v1",
            "kind": kind,
            "metadata": { "name": "mainsheet-agent", "namespace": "mainsheet" },
        });
        object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        object
    };
    let objects = [
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "mainsheet" } }),
        object("ConfigMap", json!({ "data": { "url": "http://here" } })),
        object("Secret", json!({ "stringData": { "registrationToken": "one-time" } })),
        object("Deployment", json!({})),
    ];
    assert!(matches!(account.apply(&target, &objects).await, Err(CloudError::AccessDenied { .. })));
    let entry = NewAccessEntry {
        cluster: "mainsheet-k".to_owned(),
        principal_arn: world.role.to_string(),
        tags: tags(),
        token: token("entry"),
    };
    account.create_access_entry(&entry).await.unwrap();
    assert!(matches!(account.apply(&target, &objects[1..]).await, Err(CloudError::Invalid { .. })));
    account.apply(&target, &objects).await.unwrap();
    account.apply(&target, &objects).await.unwrap();
    let agents = world.simulator.agents();
    assert_eq!((agents.len(), agents[0].registration_token.expose_secret()), (1, "one-time"));
    account.delete_node_group("mainsheet-k", "system").await.unwrap();
    assert!(world.simulator.agents().is_empty());
}

#[tokio::test]
async fn faults_come_before_the_effect_or_after_it_or_later() {
    let world = World::new();
    let account = world.open().await;
    let new = network("mainsheet-n");
    let inject = |error, times| world.simulator.inject(fault("cloudformation", "CreateStack", error, times)).unwrap();
    inject(FaultError::Throttled, Some(2));
    for _ in 0..2 {
        assert!(matches!(account.create_stack(&new).await, Err(CloudError::Throttled { .. })));
    }
    assert!(account.stack("mainsheet-n").await.unwrap_err().is_not_found());
    inject(FaultError::AnswerLost, Some(1));
    assert!(account.create_stack(&new).await.unwrap_err().is_retryable());
    let arn = account.stack("mainsheet-n").await.unwrap().arn;
    assert_eq!(account.create_stack(&new).await, Ok(arn));
    inject(FaultError::Fails, Some(1));
    account.create_stack(&network("mainsheet-m")).await.unwrap();
    world.pass(10);
    assert_eq!(account.stack("mainsheet-m").await.unwrap().status, StackStatus::RollbackComplete);
    inject(FaultError::AccessDenied, None);
    for _ in 0..3 {
        assert!(matches!(account.create_stack(&new).await, Err(CloudError::AccessDenied { .. })));
    }
    world.simulator.clear_faults().unwrap();
    account.create_stack(&new).await.unwrap();
}

#[tokio::test]
async fn what_there_is_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cloud.json");
    let clock = ManualClock::new(Timestamp::from_millisecond(1_000_000));
    let first = CloudSimulator::open(clock.clock(), &file).unwrap();
    let before = World { clock: clock.clone(), simulator: first, role: World::new().role };
    let (region, connection) = ("eu-central-1".parse().unwrap(), "C1".parse().unwrap());
    before.simulator.trust(&before.role, &region, &connection, EXTERNAL_ID).unwrap();
    before.cluster().await;
    before.simulator.inject(fault("eks", "CreateCluster", FaultError::Throttled, None)).unwrap();
    let after = World { simulator: CloudSimulator::open(clock.clock(), &file).unwrap(), ..before };
    let account = after.open().await;
    assert_eq!(account.cluster("mainsheet-k").await.unwrap().status, ClusterStatus::Active);
    let refused = account.create_cluster(&new_cluster(&[], "")).await;
    assert!(matches!(refused, Err(CloudError::Throttled { .. })), "{refused:?}");
}
