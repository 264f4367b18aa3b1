//! `GET /infra/connections/{connection}/template/download`: the template, filled in.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use mainsheet_api::{App, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageConnections;
use mainsheet_cloud::account::Template;
use mainsheet_core::ConnectionId;

use super::template::{external_id, parameters};
use crate::cloud::Cloud;

/// Download a connection's template
///
/// With the connection's values as the parameters' defaults: whoever deploys it is asked for nothing. Keep it private, it has the
/// external id. While the connection is active it has not: a stack that is there keeps its own.
#[utoipa::path(
    get, path = "/infra/connections/{connection}/template/download", operation_id = "downloadConnectionTemplate", tag = "connections",
    params(("connection" = ConnectionId, Path, description = "The connection.")),
    responses((status = 200, description = "A template of AWS CloudFormation.", body = String, content_type = "text/yaml")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageConnections")))
)]
pub(crate) async fn download(
    State(app): State<App>,
    State(cloud): State<Cloud>,
    caller: Permitted<CanManageConnections>,
    Path(id): Path<ConnectionId>,
) -> Result<impl IntoResponse> {
    let connection = app.store.connection(caller.tenant(), &id).await?.value;
    let external_id = external_id(&cloud, &caller, &connection)?;
    let values = parameters(&cloud, &caller, &connection, external_id.as_deref()).into_iter().collect();
    let headers = [
        (CONTENT_TYPE, "text/yaml"),
        (CONTENT_DISPOSITION, "attachment; filename=\"mainsheet-connection.yaml\""),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Template::Connection.filled(&values)))
}
