//! `POST /infra/connections/{connection}/clusters`: describe a managed Kubernetes cluster.

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Command, Path, Permitted, Result, Tagged, created, text};
use mainsheet_auth::needs::CanManageClusters;
use mainsheet_core::provisioned_cluster::{ClusterConfig, ProvisionedCluster};
use mainsheet_core::provisioning::Provisioning;
use mainsheet_core::region::Region;
use mainsheet_core::{ClusterId, ConnectionId, NetworkId};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::provisioned::{ConnectionPath, network_for, require_same};
use crate::view::provisioned_cluster::ProvisionedClusterView;

/// A new cluster.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ExternalClusterCreate {
    /// The path's, where it is given.
    #[garde(skip)]
    connection_id: Option<ConnectionId>,
    /// The network that it is to be in: an active one of the connection.
    #[garde(skip)]
    network_id: NetworkId,
    /// Unique among the organization's clusters that are not destroyed, whatever its case.
    #[garde(length(chars, min = 1, max = 255), custom(text::line))]
    #[schema(min_length = 1, max_length = 255, examples("prod-main"))]
    name: String,
    /// The network's.
    #[garde(skip)]
    region: Region,
    /// What it is to be made of.
    #[garde(dive)]
    config: ClusterConfig,
}

/// Create a cluster
///
/// The connection and the network have to be active. Nothing is built before the cluster is provisioned.
#[utoipa::path(
    post, path = "/infra/connections/{connection}/clusters", operation_id = "createProvisionedCluster", tag = "clusters",
    params(("connection" = ConnectionId, Path, description = "The connection.")),
    request_body = ExternalClusterCreate,
    responses((status = 201, description = "The new cluster, `pending`.", body = ProvisionedClusterView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageClusters")))
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Permitted<CanManageClusters>,
    Path(path): Path<ConnectionPath>,
    Command { body, idempotent }: Command<ExternalClusterCreate>,
) -> Result<(StatusCode, Tagged<ProvisionedClusterView>)> {
    if let Some(earlier) = idempotent.earlier::<ClusterId>()? {
        let row = app.store.provisioned_in::<ProvisionedCluster>(caller.tenant(), &path.connection, &earlier).await?;
        return Ok(created(ProvisionedClusterView::from(&row.value), row.version));
    }
    require_same(&path.connection, body.connection_id.as_ref())?;
    body.config.check("config")?;
    network_for(&app, &caller, &path.connection, &body.network_id, &body.region).await?;
    let change = app.store.change(caller.audit("cluster.create", &body.name));
    let now = change.now();
    let cluster = ProvisionedCluster {
        id: ClusterId::generate(now),
        connection_id: path.connection,
        network_id: body.network_id,
        name: body.name,
        region: body.region,
        config: body.config,
        target: None,
        provider: None,
        job_runner_role_arn: None,
        health: None,
        provisioning: Provisioning::pending(caller.member_id(), now),
    };
    change
        .create_provisioned(caller.tenant(), &cluster)
        .idempotent(idempotent.request(), cluster.id.as_str())
        .commit()
        .await?;
    Ok(created(ProvisionedClusterView::from(&cluster), 1))
}
