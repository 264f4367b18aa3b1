//! Plans: what provisioning something makes and what that costs an hour, told before anybody starts it.

use garde::Validate;
use mainsheet_auth::agent::sha256;
use mainsheet_core::network::Network;
use mainsheet_core::prices::{HourlyPrice, PriceTable};
use mainsheet_core::provisioned_catalog::ProvisionedCatalog;
use mainsheet_core::provisioned_cluster::ProvisionedCluster;
use mainsheet_core::provisioning::{Provisioned, ProvisioningStatus};
use mainsheet_core::{Error, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What provisioning something makes, and what that costs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Plan {
    /// All that is made, in no particular order.
    resources: Vec<PlannedResource>,
    /// What all of it costs an hour: an estimate on demand, without traffic, discounts and taxes.
    hourly_cost: f64,
    /// Of what money.
    #[schema(examples("USD"))]
    currency: &'static str,
    /// Kinds of machines that the price table does not have; they are not part of `hourlyCost`.
    unpriced: Vec<String>,
    prices: PriceSource,
    /// What `planHash` of a provision request has to be while this plan is good: 64 hex digits.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    hash: String,
}

/// Something that is made.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlannedResource {
    /// What the provider calls its kind.
    #[serde(rename = "type")]
    #[schema(examples("AWS::EC2::NatGateway"))]
    kind: &'static str,
    /// What it is for.
    purpose: &'static str,
    /// How many.
    count: u64,
    /// What all of them cost an hour; absent where nothing is charged by the hour, or the price is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    hourly_cost: Option<f64>,
}

/// Where prices are from.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PriceSource {
    source: &'static str,
    /// The region that they are of; it stands for all.
    region: &'static str,
    /// The day on which they were read.
    as_of: &'static str,
}

/// What may come with a provision request.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ProvisionRequest {
    /// The `hash` of the plan that was agreed to: 409 (`plan_stale`) when it is not the present one.
    #[garde(inner(pattern("^[0-9a-f]{64}$")))]
    #[schema(pattern = "^[0-9a-f]{64}$")]
    plan_hash: Option<String>,
}

impl ProvisionRequest {
    /// The plan that was agreed to, if one was, is this one.
    ///
    /// # Errors
    /// [`Error::Conflict`] (`plan_stale`) when it is not.
    pub(crate) fn require_current(&self, plan: &Plan) -> Result<()> {
        match &self.plan_hash {
            Some(agreed) if *agreed != plan.hash => {
                let message = "The plan has changed since it was shown. Look at the present one, and send its `hash`.";
                Err(Error::conflict("plan_stale", message))
            }
            _ => Ok(()),
        }
    }
}

/// A kind of thing, what it is for, how many there are, and what one costs.
type Row = (&'static str, &'static str, u64, Option<HourlyPrice>);

/// What holds together what one of the templates in `infra/customer` makes.
const STACK: Row = ("AWS::CloudFormation::Stack", "what holds the parts together", 1, None);

/// What a network is made of.
pub(crate) fn of_network(network: &Network) -> Plan {
    let price = |thing: &str| PriceTable::current().of(thing);
    let rows = [
        STACK,
        ("AWS::EC2::VPC", "the network itself", 1, None),
        ("AWS::EC2::Subnet", "a public and a private one in each of three zones", 6, None),
        ("AWS::EC2::InternetGateway", "the way out of the public subnets", 1, None),
        ("AWS::EC2::VPCGatewayAttachment", "of the internet gateway", 1, None),
        ("AWS::EC2::NatGateway", "the way out of the private subnets", 1, price("nat-gateway")),
        ("AWS::EC2::EIP", "the address of the way out", 1, price("public-ipv4")),
        ("AWS::EC2::RouteTable", "of the public subnets and of the private ones", 2, None),
        ("AWS::EC2::Route", "one way out in each table", 2, None),
        ("AWS::EC2::SubnetRouteTableAssociation", "of each subnet with its table", 6, None),
        ("AWS::EC2::VPCEndpoint", "the way to S3", 1, None),
        ("AWS::EC2::FlowLog", "who talked to whom", 1, None),
        ("AWS::Logs::LogGroup", "what the flow log writes to", 1, None),
        ("AWS::IAM::Role", "what the flow log writes as", 1, None),
    ];
    plan(&(network.region.as_str(), &network.config), &rows, Vec::new())
}

/// What a cluster is made of.
pub(crate) fn of_cluster(cluster: &ProvisionedCluster) -> Plan {
    let price = |thing: &str| PriceTable::current().of(thing);
    let group = &cluster.config.system_node_group;
    let (nodes, disk) = (u64::from(group.desired_size), u64::from(group.disk_size_gb));
    let machine = group.instance_types.first().map(String::as_str).unwrap_or_default();
    let rows = [
        ("AWS::EKS::Cluster", "the control plane", 1, price("eks-cluster")),
        ("AWS::EKS::Nodegroup", "the system node group", 1, None),
        ("AWS::EC2::Instance", "nodes of the group, as many as are desired", nodes, price(machine)),
        ("AWS::EC2::Volume", "disks of the nodes", nodes, price("gp3-gigabyte").map(|gigabyte| gigabyte.times(disk))),
        ("AWS::EKS::Addon", "network, name service, proxy and volumes of pods", 4, None),
        ("AWS::EKS::AccessEntry", "how the platform reaches the API", 1, None),
        STACK,
        ("AWS::IAM::OIDCProvider", "identities of pods", 1, None),
        ("AWS::IAM::Role", "of the control plane, the nodes, the volumes and the jobs", 4, None),
        ("AWS::S3::Bucket", "results of jobs; it stays when the cluster goes, unless it is empty", 1, None),
        ("AWS::S3::BucketPolicy", "TLS alone", 1, None),
    ];
    let unpriced = price(machine).is_none().then(|| machine.to_owned());
    plan(&(cluster.region.as_str(), &cluster.network_id, &cluster.config), &rows, unpriced.into_iter().collect())
}

/// What a catalog is made of.
pub(crate) fn of_catalog(catalog: &ProvisionedCatalog) -> Plan {
    let rows = [
        STACK,
        ("AWS::Glue::Database", "the catalog's database", 1, None),
        ("AWS::S3::Bucket", "the tables' files; it stays when the catalog goes, unless it is empty", 1, None),
        ("AWS::S3::BucketPolicy", "TLS alone", 1, None),
    ];
    plan(&(catalog.region.as_str(), &catalog.network_id, &catalog.config), &rows, Vec::new())
}

/// There is something to plan.
///
/// # Errors
/// [`Error::Conflict`] (`not_pending`) for what was provisioned already.
pub(crate) fn require_pending(value: &impl Provisioned) -> Result<()> {
    match value.provisioning().status {
        ProvisioningStatus::Pending => Ok(()),
        status => {
            let message =
                format!("It is `{}`; a plan tells what provisioning makes of what is `pending`.", status.as_str());
            Err(Error::conflict("not_pending", message))
        }
    }
}

fn plan(wanted: &impl Serialize, rows: &[Row], unpriced: Vec<String>) -> Plan {
    let table = PriceTable::current();
    let resource = |(kind, purpose, count, price): &Row| PlannedResource {
        kind,
        purpose,
        count: *count,
        hourly_cost: price.map(|price| price.times(*count).as_money()),
    };
    let total: HourlyPrice = rows.iter().filter_map(|(_, _, count, price)| Some(price.as_ref()?.times(*count))).sum();
    // Of what is wanted as of what it makes and costs: whoever agrees agrees to both.
    let essence = serde_json::to_string(&(wanted, rows, &unpriced, &table.as_of)).unwrap_or_default();
    Plan {
        resources: rows.iter().map(resource).collect(),
        hourly_cost: total.as_money(),
        currency: &table.currency,
        unpriced,
        prices: PriceSource { source: &table.source, region: &table.region, as_of: &table.as_of },
        hash: sha256(&essence),
    }
}
