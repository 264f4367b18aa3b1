//! Against `moto`, as far as it goes: it has stacks, EKS clusters and node groups, EC2 and IAM; it trusts everybody, has no
//! access entries, add-ons, simulation of policies or `Fn::Cidr`, which the network's template uses, and everything is there at
//! once.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::Capability;
use mainsheet_cloud::account::{
    Architecture, CONNECTION_TAG, CloudAccounts, CloudError, ClusterStatus, InstanceTypeFilter, NewCluster,
    NewNodeGroup, NewStack, NodeGroupStatus, NodeScaling, OwnedKind, StackStatus, StackUpdate, Tags, Template,
};
use mainsheet_cloud::aws::AwsAccounts;
use mainsheet_core::Clock;
use mainsheet_core::connection::RoleArn;

use crate::world::{access, config, token};

/// Where `moto` answers. Each test has a region of its own.
fn moto() -> String {
    std::env::var("MAINSHEET_MOTO")
        .unwrap_or_else(|_| panic!("infra/ci/cloud-adapter starts moto and sets MAINSHEET_MOTO"))
}

async fn enter(region: &str) -> std::sync::Arc<dyn mainsheet_cloud::account::CloudAccount> {
    let accounts = AwsAccounts::new(&config(&moto()), Clock::system());
    let access = mainsheet_cloud::account::Access { region: region.parse().unwrap(), ..access() };
    accounts.open(&access).await.unwrap()
}

/// The subnets of the VPC that every region comes with.
async fn default_subnets(region: &str) -> Vec<String> {
    let config = config(&moto()).to_builder().region(aws_config::Region::new(region.to_owned())).build();
    let subnets = aws_sdk_ec2::Client::new(&config).describe_subnets().send().await.unwrap();
    subnets.subnets().iter().filter_map(|subnet| subnet.subnet_id().map(str::to_owned)).collect()
}

fn tags(connection: &str) -> Tags {
    [(CONNECTION_TAG, connection), ("Service", "mainsheet")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// The template that `moto` has everything of.
fn connection_stack(connection: &str) -> NewStack {
    let lower = connection.to_lowercase();
    let parameters = [
        ("IamRoleName", format!("mainsheet-{connection}-platform")),
        ("IamPermissionBoundaryName", format!("mainsheet-{connection}-RoleBoundary")),
        ("LakeSailAccountID", "999999999999".to_owned()),
        ("LakeSailTenantID", "T1".to_owned()),
        ("LakeSailConnectionID", connection.to_owned()),
        ("LakeSailConnectionIDLowerCase", lower),
        ("LakeSailExternalID", "5d0c6f7e-1f2b-4c3d-8e9f-0a1b2c3d4e5f".to_owned()),
        ("LakeSailPrincipal", "arn:aws:iam::999999999999:role/platform".to_owned()),
    ];
    NewStack {
        name: format!("mainsheet-{connection}"),
        template: Template::Connection,
        parameters: parameters.map(|(name, value)| (name.to_owned(), value)).into(),
        tags: tags(connection),
        token: token("n-1"),
    }
}

#[tokio::test]
#[ignore = "needs moto: infra/ci/cloud-adapter"]
async fn a_customer_deploys_the_connection_and_the_platform_enters_by_its_role() {
    let new = connection_stack("C0");
    let values: BTreeMap<&str, String> =
        new.parameters.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let customer = aws_sdk_cloudformation::Client::new(&config(&moto()));
    let deployed = customer
        .create_stack()
        .stack_name("mainsheet-C0")
        .template_body(Template::Connection.filled(&values))
        .capabilities(Capability::CapabilityNamedIam)
        .send()
        .await
        .unwrap();
    let accounts = AwsAccounts::new(&config(&moto()), Clock::system());
    let role_arn: RoleArn = "arn:aws:iam::123456789012:role/mainsheet-C0-platform".parse().unwrap();
    let access = mainsheet_cloud::account::Access {
        role_arn: role_arn.clone(),
        region: "eu-west-1".parse().unwrap(),
        ..access()
    };
    let stack = accounts.open(&access).await.unwrap().stack(deployed.stack_id().unwrap()).await.unwrap();
    assert_eq!(stack.status, StackStatus::CreateComplete);
    assert_eq!(stack.outputs["RoleArn"], role_arn.as_str());
    let iam = aws_sdk_iam::Client::new(&config(&moto()));
    let role = iam.get_role().role_name("mainsheet-C0-platform").send().await.unwrap().role.unwrap();
    let tag = role.tags().iter().find(|tag| tag.key() == "LakeSail-Stack").unwrap();
    assert_eq!(tag.value(), stack.arn);
}

#[tokio::test]
#[ignore = "needs moto: infra/ci/cloud-adapter"]
async fn a_stack_is_made_once_seen_and_removed() {
    let account = enter("eu-west-2").await;
    let new = connection_stack("C1");
    let arn = account.create_stack(&new).await.unwrap();
    assert_eq!(account.create_stack(&new).await.unwrap(), arn);
    let another = NewStack { token: token("n-2"), ..connection_stack("C1") };
    assert!(matches!(account.create_stack(&another).await, Err(CloudError::AlreadyExists { .. })));

    let stack = account.stack(&new.name).await.unwrap();
    assert_eq!((stack.status, stack.arn.as_str()), (StackStatus::CreateComplete, arn.as_str()));
    assert_eq!(stack.outputs["PlatformAccount"], "999999999999");
    let parts = account.stack_resources(&new.name).await.unwrap();
    let kinds: Vec<&str> = parts.iter().map(|part| part.kind.as_str()).collect();
    assert_eq!(kinds, ["AWS::IAM::ManagedPolicy", "AWS::IAM::Role", "AWS::IAM::Role"]);
    assert!(!account.stack_events(&new.name).await.unwrap().is_empty());

    let owned = account.owned(&"C1".parse().unwrap()).await.unwrap();
    assert_eq!(
        owned.iter().map(|one| (one.kind, one.arn.as_str())).collect::<Vec<_>>(),
        [(OwnedKind::Stack, arn.as_str())]
    );
    assert!(account.owned(&"C2".parse().unwrap()).await.unwrap().is_empty());

    account.delete_stack(&new.name, &[], &token("d-1")).await.unwrap();
    assert!(matches!(account.stack(&new.name).await, Err(CloudError::NotFound { .. })));
    assert_eq!(account.stack(&arn).await.unwrap().status, StackStatus::DeleteComplete);
    account.delete_stack(&arn, &[], &token("d-1")).await.unwrap();
}

#[tokio::test]
#[ignore = "needs moto: infra/ci/cloud-adapter"]
async fn the_roles_of_a_cluster_are_made_and_changed() {
    let account = enter("eu-west-3").await;
    let parameters = [
        ("BoundaryName", "mainsheet-C3-RoleBoundary"),
        ("ClusterName", "mainsheet-k3"),
        ("BucketPrefix", "mainsheet-c3"),
        ("ResultsBucketName", "mainsheet-c3-k3-results"),
    ];
    let new = NewStack {
        name: "mainsheet-cluster-k3".to_owned(),
        template: Template::Cluster,
        parameters: parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        tags: tags("C3"),
        token: token("k-1"),
    };
    account.create_stack(&new).await.unwrap();
    let stack = account.stack(&new.name).await.unwrap();
    assert_eq!(stack.status, StackStatus::CreateComplete);
    assert_eq!(stack.outputs["JobRunnerRoleArn"], "arn:aws:iam::123456789012:role/mainsheet-k3-jr");
    // `moto` forgets parameters that were left to their defaults: this one is named for it.
    let named = [("ResultsBucketName", "mainsheet-c3-k3-other"), ("OidcIssuer", "")];
    let named = named.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let update = account.update_stack(&new.name, Template::Cluster, &named, &token("u-1")).await;
    assert_eq!(update, Ok(StackUpdate::Started));
    assert_eq!(account.stack(&new.name).await.unwrap().status, StackStatus::UpdateComplete);
}

#[tokio::test]
#[ignore = "needs moto: infra/ci/cloud-adapter"]
async fn a_cluster_and_its_nodes_are_made_once_changed_and_removed() {
    let account = enter("eu-north-1").await;
    let subnet_ids = default_subnets("eu-north-1").await;
    let networks = account.provider_networks().await.unwrap();
    assert_eq!(networks.iter().map(|network| network.zones).collect::<Vec<_>>(), [3]);
    let new = NewCluster {
        name: "mainsheet-k4".to_owned(),
        version: "1.35".to_owned(),
        role_arn: "arn:aws:iam::123456789012:role/mainsheet-k4-cp".to_owned(),
        subnet_ids: subnet_ids.clone(),
        public_access_cidrs: Vec::new(),
        tags: tags("C4"),
        token: token("k-1"),
    };
    let made = account.create_cluster(&new).await.unwrap();
    assert_eq!(account.create_cluster(&new).await.unwrap().arn, made.arn);
    let another = NewCluster { token: token("k-2"), ..new.clone() };
    assert!(matches!(account.create_cluster(&another).await, Err(CloudError::AlreadyExists { .. })));
    let cluster = account.cluster("mainsheet-k4").await.unwrap();
    assert_eq!((cluster.status, cluster.tags[CONNECTION_TAG].as_str()), (ClusterStatus::Active, "C4"));
    assert!(matches!(account.cluster("mainsheet-none").await, Err(CloudError::NotFound { .. })));

    let group = NewNodeGroup {
        cluster: "mainsheet-k4".to_owned(),
        name: "system".to_owned(),
        node_role_arn: "arn:aws:iam::123456789012:role/mainsheet-k4-node".to_owned(),
        subnet_ids,
        instance_types: vec!["m7g.large".to_owned()],
        architecture: Architecture::Arm64,
        disk_size_gib: 50,
        scaling: NodeScaling { min: 1, desired: 2, max: 3 },
        tags: tags("C4"),
        token: token("g-1"),
    };
    let made = account.create_node_group(&group).await.unwrap();
    assert_eq!(account.create_node_group(&group).await.unwrap().arn, made.arn);
    let another = NewNodeGroup { token: token("g-2"), ..group.clone() };
    assert!(matches!(account.create_node_group(&another).await, Err(CloudError::AlreadyExists { .. })));
    assert_eq!(account.node_groups("mainsheet-k4").await.unwrap(), ["system"]);
    let wider = NodeScaling { min: 2, desired: 3, max: 5 };
    account.scale_node_group("mainsheet-k4", "system", wider, &token("s-1")).await.unwrap();
    let group = account.node_group("mainsheet-k4", "system").await.unwrap();
    assert_eq!((group.status, group.scaling), (NodeGroupStatus::Active, wider));

    let owned = account.owned(&"C4".parse().unwrap()).await.unwrap();
    let kinds: Vec<_> = owned.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [OwnedKind::NodeGroup, OwnedKind::Cluster]);
    let in_use = account.delete_cluster("mainsheet-k4").await;
    assert!(matches!(in_use, Err(CloudError::Conflict { .. })), "{in_use:?}");
    account.delete_node_group("mainsheet-k4", "system").await.unwrap();
    assert!(matches!(account.node_group("mainsheet-k4", "system").await, Err(CloudError::NotFound { .. })));
    account.delete_cluster("mainsheet-k4").await.unwrap();
    assert!(matches!(account.cluster("mainsheet-k4").await, Err(CloudError::NotFound { .. })));
}

#[tokio::test]
#[ignore = "needs moto: infra/ci/cloud-adapter"]
async fn what_ec2_offers_is_read_page_by_page() {
    let account = enter("us-east-1").await;
    let regions = account.regions().await.unwrap();
    let frankfurt = regions.iter().find(|region| region.code.as_str() == "eu-central-1").unwrap();
    assert_eq!((frankfurt.name.as_str(), frankfurt.group.as_str()), ("Europe (Frankfurt)", "Europe"));
    // More than one page of 100.
    let all = account.instance_types(&InstanceTypeFilter::default()).await.unwrap();
    assert!(all.len() > 300, "{}", all.len());
    let large = all.iter().find(|machine| machine.name == "m7g.large").unwrap();
    assert_eq!((large.vcpus, large.memory_mib, large.architecture), (2, 8_192, Architecture::Arm64));
    assert_eq!((large.max_pods(), large.allocatable_milli_cpu()), (29, 1_930));
    let filter =
        InstanceTypeFilter { architecture: Some(Architecture::Arm64), min_vcpus: Some(64), min_memory_mib: None };
    let wide = account.instance_types(&filter).await.unwrap();
    assert!(!wide.is_empty() && wide.iter().all(|machine| filter.admits(machine)));
}
