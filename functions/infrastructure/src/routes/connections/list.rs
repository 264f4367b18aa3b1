//! `GET /infra/connections`: the organization's cloud accounts.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, MarkerQuery, Permitted, Query, Result};
use mainsheet_auth::needs::CanViewConnections;
use mainsheet_store::provisioned::Pointers;
use serde::Serialize;
use utoipa::ToSchema;

use crate::view::connection::ConnectionView;
use crate::view::operation::OperationView;

/// What the items of an answer point at.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConnectionIncluded {
    /// Operations on the connections themselves that are under way.
    operations: Vec<OperationView>,
}

/// Some of the connections.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConnectionPage {
    items: Vec<ConnectionView>,
    included: ConnectionIncluded,
    /// Where this part ended; absent at the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

/// List connections
///
/// Oldest first.
#[utoipa::path(
    get, path = "/infra/connections", operation_id = "listConnections", tag = "connections",
    params(MarkerQuery),
    responses((status = 200, description = "Some of the connections.", body = ConnectionPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewConnections")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Permitted<CanViewConnections>,
    Query(query): Query<MarkerQuery>,
) -> Result<Json<ConnectionPage>> {
    let page = app.store.connections(caller.tenant(), &query.request()).await?;
    let live = page.rows.iter().filter_map(|row| row.value.live_operation.clone());
    let pointers = Pointers { operations: live.collect(), ..Pointers::default() };
    let pointed = app.store.pointed(caller.tenant(), &pointers).await?;
    let operations = pointed.operations.iter().map(|row| OperationView::of(caller.tenant(), row)).collect();
    Ok(Json(ConnectionPage {
        items: page.rows.iter().map(ConnectionView::from).collect(),
        included: ConnectionIncluded { operations },
        marker: page.marker,
    }))
}
