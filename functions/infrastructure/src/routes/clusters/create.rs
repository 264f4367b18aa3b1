//! `POST /workloads/clusters`: register a cluster that the organization runs itself.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Command, Permitted, Result, Tagged, created, text};
use mainsheet_auth::agent::{new_registration_token, sha256};
use mainsheet_auth::needs::CanManageClusters;
use mainsheet_core::cluster::{AgentPulse, Cluster, LOCAL_REGION};
use mainsheet_core::{ClusterId, Error, Timestamp};
use mainsheet_store::agents::RegistrationToken;
use mainsheet_store::outbox::Event;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::LocalRegion;
use crate::view::cluster::ClusterView;

/// How long an agent can register with a new token.
const TOKEN_VALID: Duration = Duration::from_secs(24 * 3600);

/// A new self-registered cluster.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ClusterCreate {
    /// Unique in the organization.
    #[garde(length(chars, min = 1, max = 255), custom(text::line))]
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// Where it is. On the embedded platform `local` is the default, and the built-in agent serves it.
    #[garde(inner(length(chars, min = 1, max = 64), pattern("^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$")))]
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = "^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$",
        examples("local", "eu-central-1")
    )]
    region: Option<String>,
}

/// A registered cluster, and the token that its agent registers with.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegisteredCluster {
    #[serde(flatten)]
    cluster: ClusterView,
    /// Shown once; absent when the request is repeated. It can be used once, within a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_registration_token: Option<String>,
}

/// Register a cluster
///
/// Answers a one-time token for the cluster's agent.
#[utoipa::path(
    post, path = "/workloads/clusters", operation_id = "registerCluster", tag = "clusters",
    request_body = ClusterCreate,
    responses((status = 201, description = "The new cluster.", body = RegisteredCluster, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageClusters")))
)]
pub(crate) async fn create(
    State(app): State<App>,
    State(local): State<LocalRegion>,
    caller: Permitted<CanManageClusters>,
    Command { body, idempotent }: Command<ClusterCreate>,
) -> Result<(StatusCode, Tagged<RegisteredCluster>)> {
    if let Some(earlier) = idempotent.earlier::<ClusterId>()? {
        let row = app.store.cluster(caller.tenant(), &earlier).await?;
        let cluster = ClusterView::of(&row, None, app.now());
        return Ok(created(RegisteredCluster { cluster, agent_registration_token: None }, row.version));
    }
    let region = region(body.region, local)?;
    let id = ClusterId::generate(app.now());
    let change = app.store.change(caller.audit("cluster.register", &id));
    let now = change.now();
    let cluster = Cluster {
        id,
        name: body.name,
        region,
        provisioned: None,
        teams: BTreeMap::new(),
        created_at: now,
        created_by: caller.member_id().clone(),
        updated_at: now,
        updated_by: caller.member_id().clone(),
    };
    let text = new_registration_token()?;
    let token = RegistrationToken {
        organization_id: caller.tenant().organization_id().clone(),
        cluster_id: cluster.id.clone(),
        expires_at: now + TOKEN_VALID,
        used_by: None,
    };
    let pulse = first_pulse(&cluster, now);
    change
        .create_cluster(caller.tenant(), &cluster, &pulse, (&sha256(&text), &token))
        .emit(Event::ClusterRegistered { cluster_id: cluster.id.clone(), region: cluster.region.clone() })
        .idempotent(idempotent.request(), cluster.id.as_str())
        .commit()
        .await?;
    let cluster = ClusterView::with(&cluster, pulse.status(now), None);
    Ok(created(RegisteredCluster { cluster, agent_registration_token: Some(text) }, 1))
}

fn region(named: Option<String>, local: LocalRegion) -> Result<String> {
    match (named, local) {
        (Some(region), LocalRegion::Absent) if region == LOCAL_REGION => {
            Err(Error::invalid("region", "is served by the embedded platform alone; name your cloud provider's region")
                .into())
        }
        (Some(region), _) => Ok(region),
        (None, LocalRegion::BuiltInAgent) => Ok(LOCAL_REGION.to_owned()),
        (None, LocalRegion::Absent) => Err(Error::invalid("region", "is required").into()),
    }
}

/// The built-in agent is alive when its cluster is made, so work can be given to the cluster at once.
fn first_pulse(cluster: &Cluster, now: Timestamp) -> AgentPulse {
    let seen_at = (cluster.region == LOCAL_REGION).then_some(now);
    AgentPulse { seen_at, ..AgentPulse::default() }
}
