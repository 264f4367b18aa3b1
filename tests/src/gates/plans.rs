//! Plans against the templates of `infra/customer`: who agrees to a plan agrees to all that is made, and to no more.

use std::collections::BTreeMap;

use mainsheet_testkit::TestApp;
use serde_json::Value;

use super::deployment::template_of;

/// Conditions of templates that do not hold for what is planned: a network has a NAT gateway in place of endpoints.
const NOT_MET: &str = "HasNoNat";
/// What the platform makes of EKS itself, and what nodes consist of.
const BESIDE_TEMPLATES: [&str; 6] = [
    "AWS::EKS::Cluster",
    "AWS::EKS::Nodegroup",
    "AWS::EKS::Addon",
    "AWS::EKS::AccessEntry",
    "AWS::EC2::Instance",
    "AWS::EC2::Volume",
];

/// How many resources of each type a template makes, and its stack.
fn made(template: &str) -> BTreeMap<String, u64> {
    let template = template_of(template);
    let resources = template["Resources"].as_object().unwrap().values();
    let mut made = BTreeMap::from([("AWS::CloudFormation::Stack".to_owned(), 1)]);
    for resource in resources.filter(|resource| resource["Condition"] != NOT_MET) {
        *made.entry(resource["Type"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    made
}

/// The same of a plan, without what is in no template.
fn planned(plan: &Value) -> BTreeMap<String, u64> {
    let resources = plan["resources"].as_array().unwrap().iter();
    let planned = resources.map(|row| (row["type"].as_str().unwrap().to_owned(), row["count"].as_u64().unwrap()));
    planned.filter(|(kind, _)| !BESIDE_TEMPLATES.contains(&kind.as_str())).collect()
}

#[tokio::test]
async fn plans_name_all_that_templates_make() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let connection = app.connection(&owner, "prod").await;
    let network = app.network(&owner, &connection, "main").await;
    let place = (connection.as_str(), network.as_str());
    let things = [
        (
            "networks",
            app.pending_network(&owner, &connection, "next").await,
            include_str!("../../../infra/customer/network.yaml"),
        ),
        (
            "clusters",
            app.pending_cluster(&owner, place, "main").await,
            include_str!("../../../infra/customer/cluster.yaml"),
        ),
        (
            "catalogs",
            app.pending_catalog(&owner, place, "lake").await,
            include_str!("../../../infra/customer/catalog.yaml"),
        ),
    ];
    for (kind, id, template) in things {
        let plan = owner.get(&format!("/infra/connections/{connection}/{kind}/{id}/plan")).await.expect(200).json();
        assert_eq!(planned(&plan), made(template), "{kind}");
    }
    app.deliver().await;
}
