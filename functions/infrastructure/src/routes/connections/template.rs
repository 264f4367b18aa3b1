//! `GET /infra/connections/{connection}/template`: how to deploy the template that lets the platform in.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, BASE, Path, Permitted, Result};
use mainsheet_auth::Caller;
use mainsheet_auth::needs::CanManageConnections;
use mainsheet_cloud::account::boundary_name;
use mainsheet_core::ConnectionId;
use mainsheet_core::connection::{Connection, ConnectionStatus};
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use crate::cloud::Cloud;

/// How to deploy the template.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConnectionTemplate {
    /// Where CloudFormation finds the template.
    template_url: String,
    /// Opens the AWS console with the template and its parameters.
    quick_launch_url: String,
    /// Where the template is with its parameters filled in.
    download_url: String,
    parameters: ConnectionTemplateParameters,
}

/// What the template has to be told.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ConnectionTemplateParameters {
    connection_id: ConnectionId,
    /// Who the role trusts.
    lake_sail_principal: String,
    /// What the role demands of whoever assumes it. Keep it private. Absent while the connection is active: the stack has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
}

/// Show a connection's template
///
/// Deploy it in the account, then verify the role that it creates.
#[utoipa::path(
    get, path = "/infra/connections/{connection}/template", operation_id = "getConnectionTemplate", tag = "connections",
    params(("connection" = ConnectionId, Path, description = "The connection.")),
    responses((status = 200, description = "How to deploy it.", body = ConnectionTemplate)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageConnections")))
)]
pub(crate) async fn template(
    State(app): State<App>,
    State(cloud): State<Cloud>,
    caller: Permitted<CanManageConnections>,
    Path(id): Path<ConnectionId>,
) -> Result<Json<ConnectionTemplate>> {
    let connection = app.store.connection(caller.tenant(), &id).await?.value;
    let external_id = external_id(&cloud, &caller, &connection)?;
    let parameters = parameters(&cloud, &caller, &connection, external_id.as_deref());
    Ok(Json(ConnectionTemplate {
        quick_launch_url: quick_launch_url(&cloud, &connection, &parameters),
        template_url: cloud.template_url.clone(),
        download_url: format!("{}{BASE}/infra/connections/{id}/template/download", cloud.public_url),
        parameters: ConnectionTemplateParameters {
            connection_id: id,
            lake_sail_principal: cloud.principal_arn.clone(),
            external_id,
        },
    }))
}

/// The external id, while somebody has to be told.
pub(super) fn external_id(
    cloud: &Cloud,
    caller: &Caller,
    connection: &Connection,
) -> mainsheet_core::Result<Option<String>> {
    match connection.status {
        ConnectionStatus::Active => Ok(None),
        ConnectionStatus::Pending | ConnectionStatus::Failed => {
            cloud.external_id(caller, connection).map(|id| Some(id.expose_secret().to_owned()))
        }
    }
}

/// The template's parameters, by name. The external id is left out where nobody has to be told.
pub(super) fn parameters(
    cloud: &Cloud,
    caller: &Caller,
    connection: &Connection,
    external_id: Option<&str>,
) -> Vec<(&'static str, String)> {
    let id = connection.id.to_string();
    let lower = id.to_lowercase();
    let mut parameters = vec![
        ("IamRoleName", format!("mainsheet-{lower}")),
        ("IamPermissionBoundaryName", boundary_name(&connection.id)),
        ("LakeSailAccountID", cloud.account_id().to_owned()),
        ("LakeSailTenantID", caller.tenant().organization_id().to_string()),
        ("LakeSailConnectionID", id),
        ("LakeSailConnectionIDLowerCase", lower),
        ("LakeSailPrincipal", cloud.principal_arn.clone()),
    ];
    parameters.extend(external_id.map(|external_id| ("LakeSailExternalID", external_id.to_owned())));
    parameters
}

/// The console's page that creates a stack (AWS, CloudFormation quick-create links).
fn quick_launch_url(cloud: &Cloud, connection: &Connection, parameters: &[(&'static str, String)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("templateURL", &cloud.template_url);
    query.append_pair("stackName", &format!("mainsheet-{}", connection.id.as_str().to_lowercase()));
    for (name, value) in parameters {
        query.append_pair(&format!("param_{name}"), value);
    }
    let region = &connection.region;
    format!(
        "https://console.aws.amazon.com/cloudformation/home?region={region}#/stacks/create/review?{}",
        query.finish()
    )
}
