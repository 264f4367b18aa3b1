//! `GET /infra/connections/{connection}/clusters/{cluster}/plan`: what provisioning a cluster makes, and what that costs.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, Path, Permitted, Result};
use mainsheet_auth::needs::CanViewClusters;
use mainsheet_core::provisioned_cluster::ProvisionedCluster;
use mainsheet_core::{ClusterId, ConnectionId};

use super::ClusterPath;
use crate::plan::{self, Plan};

/// Show a cluster's plan
///
/// Of a `pending` cluster. Nothing is asked of the account: `preflight` does that.
#[utoipa::path(
    get, path = "/infra/connections/{connection}/clusters/{cluster}/plan", operation_id = "planCluster", tag = "clusters",
    params(("connection" = ConnectionId, Path, description = "The connection."), ("cluster" = ClusterId, Path, description = "The cluster.")),
    responses((status = 200, description = "The plan.", body = Plan)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewClusters")))
)]
pub(crate) async fn plan(
    State(app): State<App>,
    caller: Permitted<CanViewClusters>,
    Path(path): Path<ClusterPath>,
) -> Result<Json<Plan>> {
    let row = app.store.provisioned_in::<ProvisionedCluster>(caller.tenant(), &path.connection, &path.cluster).await?;
    plan::require_pending(&row.value)?;
    Ok(Json(plan::of_cluster(&row.value)))
}
