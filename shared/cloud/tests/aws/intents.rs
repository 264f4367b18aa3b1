//! The same intent twice is one resource, whatever became of the first answer.

use mainsheet_cloud::account::{
    Architecture, CloudError, NewAccessEntry, NewAddOn, NewCluster, NewNodeGroup, NewStack, NodeScaling, Template,
};
use serde_json::{Value, json};

use crate::answers::{self, json_refusal, xml_refusal};
use crate::endpoint::Answer;
use crate::world::{ROLE, World, tags, token};

fn cluster() -> NewCluster {
    NewCluster {
        name: "mainsheet-c".to_owned(),
        version: "1.35".to_owned(),
        role_arn: "arn:aws:iam::123456789012:role/mainsheet-c-cp".to_owned(),
        subnet_ids: vec!["subnet-1".to_owned(), "subnet-2".to_owned()],
        public_access_cidrs: vec!["203.0.113.0/24".to_owned()],
        tags: tags(),
        token: token("t-1"),
    }
}

fn node_group() -> NewNodeGroup {
    NewNodeGroup {
        cluster: "mainsheet-c".to_owned(),
        name: "system".to_owned(),
        node_role_arn: "arn:aws:iam::123456789012:role/mainsheet-c-node".to_owned(),
        subnet_ids: vec!["subnet-1".to_owned()],
        instance_types: vec!["m7g.large".to_owned()],
        architecture: Architecture::Arm64,
        disk_size_gib: 50,
        scaling: NodeScaling { min: 1, desired: 2, max: 3 },
        tags: tags(),
        token: token("t-1"),
    }
}

fn add_on() -> NewAddOn {
    NewAddOn {
        cluster: "mainsheet-c".to_owned(),
        name: "vpc-cni".to_owned(),
        role_arn: None,
        configuration: Some(r#"{"enableNetworkPolicy":"true"}"#.to_owned()),
        tags: tags(),
        token: token("t-1"),
    }
}

fn stack() -> NewStack {
    NewStack {
        name: "mainsheet-n".to_owned(),
        template: Template::Network,
        parameters: [("Cidr".to_owned(), "10.0.0.0/16".to_owned())].into(),
        tags: tags(),
        token: token("t-1"),
    }
}

fn taken() -> Answer {
    json_refusal(409, "ResourceInUseException", "exists already")
}

fn body(call: &crate::endpoint::Call) -> Value {
    serde_json::from_str(&call.body).unwrap()
}

#[tokio::test]
async fn what_is_made_says_which_call_made_it() {
    let world = World::new().await;
    let account = world.enter().await;
    world
        .endpoint
        .on("eks:CreateCluster", Answer::json(&answers::cluster("t-1")))
        .on("eks:CreateNodegroup", Answer::json(&answers::node_group("t-1")))
        .on("eks:CreateAddon", Answer::json(&answers::add_on("t-1")))
        .on("cloudformation:CreateStack", answers::xml("CreateStack", "<StackId>arn:stack</StackId>"));
    let wanted_tags =
        json!({ "LakeSail-Token": "t-1", (mainsheet_cloud::account::CONNECTION_TAG): "C1", "Service": "mainsheet" });

    let made = account.create_cluster(&cluster()).await.unwrap();
    assert_eq!(
        (made.name.as_str(), made.endpoint.is_some(), made.issues[0].code.as_str()),
        ("mainsheet-c", true, "Ec2SubnetNotFound")
    );
    let sent = body(&world.endpoint.call("eks:CreateCluster"));
    assert_eq!((&sent["clientRequestToken"], &sent["tags"]), (&json!("t-1"), &wanted_tags));
    assert_eq!(
        sent["resourcesVpcConfig"],
        json!({
            "subnetIds": ["subnet-1", "subnet-2"], "endpointPublicAccess": true, "endpointPrivateAccess": true,
            "publicAccessCidrs": ["203.0.113.0/24"],
        })
    );
    // Access entries alone say who may use the API: nobody becomes its administrator by having made it.
    let access = json!({ "authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": false });
    assert_eq!(sent["accessConfig"], access);

    let made = account.create_node_group(&node_group()).await.unwrap();
    assert_eq!(made.scaling, node_group().scaling);
    let sent = body(&world.endpoint.call("eks:CreateNodegroup"));
    assert_eq!((&sent["clientRequestToken"], &sent["tags"]), (&json!("t-1"), &wanted_tags));
    assert_eq!((&sent["amiType"], &sent["diskSize"]), (&json!("AL2023_ARM_64_STANDARD"), &json!(50)));

    account.create_add_on(&add_on()).await.unwrap();
    let sent = body(&world.endpoint.call("eks:CreateAddon"));
    assert_eq!((&sent["clientRequestToken"], &sent["tags"]), (&json!("t-1"), &wanted_tags));
    assert_eq!(sent["resolveConflicts"], "OVERWRITE");
    assert_eq!(sent["configurationValues"], r#"{"enableNetworkPolicy":"true"}"#);

    assert_eq!(account.create_stack(&stack()).await.unwrap(), "arn:stack");
    let sent = world.endpoint.call("cloudformation:CreateStack").body;
    let sent: Vec<(String, String)> = url::form_urlencoded::parse(sent.as_bytes()).into_owned().collect();
    let has = |name: &str, value: &str| sent.contains(&(name.to_owned(), value.to_owned()));
    assert!(has("ClientRequestToken", "t-1") && has("Capabilities.member.1", "CAPABILITY_NAMED_IAM"), "{sent:?}");
    assert!(has("RoleARN", "arn:aws:iam::123456789012:role/mainsheet-C1-stacks"), "{sent:?}");
    assert!(sent.iter().any(|(_, value)| value == "LakeSail-Token"), "{sent:?}");
}

#[tokio::test]
async fn a_cluster_whose_answer_was_lost_is_found_again_and_anothers_is_not_taken() {
    let world = World::new().await;
    let account = world.enter().await;
    world.endpoint.on("eks:CreateCluster", taken()).on("eks:DescribeCluster", Answer::json(&answers::cluster("t-1")));
    assert_eq!(account.create_cluster(&cluster()).await.unwrap().name, "mainsheet-c");
    world.endpoint.on("eks:DescribeCluster", Answer::json(&answers::cluster("t-2")));
    let error = account.create_cluster(&cluster()).await.unwrap_err();
    assert_eq!(error, CloudError::AlreadyExists { what: "cluster mainsheet-c".to_owned() });
}

#[tokio::test]
async fn a_node_group_whose_answer_was_lost_is_found_again_and_anothers_is_not_taken() {
    let world = World::new().await;
    let account = world.enter().await;
    world.endpoint.on("eks:CreateNodegroup", taken());
    world.endpoint.on("eks:DescribeNodegroup", Answer::json(&answers::node_group("t-1")));
    assert_eq!(account.create_node_group(&node_group()).await.unwrap().name, "system");
    world.endpoint.on("eks:DescribeNodegroup", Answer::json(&answers::node_group("t-2")));
    let error = account.create_node_group(&node_group()).await.unwrap_err();
    assert_eq!(error, CloudError::AlreadyExists { what: "node group system".to_owned() });
}

#[tokio::test]
async fn an_add_on_whose_answer_was_lost_is_found_again_and_anothers_is_not_taken() {
    let world = World::new().await;
    let account = world.enter().await;
    world.endpoint.on("eks:CreateAddon", taken()).on("eks:DescribeAddon", Answer::json(&answers::add_on("t-1")));
    assert_eq!(account.create_add_on(&add_on()).await.unwrap().name, "vpc-cni");
    world.endpoint.on("eks:DescribeAddon", Answer::json(&answers::add_on("t-2")));
    let error = account.create_add_on(&add_on()).await.unwrap_err();
    assert_eq!(error, CloudError::AlreadyExists { what: "add-on vpc-cni".to_owned() });
}

#[tokio::test]
async fn a_stack_whose_answer_was_lost_is_found_again_and_anothers_is_not_taken() {
    let world = World::new().await;
    let account = world.enter().await;
    for code in ["AlreadyExistsException", "TokenAlreadyExistsException"] {
        world.endpoint.on("cloudformation:CreateStack", xml_refusal(400, code, "Stack [mainsheet-n] already exists"));
        world.endpoint.on("cloudformation:DescribeStacks", answers::stack("CREATE_IN_PROGRESS", "t-1"));
        let arn = account.create_stack(&stack()).await.unwrap();
        assert_eq!(arn, "arn:aws:cloudformation:eu-central-1:123456789012:stack/mainsheet-n/1");
        world.endpoint.on("cloudformation:DescribeStacks", answers::stack("CREATE_IN_PROGRESS", "t-2"));
        let error = account.create_stack(&stack()).await.unwrap_err();
        assert_eq!(error, CloudError::AlreadyExists { what: "stack mainsheet-n".to_owned() });
    }
}

/// Between an entry and its policy the platform may die: the entry alone lets nobody in.
#[tokio::test]
async fn an_access_entry_is_whole_or_made_whole() {
    let world = World::new().await;
    let account = world.enter().await;
    let entry = NewAccessEntry {
        cluster: "mainsheet-c".to_owned(),
        principal_arn: ROLE.to_owned(),
        tags: tags(),
        token: token("t-1"),
    };
    let node = "arn:aws:iam::123456789012:role/mainsheet-c-node";
    let policies = |policies: Value| Answer::json(&json!({ "associatedAccessPolicies": policies }));
    let policy = json!([{ "policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy" }]);
    world.endpoint.on("eks:ListAccessEntries", Answer::json(&json!({ "accessEntries": [node, ROLE] })));
    world.endpoint.on("eks:ListAssociatedAccessPolicies", policies(json!([])));
    assert_eq!(account.access_entries("mainsheet-c").await, Ok(Vec::new()));

    let entry_of = |token: &str| {
        Answer::json(&json!({ "accessEntry": { "principalArn": ROLE, "tags": { "LakeSail-Token": token } } }))
    };
    world.endpoint.on("eks:CreateAccessEntry", taken()).on("eks:DescribeAccessEntry", entry_of("t-1"));
    world.endpoint.on("eks:AssociateAccessPolicy", Answer::json(&json!({})));
    world.endpoint.calls();
    account.create_access_entry(&entry).await.unwrap();
    let sent = world.endpoint.call("eks:AssociateAccessPolicy");
    assert_eq!(body(&sent)["policyArn"], "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy");
    assert_eq!(body(&sent)["accessScope"], json!({ "type": "cluster" }));
    world.endpoint.on_each("eks:ListAssociatedAccessPolicies", [policies(json!([])), policies(policy)]);
    assert_eq!(account.access_entries("mainsheet-c").await, Ok(vec![ROLE.to_owned()]));

    world.endpoint.on("eks:DescribeAccessEntry", entry_of("t-2"));
    let error = account.create_access_entry(&entry).await.unwrap_err();
    assert_eq!(error, CloudError::AlreadyExists { what: format!("access entry {ROLE}") });
}

#[tokio::test]
async fn add_ons_go_to_the_version_that_is_the_default_of_the_clusters() {
    let world = World::new().await;
    let account = world.enter().await;
    world
        .endpoint
        .on("eks:DescribeAddon", Answer::json(&answers::add_on("t-1")))
        .on("eks:DescribeCluster", Answer::json(&answers::cluster("t-1")))
        .on("eks:DescribeAddonVersions", Answer::json(&answers::add_on_versions("v1.20.4-eksbuild.1")))
        .on("eks:UpdateAddon", Answer::json(&answers::update("InProgress")));
    assert_eq!(account.update_add_on("mainsheet-c", "vpc-cni", &token("t-3")).await, Ok(None));
    world.endpoint.on("eks:DescribeAddonVersions", Answer::json(&answers::add_on_versions("v1.21.0-eksbuild.1")));
    let update = account.update_add_on("mainsheet-c", "vpc-cni", &token("t-3")).await;
    assert_eq!(update, Ok(Some("u-1".to_owned())));
    let sent = body(&world.endpoint.call("eks:UpdateAddon"));
    assert_eq!((&sent["addonVersion"], &sent["clientRequestToken"]), (&json!("v1.21.0-eksbuild.1"), &json!("t-3")));
}
