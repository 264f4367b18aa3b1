//! `POST /infra/connections/{connection}/clusters/{cluster}`: change a cluster's name, version or node group.

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Command, IfMatch, Path, Permitted, Result, Tagged, text};
use mainsheet_auth::Caller;
use mainsheet_auth::needs::CanManageClusters;
use mainsheet_core::operation::{Operation, OperationKind};
use mainsheet_core::provisioned_cluster::{ClusterConfig, ProvisionedCluster};
use mainsheet_core::provisioning::{Provisioned, ProvisioningEvent, ProvisioningStatus};
use mainsheet_core::{ClusterId, ConnectionId, Error};
use mainsheet_store::retry_races;
use serde::Deserialize;
use utoipa::ToSchema;

use super::ClusterPath;
use crate::view::provisioned_cluster::ProvisionedClusterView;

/// What to change of a cluster. What is absent stays.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ExternalClusterUpdate {
    /// Unique among the organization's clusters that are not destroyed, whatever its case. It changes at once.
    #[garde(inner(length(chars, min = 1, max = 255)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// What it is to be made of: its version may go up by one minor, its node group and who may reach it may change. It changes in
    /// the background.
    #[garde(dive)]
    config: Option<ClusterConfig>,
}

/// Update a cluster
///
/// Answers at once; where there is something to do in the account, `operationId` of the answer tells how far that is.
#[utoipa::path(
    post, path = "/infra/connections/{connection}/clusters/{cluster}", operation_id = "updateProvisionedCluster", tag = "clusters",
    params(
        ("connection" = ConnectionId, Path, description = "The connection."),
        ("cluster" = ClusterId, Path, description = "The cluster."),
        ("If-Match" = Option<String>, Header, description = "The version to change."),
    ),
    request_body = ExternalClusterUpdate,
    responses((status = 202, description = "The cluster.", body = ProvisionedClusterView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageClusters")))
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Permitted<CanManageClusters>,
    Path(path): Path<ClusterPath>,
    if_match: IfMatch,
    Command { body, idempotent }: Command<ExternalClusterUpdate>,
) -> Result<(StatusCode, Tagged<ProvisionedClusterView>)> {
    let tenant = caller.tenant();
    if let Some(earlier) = idempotent.earlier::<ClusterId>()? {
        let row = app.store.provisioned_in::<ProvisionedCluster>(tenant, &path.connection, &earlier).await?;
        return Ok(accepted(&row.value, row.version));
    }
    let (cluster, version) = retry_races(|| async {
        let (row, logical) = app.store.cluster_faces(tenant, &path.cluster).await?;
        if row.value.connection_id != path.connection {
            return Err(Error::NotFound);
        }
        if_match.check(row.version).map_err(|problem| problem.0)?;
        let change = app.store.change(caller.audit(OperationKind::ClusterUpdate.as_str(), &path.cluster));
        let (mut cluster, now) = (row.value.clone(), change.now());
        let operation = begin(&mut cluster, body.config.as_ref(), &caller, now)?;
        let change = match body.name.as_ref().filter(|name| **name != row.value.name) {
            Some(_) if cluster.provisioning.status == ProvisioningStatus::Destroyed => {
                let message = "The cluster was destroyed, and its name with it.";
                return Err(Error::conflict("destroyed", message));
            }
            Some(name) => {
                cluster.name.clone_from(name);
                change.rename_provisioned_cluster(tenant, &row.value, logical.as_ref(), name)
            }
            None => change,
        };
        cluster.provisioning.updated_at = now;
        cluster.provisioning.updated_by = caller.member_id().clone();
        let change = match &operation {
            Some(operation) => change.start_operation(tenant, &row, &cluster, operation),
            None => change.replace_provisioned(&row, &cluster),
        };
        change.idempotent(idempotent.request(), path.cluster.as_str()).commit().await?;
        Ok((cluster, row.version + 1))
    })
    .await?;
    Ok(accepted(&cluster, version))
}

/// The operation that a change takes; `None` when there is nothing to do in the account. What an update is about to leave behind is
/// not what the cluster is: to ask for that is a change, too.
fn begin(
    cluster: &mut ProvisionedCluster,
    config: Option<&ClusterConfig>,
    caller: &Caller,
    now: mainsheet_core::Timestamp,
) -> Result<Option<Operation>, Error> {
    let is_as_wanted = |wanted: &ClusterConfig| *wanted == cluster.config && cluster.target.is_none();
    let Some(config) = config.filter(|wanted| !is_as_wanted(wanted)) else { return Ok(None) };
    let (reference, by) = (cluster.reference(), caller.member_id());
    let operation = Operation::new(OperationKind::ClusterUpdate, reference, &cluster.connection_id, by, now);
    cluster.provisioning.begin(ProvisioningEvent::Update, &operation.id, by, now)?;
    cluster.aim(config.clone(), "config")?;
    Ok(Some(operation))
}

fn accepted(cluster: &ProvisionedCluster, version: u64) -> (StatusCode, Tagged<ProvisionedClusterView>) {
    (StatusCode::ACCEPTED, Tagged { body: ProvisionedClusterView::from(cluster), version })
}
