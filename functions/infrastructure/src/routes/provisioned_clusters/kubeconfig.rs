//! `GET /infra/connections/{connection}/clusters/{cluster}/kubeconfig`: how to reach a cluster's API.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, Path, Permitted, Result};
use mainsheet_auth::needs::CanAccessClusters;
use mainsheet_cloud::account::{self, KubernetesTarget};
use mainsheet_core::provisioned_cluster::ProvisionedCluster;
use mainsheet_core::{ClusterId, ConnectionId, Error};
use serde::Serialize;
use utoipa::ToSchema;

use super::ClusterPath;

/// How to reach a cluster's API. It holds no credentials: the AWS command line gets a token for whoever uses it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Kubeconfig {
    /// A configuration of `kubectl`: JSON, which is YAML.
    kubeconfig: String,
    /// Where the API answers.
    cluster_endpoint: String,
    /// The certificate that it answers with, as base64 of PEM.
    cluster_certificate_authority: String,
}

/// Get a cluster's kubeconfig
///
/// Of a cluster whose API answers. Whoever uses it needs the AWS command line and an identity that the cluster's access entries
/// let in.
#[utoipa::path(
    get, path = "/infra/connections/{connection}/clusters/{cluster}/kubeconfig", operation_id = "getClusterKubeconfig", tag = "clusters",
    params(("connection" = ConnectionId, Path, description = "The connection."), ("cluster" = ClusterId, Path, description = "The cluster.")),
    responses((status = 200, description = "The configuration.", body = Kubeconfig)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanAccessClusters")))
)]
pub(crate) async fn kubeconfig(
    State(app): State<App>,
    caller: Permitted<CanAccessClusters>,
    Path(path): Path<ClusterPath>,
) -> Result<Json<Kubeconfig>> {
    let row = app.store.provisioned_in::<ProvisionedCluster>(caller.tenant(), &path.connection, &path.cluster).await?;
    let target = target(&row.value).ok_or_else(unreachable)?;
    let kubeconfig = account::kubeconfig(&target, &row.value.region);
    let KubernetesTarget { endpoint, certificate_authority, .. } = target;
    Ok(Json(Kubeconfig {
        kubeconfig,
        cluster_endpoint: endpoint,
        cluster_certificate_authority: certificate_authority,
    }))
}

/// Where a cluster's API answers; `None` before it does, and once the cluster is gone.
fn target(cluster: &ProvisionedCluster) -> Option<KubernetesTarget> {
    let known = cluster.provider.clone().filter(|_| !cluster.provisioning.status.is_gone())?;
    let (endpoint, certificate_authority) = (known.endpoint?, known.certificate_authority?);
    Some(KubernetesTarget { cluster: known.name, endpoint, certificate_authority })
}

fn unreachable() -> Error {
    let message =
        "The cluster's API does not answer yet, or no more. Provision the cluster, and wait for the operation's end.";
    Error::conflict("not_active", message)
}
