//! `GET /infra/connections/{connection}/instance-types`: what nodes can be.

use axum::Json;
use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, MAX_PAGE, Path, Permitted, Query, Result};
use mainsheet_auth::needs::CanViewConnections;
use mainsheet_cloud::account::{Architecture, InstanceType, InstanceTypeFilter, SYSTEM_PODS};
use mainsheet_core::ConnectionId;
use mainsheet_core::connection::CloudProvider;
use mainsheet_core::region::Region;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::cloud::{Cloud, in_time, refused};

/// Which machines are wanted.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct InstanceTypeQuery {
    /// Where; the connection's region unless given.
    #[garde(skip)]
    #[param(value_type = Option<String>)]
    region: Option<Region>,
    /// The most items in the answer.
    #[serde(default = "default_limit")]
    #[garde(range(max = 100))]
    #[param(minimum = 0, maximum = 100, default = 100)]
    limit: u32,
    /// The page, counted from 1.
    #[garde(inner(range(min = 1, max = MAX_PAGE)))]
    #[param(minimum = 1, maximum = 10_001, default = 1)]
    page: Option<u32>,
    /// Of this architecture.
    #[garde(skip)]
    #[param(inline)]
    architecture: Option<MachineArchitecture>,
    /// With so many virtual processors or more.
    #[serde(rename = "minVCpus")]
    #[garde(inner(range(min = 1)))]
    #[param(minimum = 1)]
    min_vcpus: Option<u32>,
    /// With so much memory or more, in MiB.
    #[serde(rename = "minMemoryMiB")]
    #[garde(inner(range(min = 1024)))]
    #[param(minimum = 1024)]
    min_memory_mib: Option<u64>,
}

fn default_limit() -> u32 {
    100
}

/// The instruction set of machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub(crate) enum MachineArchitecture {
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit ARM.
    #[serde(rename = "arm64")]
    Arm64,
}

impl From<MachineArchitecture> for Architecture {
    fn from(architecture: MachineArchitecture) -> Self {
        match architecture {
            MachineArchitecture::X86_64 => Self::X86_64,
            MachineArchitecture::Arm64 => Self::Arm64,
        }
    }
}

impl From<Architecture> for MachineArchitecture {
    fn from(architecture: Architecture) -> Self {
        match architecture {
            Architecture::X86_64 => Self::X86_64,
            Architecture::Arm64 => Self::Arm64,
        }
    }
}

/// Some kinds of machines, and what a cluster's own pods take of them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InstanceTypeList {
    /// How many there are in all.
    total: u64,
    items: Vec<InstanceTypeView>,
    metadata: InstanceTypeMetadata,
}

/// A kind of machine.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = InstanceType)]
pub(crate) struct InstanceTypeView {
    provider: CloudProvider,
    #[schema(examples("m7g.large"))]
    instance_type: String,
    v_cpus: u32,
    #[serde(rename = "memoryMiB")]
    memory_mib: u64,
    architecture: MachineArchitecture,
    gpu_count: u32,
    #[schema(examples("m7g"))]
    instance_family: String,
    /// The most pods that fit on such a node.
    max_pods: u32,
    /// What families begin with: what such machines are for.
    group: String,
    /// What pods may have of its processors, in thousandths of one.
    allocatable_milli_cpu: u32,
}

impl From<&InstanceType> for InstanceTypeView {
    fn from(machine: &InstanceType) -> Self {
        let family = machine.family().to_owned();
        Self {
            provider: CloudProvider::Aws,
            instance_type: machine.name.clone(),
            v_cpus: machine.vcpus,
            memory_mib: machine.memory_mib,
            architecture: machine.architecture.into(),
            gpu_count: machine.gpus,
            group: family.chars().take_while(char::is_ascii_alphabetic).collect(),
            instance_family: family,
            max_pods: machine.max_pods(),
            allocatable_milli_cpu: machine.allocatable_milli_cpu(),
        }
    }
}

/// What a cluster's own pods take of its nodes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InstanceTypeMetadata {
    provider: CloudProvider,
    /// Pods on every node.
    system_pods_per_node: u32,
    /// Pods on every system node besides.
    system_pods_per_system_node: u32,
    /// Pods that a cluster has once.
    system_pods_fixed: u32,
    /// Room to leave for such pods on every node.
    system_pods_per_node_margin: u32,
    /// Room to leave for such pods in the cluster.
    system_pods_fixed_margin: u32,
    /// What they ask for on every node, in thousandths of a processor.
    #[serde(rename = "systemMilliCPUPerNode")]
    system_milli_cpu_per_node: u32,
    /// What they ask for once, in thousandths of a processor.
    #[serde(rename = "systemMilliCPUFixed")]
    system_milli_cpu_fixed: u32,
    /// Clusters have no Karpenter.
    #[serde(rename = "karpenterMilliCPUPerReplica")]
    karpenter_milli_cpu_per_replica: u32,
    karpenter_replicas: u32,
}

impl InstanceTypeMetadata {
    fn current() -> Self {
        Self {
            provider: CloudProvider::Aws,
            system_pods_per_node: SYSTEM_PODS.per_node,
            system_pods_per_system_node: SYSTEM_PODS.per_system_node,
            system_pods_fixed: SYSTEM_PODS.fixed,
            system_pods_per_node_margin: SYSTEM_PODS.per_node_margin,
            system_pods_fixed_margin: SYSTEM_PODS.fixed_margin,
            system_milli_cpu_per_node: SYSTEM_PODS.milli_cpu_per_node,
            system_milli_cpu_fixed: SYSTEM_PODS.milli_cpu_fixed,
            karpenter_milli_cpu_per_replica: 0,
            karpenter_replicas: 0,
        }
    }
}

/// List the machine types of a connection
///
/// Those that the region offers and a cluster can have as nodes, by name. The connection has to be active.
#[utoipa::path(
    get, path = "/infra/connections/{connection}/instance-types", operation_id = "listInstanceTypes", tag = "connections",
    params(("connection" = ConnectionId, Path, description = "The connection."), InstanceTypeQuery),
    responses((status = 200, description = "Some of them.", body = InstanceTypeList)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewConnections")))
)]
pub(crate) async fn instance_types(
    State(app): State<App>,
    State(cloud): State<Cloud>,
    caller: Permitted<CanViewConnections>,
    Path(connection): Path<ConnectionId>,
    Query(query): Query<InstanceTypeQuery>,
) -> Result<Json<InstanceTypeList>> {
    let connection = app.store.connection(caller.tenant(), &connection).await?.value;
    let filter = InstanceTypeFilter {
        architecture: query.architecture.map(Into::into),
        min_vcpus: query.min_vcpus,
        min_memory_mib: query.min_memory_mib,
    };
    let look = async {
        let account = cloud.enter(&caller, &connection, query.region.as_ref()).await?;
        account.instance_types(&filter).await.map_err(refused)
    };
    let found = in_time(look).await?;
    let page = mainsheet_api::PageQuery { limit: query.limit, page: query.page };
    let items = page.cut(found.iter()).map(Into::into).collect();
    Ok(Json(InstanceTypeList { total: found.len() as u64, items, metadata: InstanceTypeMetadata::current() }))
}
