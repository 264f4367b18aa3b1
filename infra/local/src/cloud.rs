//! The simulated cloud: what a customer does in an account, what goes wrong there, and what is left of it. Outside the protocol.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use garde::Validate;
use mainsheet_api::{Body, Result};
use mainsheet_cloud::account::{OwnedKind, Template};
use mainsheet_core::Error;
use mainsheet_core::connection::AccountId;
use mainsheet_core::region::Region;
use mainsheet_simulator::{CloudSimulator, DeployError, Deployed, Fault};
use serde::{Deserialize, Serialize};

/// Who the platform is to simulated accounts.
pub(crate) const PRINCIPAL: &str = "arn:aws:iam::000000000000:role/mainsheet-platform";
/// Where the connection's template is, without any values.
pub(crate) const TEMPLATE: &str = "/_local/cloud/template";

/// The routes under `/_local/cloud`.
pub(crate) fn router(cloud: CloudSimulator) -> Router {
    Router::new()
        .route(TEMPLATE, get(template))
        .route("/_local/cloud/deploy", post(deploy))
        .route("/_local/cloud/faults", post(inject).delete(heal))
        .route("/_local/cloud/resources", get(resources))
        .with_state(cloud)
}

async fn template() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/yaml")], Template::Connection.body())
}

/// What a customer gives to CloudFormation.
#[derive(Debug, Deserialize, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Deployment {
    #[garde(skip)]
    account_id: AccountId,
    /// Where the stack is; `us-east-1` unless given.
    #[serde(default)]
    #[garde(skip)]
    region: Region,
    /// The template, as it was downloaded.
    #[garde(length(bytes, min = 1))]
    template: String,
}

/// Deploys the connection's template into an account, which comes to be with that.
async fn deploy(State(cloud): State<CloudSimulator>, Body(body): Body<Deployment>) -> Result<Json<Deployed>> {
    let deployed = cloud.deploy(&body.account_id, &body.region, &body.template).map_err(|error| match error {
        DeployError::NotKept(message) => Error::unavailable(message),
        refused => Error::invalid("template", refused.to_string()),
    })?;
    Ok(Json(deployed))
}

/// Something that goes wrong from now on.
#[derive(Debug, Deserialize, Validate)]
#[serde(transparent)]
struct NewFault(#[garde(custom(possible))] Fault);

fn possible(fault: &Fault, _: &()) -> garde::Result {
    if fault.is_possible() { Ok(()) } else { Err(garde::Error::new("names no call that the platform makes")) }
}

async fn inject(State(cloud): State<CloudSimulator>, Body(NewFault(fault)): Body<NewFault>) -> Result<StatusCode> {
    cloud.inject(fault)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Nothing goes wrong any more.
async fn heal(State(cloud): State<CloudSimulator>) -> Result<StatusCode> {
    cloud.clear_faults()?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Serialize)]
struct Resource {
    #[serde(rename = "type")]
    kind: OwnedKind,
    name: String,
    arn: String,
}

#[derive(Serialize)]
struct Resources {
    items: Vec<Resource>,
}

/// What the platform made in all accounts and what is still there.
async fn resources(State(cloud): State<CloudSimulator>) -> Json<Resources> {
    let found = cloud.made_by_the_platform().into_iter();
    let items = found.map(|found| Resource { kind: found.kind, name: found.name, arn: found.arn });
    Json(Resources { items: items.collect() })
}
