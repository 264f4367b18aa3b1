//! Preflight: whether an account would let something be built, asked before anybody starts it. It makes nothing.

use mainsheet_auth::Caller;
use mainsheet_cloud::account::{CloudAccount, CloudError, InstanceTypeFilter, Quota, QuotaKind};
use mainsheet_core::Result;
use mainsheet_core::connection::Connection;
use mainsheet_core::network::NetworkCidr;
use mainsheet_core::provisioned_cluster::SystemNodeGroup;
use mainsheet_core::region::Region;
use serde::Serialize;
use utoipa::ToSchema;

use crate::cloud::{Cloud, describe_of_active, in_time, refused};

/// What was looked at.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Preflight {
    /// Nothing stands against it, as far as could be seen.
    ok: bool,
    checks: Vec<Check>,
}

/// Something that was looked at.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Check {
    /// What.
    name: CheckName,
    status: CheckStatus,
    /// What was found, and what to do where it stands against it.
    message: String,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CheckName {
    /// The role lets the platform in.
    Role,
    /// The role permits what is needed.
    Permissions,
    /// Other networks have other addresses.
    Addresses,
    /// There is room for one more of what has a quota.
    Quota,
    /// The region offers the machines.
    InstanceTypes,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CheckStatus {
    /// As it should be.
    Passed,
    /// It can be done, and may not be what is wanted.
    Warning,
    /// It cannot be done like this.
    Failed,
    /// Nobody could tell.
    Unknown,
}

impl Check {
    fn new(name: CheckName, status: CheckStatus, message: impl Into<String>) -> Self {
        Self { name, status, message: message.into() }
    }

    fn passed(name: CheckName, message: impl Into<String>) -> Self {
        Self::new(name, CheckStatus::Passed, message)
    }

    fn failed(name: CheckName, message: impl Into<String>) -> Self {
        Self::new(name, CheckStatus::Failed, message)
    }

    /// What an account that does not answer, or refuses to, means for a question.
    fn refused(name: CheckName, error: &CloudError) -> Self {
        let status = if error.is_retryable() { CheckStatus::Unknown } else { CheckStatus::Failed };
        Self::new(name, status, describe_of_active(error))
    }
}

impl From<Vec<Check>> for Preflight {
    fn from(checks: Vec<Check>) -> Self {
        Self { ok: checks.iter().all(|check| check.status != CheckStatus::Failed), checks }
    }
}

/// What is to be built, as far as an account has a say in it.
pub(crate) enum Wanted<'r> {
    /// A network with these addresses.
    Network(NetworkCidr),
    /// A cluster with this node group.
    Cluster(&'r SystemNodeGroup),
    /// A catalog.
    Catalog,
}

/// Looks whether an account would let something be built in a region.
///
/// # Errors
/// [`mainsheet_core::Error::Conflict`] when the connection is not active; [`mainsheet_core::Error::ProviderUnavailable`] when the
/// account does not say in time.
pub(crate) async fn look(
    cloud: &Cloud,
    caller: &Caller,
    connection: &Connection,
    region: &Region,
    wanted: &Wanted<'_>,
) -> Result<Preflight> {
    connection.require_active()?;
    let Some(role) = &connection.role_arn else { return Ok(Preflight::from(Vec::new())) };
    let look = async {
        match cloud.try_role(caller, connection, role, Some(region)).await? {
            Ok(account) => Ok(checks(account.as_ref(), region, wanted).await),
            Err(error @ CloudError::Throttled { .. }) => Err(refused(error)),
            Err(error) => Ok(vec![Check::refused(CheckName::Role, &error)]),
        }
    };
    in_time(look).await.map(Preflight::from)
}

/// What an account says that the role leads into.
async fn checks(account: &dyn CloudAccount, region: &Region, wanted: &Wanted<'_>) -> Vec<Check> {
    let mut checks = vec![Check::passed(CheckName::Role, format!("The role lets the platform into {region}."))];
    checks.push(permissions(account).await);
    match wanted {
        Wanted::Network(cidr) => {
            checks.push(addresses(account, *cidr).await);
            let needed =
                [QuotaKind::Vpcs, QuotaKind::InternetGateways, QuotaKind::NatGatewaysPerZone, QuotaKind::ElasticIps];
            checks.extend(quotas(account, &needed.map(|kind| (kind, 1))).await);
        }
        Wanted::Cluster(group) => {
            let (check, vcpus) = machines(account, group).await;
            checks.push(check);
            let needed = [(QuotaKind::Clusters, 1), (QuotaKind::StandardVcpus, vcpus)];
            checks.extend(quotas(account, &needed).await);
        }
        Wanted::Catalog => {}
    }
    checks
}

async fn permissions(account: &dyn CloudAccount) -> Check {
    match account.verify().await {
        Err(error) => Check::refused(CheckName::Permissions, &error),
        Ok(found) if found.missing_actions.is_empty() => {
            Check::passed(CheckName::Permissions, "The role permits what the platform needs.")
        }
        Ok(found) => Check::failed(
            CheckName::Permissions,
            format!(
                "The role does not permit {}. Bring its stack to the newest template.",
                found.missing_actions.join(", ")
            ),
        ),
    }
}

async fn addresses(account: &dyn CloudAccount, cidr: NetworkCidr) -> Check {
    let networks = match account.provider_networks().await {
        Ok(networks) => networks,
        Err(error) => return Check::refused(CheckName::Addresses, &error),
    };
    let block = cidr.block();
    let overlaps = |other: &str| {
        let other: Option<ipnet::Ipv4Net> = other.parse().ok();
        other.is_some_and(|other| other.contains(&block) || block.contains(&other))
    };
    let found: Vec<&str> =
        networks.iter().filter(|network| overlaps(&network.cidr)).map(|network| network.id.as_str()).collect();
    if found.is_empty() {
        return Check::passed(CheckName::Addresses, "No other network of the region has these addresses.");
    }
    let message = format!(
        "{} has some of these addresses, too. That is possible; the two can never be connected with each other.",
        found.join(", ")
    );
    Check::new(CheckName::Addresses, CheckStatus::Warning, message)
}

async fn quotas(account: &dyn CloudAccount, needed: &[(QuotaKind, u64)]) -> Vec<Check> {
    let known = match account.quotas().await {
        Ok(known) => known,
        Err(error) => return vec![Check::refused(CheckName::Quota, &error)],
    };
    let of_kind = |kind: QuotaKind| known.iter().find(|quota| quota.kind == kind);
    needed.iter().map(|(kind, more)| quota(*kind, *more, of_kind(*kind))).collect()
}

fn quota(kind: QuotaKind, more: u64, known: Option<&Quota>) -> Check {
    let name = kind.as_str();
    let Some((limit, used)) = known.and_then(|quota| Some((quota.limit, quota.used?))) else {
        return Check::new(
            CheckName::Quota,
            CheckStatus::Unknown,
            format!("How much of the quota \"{name}\" is left is not known."),
        );
    };
    if used.saturating_add(more) <= limit {
        return Check::passed(
            CheckName::Quota,
            format!("{name}: {used} of {limit} are in use, {more} more are needed."),
        );
    }
    let (service, code) = kind.code();
    Check::failed(
        CheckName::Quota,
        format!(
            "{name}: {used} of {limit} are in use, {more} more are needed. Ask AWS Service Quotas for more ({service}, {code}), or \
             remove what is not needed."
        ),
    )
}

/// Whether the region offers a group's machines, and how many processors the wanted nodes have.
async fn machines(account: &dyn CloudAccount, group: &SystemNodeGroup) -> (Check, u64) {
    let offered = match account.instance_types(&InstanceTypeFilter::default()).await {
        Ok(offered) => offered,
        Err(error) => return (Check::refused(CheckName::InstanceTypes, &error), 0),
    };
    let find = |wanted: &String| offered.iter().find(|machine| machine.name == *wanted);
    let vcpus = group.instance_types.iter().filter_map(find).map(|machine| u64::from(machine.vcpus)).max().unwrap_or(0);
    let missing: Vec<&str> =
        group.instance_types.iter().filter(|wanted| find(wanted).is_none()).map(String::as_str).collect();
    let architectures: std::collections::BTreeSet<_> =
        group.instance_types.iter().filter_map(find).map(|machine| machine.architecture).collect();
    let check = if !missing.is_empty() {
        let message = format!("The region does not offer {}. Choose others.", missing.join(", "));
        Check::failed(CheckName::InstanceTypes, message)
    } else if architectures.len() > 1 {
        Check::failed(CheckName::InstanceTypes, "The machines are of several architectures. Choose some of one.")
    } else {
        Check::passed(CheckName::InstanceTypes, "The region offers the machines.")
    };
    (check, vcpus * u64::from(group.desired_size))
}
