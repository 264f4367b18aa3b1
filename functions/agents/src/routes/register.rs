//! `POST /agent/register`: trades a one-time token for credentials.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, Body, RequestOrigin, Result};
use mainsheet_auth::agent::sha256;
use mainsheet_core::agent_protocol::{AgentRegistered, AgentRegistration};
use mainsheet_core::cluster::Agent;
use mainsheet_core::{AgentId, Error};
use mainsheet_store::Row;
use mainsheet_store::agents::{RegistrationToken, tenant_of_token};
use mainsheet_store::audit::{Actor, Audit, Scope};

/// Register an agent
///
/// Sending the same token with the same secret again answers the same.
#[utoipa::path(
    post, path = "/agent/register", operation_id = "registerAgent", tag = "agents",
    request_body = AgentRegistration,
    responses((status = 200, description = "Who the agent is.", body = AgentRegistered))
)]
pub(crate) async fn register(
    State(app): State<App>,
    RequestOrigin(origin): RequestOrigin,
    Body(body): Body<AgentRegistration>,
) -> Result<Json<AgentRegistered>> {
    let unknown = || Error::unauthenticated("no such registration token");
    let token = app.store.registration_token(&sha256(&body.registration_token)).await?.ok_or_else(unknown)?;
    // An answer that was lost is given also after the token's end.
    if let Some(agent) = &token.value.used_by {
        return Ok(Json(repeat(&app, agent, &body).await?));
    }
    if token.value.expires_at <= app.now() {
        return Err(unknown().into());
    }
    let tenant = tenant_of_token(&token);
    let id = AgentId::generate(app.now());
    let audit = Audit {
        scope: Scope::Tenant(tenant.clone()),
        actor: Actor::Agent { agent_id: id.clone() },
        origin,
        action: "agent.register",
        target: token.value.cluster_id.to_string(),
    };
    let change = app.store.change(audit);
    let agent = new_agent(id, body, &token, change.now());
    let retired = |error| match error {
        Error::NotFound => Error::unauthenticated("the cluster of the registration token is gone"),
        error => error,
    };
    change.register_agent(&tenant, &token, &agent).commit().await.map_err(retired)?;
    Ok(Json(answer(&agent)))
}

/// The answer that was lost, if the same agent asks.
async fn repeat(app: &App, agent: &AgentId, body: &AgentRegistration) -> Result<AgentRegistered> {
    let agent = app.store.agent(agent).await?.filter(|agent| agent.value.secret_sha256 == body.secret_sha256);
    let agent = agent.ok_or_else(|| Error::unauthenticated("the registration token was used by another agent"))?;
    Ok(answer(&agent.value))
}

fn new_agent(
    id: AgentId,
    body: AgentRegistration,
    token: &Row<RegistrationToken>,
    now: mainsheet_core::Timestamp,
) -> Agent {
    Agent {
        id,
        organization_id: token.value.organization_id.clone(),
        cluster_id: token.value.cluster_id.clone(),
        secret_sha256: body.secret_sha256,
        version: body.version,
        backend: body.backend,
        registered_at: now,
    }
}

fn answer(agent: &Agent) -> AgentRegistered {
    AgentRegistered {
        agent_id: agent.id.clone(),
        organization_id: agent.organization_id.clone(),
        cluster_id: agent.cluster_id.clone(),
    }
}
