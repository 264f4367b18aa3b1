//! Every call that the adapter makes, and the permissions that it is given, are the same: looked at from both sides.

use std::collections::{BTreeMap, BTreeSet};

use mainsheet_cloud::account::{
    Action, Architecture, InstanceTypeFilter, NewAccessEntry, NewAddOn, NewCluster, NewNodeGroup, NewStack,
    NodeScaling, QuotaKind, Template, UpdateTarget,
};
use serde_json::json;

use crate::answers::{self, ec2, xml};
use crate::endpoint::{Answer, Endpoint};
use crate::world::{ROLE, World, tags, token};

/// What the platform calls as itself, or with nothing but being somebody.
const NEEDS_NO_PERMISSION: [&str; 2] = ["sts:AssumeRole", "sts:GetCallerIdentity"];

fn answer_everything(endpoint: &Endpoint) {
    let json = |action: &str, body: serde_json::Value| {
        endpoint.on(action, Answer::json(&body));
    };
    json("eks:CreateCluster", answers::cluster("t"));
    json("eks:DescribeCluster", answers::cluster("t"));
    json("eks:DeleteCluster", answers::cluster("t"));
    json("eks:ListClusters", json!({ "clusters": ["mainsheet-c", "somebody-elses"] }));
    for update in ["UpdateClusterVersion", "UpdateClusterConfig", "UpdateNodegroupConfig", "UpdateNodegroupVersion"] {
        json(&format!("eks:{update}"), answers::update("InProgress"));
    }
    json("eks:UpdateAddon", answers::update("InProgress"));
    json("eks:DescribeUpdate", answers::update("Failed"));
    json("eks:CreateNodegroup", answers::node_group("t"));
    json("eks:DescribeNodegroup", answers::node_group("t"));
    json("eks:DeleteNodegroup", answers::node_group("t"));
    json("eks:ListNodegroups", json!({ "nodegroups": ["system"] }));
    json("eks:DescribeAccessEntry", json!({ "accessEntry": { "tags": { "LakeSail-Token": "t" } } }));
    json("eks:ListAccessEntries", json!({ "accessEntries": [ROLE] }));
    json("eks:DeleteAccessEntry", json!({}));
    json("eks:AssociateAccessPolicy", json!({}));
    json("eks:ListAssociatedAccessPolicies", json!({ "associatedAccessPolicies": [] }));
    endpoint.on("eks:CreateAccessEntry", answers::json_refusal(409, "ResourceInUseException", "exists"));
    json("eks:CreateAddon", answers::add_on("t"));
    json("eks:DescribeAddon", answers::add_on("t"));
    json("eks:DeleteAddon", answers::add_on("t"));
    json("eks:DescribeAddonVersions", answers::add_on_versions("v1.21.0-eksbuild.1"));
    endpoint
        .on("cloudformation:CreateStack", xml("CreateStack", "<StackId>x</StackId>"))
        .on("cloudformation:UpdateStack", xml("UpdateStack", "<StackId>x</StackId>"))
        .on("cloudformation:DeleteStack", xml("DeleteStack", ""))
        .on("cloudformation:DescribeStacks", answers::stack("CREATE_COMPLETE", "t"))
        .on("cloudformation:DescribeStackResources", xml("DescribeStackResources", ""))
        .on("cloudformation:DescribeStackEvents", xml("DescribeStackEvents", ""))
        .on("ec2:DescribeRegions", ec2("DescribeRegions", &regions()))
        .on("ec2:DescribeInstanceTypes", ec2("DescribeInstanceTypes", &machines()))
        .on("ec2:DescribeVpcs", ec2("DescribeVpcs", &vpcs()))
        .on("ec2:DescribeSubnets", ec2("DescribeSubnets", &subnets()))
        .on("ec2:DescribeInternetGateways", ec2("DescribeInternetGateways", "<internetGatewaySet/>"))
        .on("ec2:DescribeAddresses", ec2("DescribeAddresses", "<addressesSet><item/></addressesSet>"))
        .on("iam:GetRole", xml("GetRole", &role()))
        .on("iam:SimulatePrincipalPolicy", xml("SimulatePrincipalPolicy", &simulated()))
        .on("sts:GetCallerIdentity", xml("GetCallerIdentity", "<Account>123456789012</Account>"))
        .on("servicequotas:GetServiceQuota", answers::json_refusal(400, "NoSuchResourceException", "none"))
        .on("servicequotas:GetAWSDefaultServiceQuota", answers::quota(5.0));
}

fn regions() -> String {
    let region =
        |name: &str| format!("<item><regionName>{name}</regionName><optInStatus>opted-in</optInStatus></item>");
    format!("<regionInfo>{}{}</regionInfo>", region("eu-central-1"), region("ab-newland-1"))
}

fn machines() -> String {
    let machine = |name: &str, architectures: &[&str], gpus: &str| {
        let architectures: String = architectures.iter().map(|name| format!("<item>{name}</item>")).collect();
        format!(
            "<item><instanceType>{name}</instanceType><processorInfo><supportedArchitectures>{architectures}\
             </supportedArchitectures></processorInfo><vCpuInfo><defaultVCpus>2</defaultVCpus></vCpuInfo>\
             <memoryInfo><sizeInMiB>8192</sizeInMiB></memoryInfo><networkInfo>\
             <maximumNetworkInterfaces>3</maximumNetworkInterfaces><ipv4AddressesPerInterface>10</ipv4AddressesPerInterface>\
             </networkInfo>{gpus}</item>"
        )
    };
    let gpus = "<gpuInfo><gpus><item><count>4</count></item></gpus></gpuInfo>";
    let all = [
        machine("m7g.large", &["arm64"], ""),
        machine("g5.large", &["i386", "x86_64"], gpus),
        machine("mac2.metal", &["arm64_mac"], ""),
    ];
    format!("<instanceTypeSet>{}</instanceTypeSet>", all.concat())
}

fn vpcs() -> String {
    "<vpcSet><item><vpcId>vpc-1</vpcId><cidrBlock>10.0.0.0/16</cidrBlock><state>available</state><tagSet><item>\
     <key>Name</key><value>main</value></item></tagSet></item><item><vpcId>vpc-2</vpcId></item></vpcSet>"
        .to_owned()
}

fn subnets() -> String {
    let subnet = |vpc: &str, zone: &str| {
        format!("<item><vpcId>{vpc}</vpcId><availabilityZoneId>{zone}</availabilityZoneId></item>")
    };
    format!("<subnetSet>{}{}{}</subnetSet>", subnet("vpc-1", "a"), subnet("vpc-1", "a"), subnet("vpc-1", "b"))
}

fn role() -> String {
    "<Role><Path>/</Path><RoleName>mainsheet-platform</RoleName><RoleId>AROA</RoleId><Arn>x</Arn>\
     <CreateDate>2026-11-21T08:00:00Z</CreateDate><PermissionsBoundary><PermissionsBoundaryType>Policy\
     </PermissionsBoundaryType><PermissionsBoundaryArn>arn:aws:iam::123456789012:policy/mainsheet-limits\
     </PermissionsBoundaryArn></PermissionsBoundary><Tags><member><Key>LakeSail-Stack</Key><Value>arn:stack</Value></member>\
     </Tags></Role>"
        .to_owned()
}

fn simulated() -> String {
    let result = |action: &str, decision: &str| {
        format!(
            "<member><EvalActionName>{action}</EvalActionName><EvalResourceName>*</EvalResourceName>\
             <EvalDecision>{decision}</EvalDecision></member>"
        )
    };
    format!(
        "<EvaluationResults>{}{}{}</EvaluationResults><IsTruncated>false</IsTruncated>",
        result("eks:ListClusters", "allowed"),
        result("eks:CreateCluster", "implicitDeny"),
        result("ec2:DescribeVpcs", "explicitDeny"),
    )
}

#[tokio::test]
async fn the_adapter_calls_what_it_is_permitted_and_no_more() {
    let world = World::new().await;
    answer_everything(&world.endpoint);
    let account = world.enter().await;
    let (cluster, name) = ("mainsheet-c", "system");
    let scaling = NodeScaling { min: 1, desired: 2, max: 3 };
    let new_cluster = NewCluster {
        name: cluster.to_owned(),
        version: "1.35".to_owned(),
        role_arn: ROLE.to_owned(),
        subnet_ids: vec!["subnet-1".to_owned()],
        public_access_cidrs: Vec::new(),
        tags: tags(),
        token: token("t"),
    };
    account.create_cluster(&new_cluster).await.unwrap();
    account.update_cluster_version(cluster, "1.36", &token("t")).await.unwrap();
    account.update_public_access(cluster, &[], &token("t")).await.unwrap();
    account.delete_cluster(cluster).await.unwrap();
    let new_group = NewNodeGroup {
        cluster: cluster.to_owned(),
        name: name.to_owned(),
        node_role_arn: ROLE.to_owned(),
        subnet_ids: vec!["subnet-1".to_owned()],
        instance_types: vec!["m7g.large".to_owned()],
        architecture: Architecture::Arm64,
        disk_size_gib: 20,
        scaling,
        tags: tags(),
        token: token("t"),
    };
    account.create_node_group(&new_group).await.unwrap();
    assert_eq!(account.node_groups(cluster).await.unwrap(), [name]);
    account.node_group(cluster, name).await.unwrap();
    account.update_node_group_version(cluster, name, "1.36", &token("t")).await.unwrap();
    account.scale_node_group(cluster, name, scaling, &token("t")).await.unwrap();
    account.delete_node_group(cluster, name).await.unwrap();
    for target in [
        UpdateTarget::ControlPlane,
        UpdateTarget::NodeGroup(name.to_owned()),
        UpdateTarget::AddOn("vpc-cni".to_owned()),
    ] {
        let update = account.update(cluster, &target, "u-1").await.unwrap();
        assert_eq!(update.issues[0].code, "NodeCreationFailure");
    }
    let entry =
        NewAccessEntry { cluster: cluster.to_owned(), principal_arn: ROLE.to_owned(), tags: tags(), token: token("t") };
    account.create_access_entry(&entry).await.unwrap();
    account.access_entries(cluster).await.unwrap();
    account.delete_access_entry(cluster, ROLE).await.unwrap();
    let new_add_on = NewAddOn {
        cluster: cluster.to_owned(),
        name: "vpc-cni".to_owned(),
        role_arn: Some(ROLE.to_owned()),
        configuration: None,
        tags: tags(),
        token: token("t"),
    };
    account.create_add_on(&new_add_on).await.unwrap();
    account.update_add_on(cluster, "vpc-cni", &token("t")).await.unwrap();
    account.delete_add_on(cluster, "vpc-cni").await.unwrap();
    let new_stack = NewStack {
        name: "mainsheet-n".to_owned(),
        template: Template::Network,
        parameters: BTreeMap::new(),
        tags: tags(),
        token: token("t"),
    };
    account.create_stack(&new_stack).await.unwrap();
    account.stack_resources("mainsheet-n").await.unwrap();
    account.stack_events("mainsheet-n").await.unwrap();
    account.update_stack("mainsheet-n", Template::Network, &BTreeMap::new(), &token("t")).await.unwrap();
    account.delete_stack("mainsheet-n", &[], &token("t")).await.unwrap();
    account.verify().await.unwrap();
    account.regions().await.unwrap();
    account.instance_types(&InstanceTypeFilter::default()).await.unwrap();
    account.provider_networks().await.unwrap();
    account.quotas().await.unwrap();
    account.owned(&"C1".parse().unwrap()).await.unwrap();
    account.token(cluster).await.unwrap();

    let called: BTreeSet<String> = world.endpoint.actions().into_iter().collect();
    let called: BTreeSet<&str> =
        called.iter().map(String::as_str).filter(|action| !NEEDS_NO_PERMISSION.contains(action)).collect();
    assert_eq!(called, Action::ALL.iter().map(|action| action.as_str()).collect());
}

#[tokio::test]
async fn an_account_is_verified_by_what_its_role_may_do() {
    let world = World::new().await;
    answer_everything(&world.endpoint);
    let account = world.enter().await;
    let verification = account.verify().await.unwrap();
    assert_eq!(verification.account_id.as_str(), "123456789012");
    assert_eq!(verification.stack_arn.as_deref(), Some("arn:stack"));
    assert_eq!(verification.boundary_name.as_deref(), Some("mainsheet-limits"));
    assert_eq!(verification.missing_actions, ["ec2:DescribeVpcs", "eks:CreateCluster"]);
    // Each action is asked about with what it works on.
    let asked: String = world.endpoint.calls().into_iter().map(|call| call.body + "\n").collect();
    for action in
        Action::ALL.iter().map(|action| action.as_str()).chain(["iam:PassRole", "iam:CreateServiceLinkedRole"])
    {
        let encoded: String = url::form_urlencoded::byte_serialize(action.as_bytes()).collect();
        assert!(asked.contains(&encoded), "{action}");
    }
    let denied =
        answers::xml_refusal(403, "AccessDenied", "x is not authorized to perform: iam:SimulatePrincipalPolicy on y");
    world.endpoint.on("iam:SimulatePrincipalPolicy", denied);
    world.endpoint.on("iam:GetRole", answers::xml_refusal(403, "AccessDenied", "no"));
    let verification = account.verify().await.unwrap();
    assert_eq!(verification.stack_arn, None);
    assert_eq!(verification.missing_actions, ["iam:SimulatePrincipalPolicy"]);
}

#[tokio::test]
async fn an_account_tells_what_it_has() {
    let world = World::new().await;
    answer_everything(&world.endpoint);
    let account = world.enter().await;
    let regions = account.regions().await.unwrap();
    let regions: Vec<_> =
        regions.iter().map(|region| (region.code.as_str(), region.name.as_str(), region.group.as_str())).collect();
    assert_eq!(regions, [("ab-newland-1", "ab-newland-1", ""), ("eu-central-1", "Europe (Frankfurt)", "Europe")]);

    let machines = account.instance_types(&InstanceTypeFilter::default()).await.unwrap();
    let names: Vec<_> =
        machines.iter().map(|machine| (machine.name.as_str(), machine.architecture, machine.gpus)).collect();
    assert_eq!(names, [("g5.large", Architecture::X86_64, 4), ("m7g.large", Architecture::Arm64, 0)]);
    assert_eq!(machines[1].max_pods(), 29);
    let enough = InstanceTypeFilter { min_memory_mib: Some(9_000), ..InstanceTypeFilter::default() };
    assert_eq!(account.instance_types(&enough).await, Ok(Vec::new()));

    let networks = account.provider_networks().await.unwrap();
    let networks: Vec<_> =
        networks.iter().map(|network| (network.id.as_str(), network.name.as_str(), network.zones)).collect();
    assert_eq!(networks, [("vpc-1", "main", 2), ("vpc-2", "", 0)]);

    let quotas = account.quotas().await.unwrap();
    let used: Vec<_> = quotas.iter().map(|quota| (quota.kind, quota.limit, quota.used)).collect();
    assert_eq!(
        used,
        [
            (QuotaKind::Vpcs, 5, Some(2)),
            (QuotaKind::InternetGateways, 5, Some(0)),
            (QuotaKind::NatGatewaysPerZone, 5, None),
            (QuotaKind::ElasticIps, 5, Some(1)),
            (QuotaKind::Clusters, 5, Some(2)),
            (QuotaKind::StandardVcpus, 5, None),
        ]
    );
}

#[tokio::test]
async fn what_is_a_connections_own_is_known_by_its_tag() {
    let world = World::new().await;
    answer_everything(&world.endpoint);
    let mut cluster = answers::cluster("t");
    cluster["cluster"]["tags"][mainsheet_cloud::account::CONNECTION_TAG] = json!("C1");
    world.endpoint.on("eks:DescribeCluster", Answer::json(&cluster));
    let account = world.enter().await;
    let names = async |connection: &str| {
        let owned = account.owned(&connection.parse().unwrap()).await.unwrap();
        owned.into_iter().map(|resource| resource.name).collect::<Vec<_>>()
    };
    assert_eq!(names("C1").await, ["mainsheet-c/system", "mainsheet-c"]);
    assert_eq!(names("C2").await, [""; 0]);
    // Clusters of others are not looked at: the role may not.
    let looked_at: Vec<String> = world.endpoint.calls().into_iter().map(|call| call.path).collect();
    assert!(!looked_at.iter().any(|path| path.contains("somebody-elses")), "{looked_at:?}");
}
