//! `POST /agent/heartbeat`: the agent lives, and its leases are renewed.

use axum::Json;
use axum::extract::State;
use futures::future::try_join_all;
use mainsheet_api::{AgentCaller, App, Body, Result};
use mainsheet_core::Error;
use mainsheet_core::agent_protocol::{Heartbeat, HeartbeatAnswer, HeldRun, Order, RunOrder, Utilization};
use mainsheet_core::cluster::AgentPulse;
use mainsheet_core::job_run::JobRun;
use mainsheet_store::{Row, retry_races};

use crate::held::order;

/// Send a heartbeat
///
/// Renews the lease of every run that is named, and answers what to do with each.
#[utoipa::path(
    post, path = "/agent/heartbeat", operation_id = "agentHeartbeat", tag = "agents",
    request_body = Heartbeat,
    responses((status = 200, description = "What became of each run.", body = HeartbeatAnswer)),
    security(("agentToken" = []))
)]
pub(crate) async fn heartbeat(
    State(app): State<App>,
    caller: AgentCaller,
    Body(body): Body<Heartbeat>,
) -> Result<Json<HeartbeatAnswer>> {
    let pulse =
        AgentPulse { seen_at: Some(app.now()), message: body.message, utilization: Some(rounded(&body.utilization)) };
    let (cluster, runs) = (&caller.agent.value.cluster_id, body.holding.len());
    // A cluster that is retired takes the credentials of its latest agent along. Those of the ones before go here.
    let retired = |error| if matches!(error, Error::NotFound) { Error::unauthenticated("retired") } else { error };
    app.store.note_pulse(&caller.tenant, cluster, &pulse, runs).await.map_err(retired)?;
    let runs = app.store.held_runs(&caller.tenant, &body.holding).await?;
    let orders = body.holding.into_iter().map(|held| renew(&app, &caller, runs.get(&held.job_run_id).cloned(), held));
    Ok(Json(HeartbeatAnswer { runs: try_join_all(orders).await? }))
}

/// Four decimals are plenty, and DynamoDB takes no number below 1e-130.
fn rounded(utilization: &Utilization) -> Utilization {
    let round = |share: f64| (share * 10_000.0).round() / 10_000.0;
    Utilization { cpu: round(utilization.cpu), memory: round(utilization.memory), capacity: utilization.capacity }
}

/// Renews the lease of a run that was read, and says what to do with it. One that moved on meanwhile is read again.
async fn renew(app: &App, caller: &AgentCaller, row: Option<Row<JobRun>>, run: HeldRun) -> Result<RunOrder> {
    let Some(row) = row else { return Ok(RunOrder { run, order: Order::Abandon }) };
    let mut known = Some(row);
    let attempt = || {
        let known = known.take();
        async {
            let row = match known {
                Some(row) => row,
                None => app.store.job_run(&caller.tenant, &run.job_id, &run.job_run_id).await?,
            };
            let order = order(caller, &row.value, run.attempt);
            if order != Order::Abandon {
                app.store.renew_lease(&row, &caller.agent.value).await?;
            }
            Ok(order)
        }
    };
    let order = match retry_races(attempt).await {
        // It was deleted meanwhile.
        Err(Error::NotFound) => Order::Abandon,
        order => order?,
    };
    Ok(RunOrder { run, order })
}
