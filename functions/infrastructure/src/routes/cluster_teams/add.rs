//! `POST /workloads/clusters/{cluster}/teams`: let teams run work on a cluster.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Command, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageClusters;
use mainsheet_core::cluster::{Cluster, ClusterTeam, MAX_TEAMS};
use mainsheet_core::{ClusterId, Error, MemberId, TeamId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Some teams.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TeamIdsWrite {
    /// Their ids. Teams that are there already stay as they are.
    #[garde(length(min = 1, max = 50))]
    #[schema(min_items = 1, max_items = 50)]
    team_ids: Vec<TeamId>,
}

/// The links of the named teams.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClusterTeamList {
    items: Vec<ClusterTeamView>,
}

/// A team that may run work on a cluster.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ClusterTeam)]
pub(crate) struct ClusterTeamView {
    cluster_id: ClusterId,
    team_id: TeamId,
    created_at: Timestamp,
    created_by: MemberId,
    updated_at: Timestamp,
    updated_by: MemberId,
}

/// Share a cluster with teams
#[utoipa::path(
    post, path = "/workloads/clusters/{cluster}/teams", operation_id = "addClusterTeams", tag = "clusters",
    params(("cluster" = ClusterId, Path, description = "The cluster.")),
    request_body = TeamIdsWrite,
    responses((status = 201, description = "The links of the named teams.", body = ClusterTeamList)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageClusters")))
)]
pub(crate) async fn add(
    State(app): State<App>,
    caller: Permitted<CanManageClusters>,
    Path(id): Path<ClusterId>,
    Command { body, idempotent }: Command<TeamIdsWrite>,
) -> Result<(StatusCode, Json<ClusterTeamList>)> {
    let row = app.store.cluster(caller.tenant(), &id).await?;
    if idempotent.earlier::<ClusterId>()?.is_some() {
        return Ok((StatusCode::CREATED, Json(links(&row.value, &body.team_ids))));
    }
    let change = app.store.change(caller.audit("cluster.share", &id));
    let mut cluster = row.value.clone();
    let link = ClusterTeam { created_at: change.now(), created_by: caller.member_id().clone() };
    for team in &body.team_ids {
        cluster.teams.entry(team.clone()).or_insert_with(|| link.clone());
    }
    if cluster.teams.len() > MAX_TEAMS {
        return Err(Error::invalid("teamIds", "would make it more than 100 teams of this cluster").into());
    }
    cluster.updated_at = change.now();
    cluster.updated_by = caller.member_id().clone();
    change
        .require_teams(caller.tenant(), &body.team_ids)
        .replace_cluster(&row, &cluster)
        .idempotent(idempotent.request(), id.as_str())
        .commit()
        .await?;
    Ok((StatusCode::CREATED, Json(links(&cluster, &body.team_ids))))
}

fn links(cluster: &Cluster, teams: &[TeamId]) -> ClusterTeamList {
    let view = |(team, link): (&TeamId, &ClusterTeam)| ClusterTeamView {
        cluster_id: cluster.id.clone(),
        team_id: team.clone(),
        created_at: link.created_at,
        created_by: link.created_by.clone(),
        updated_at: link.created_at,
        updated_by: link.created_by.clone(),
    };
    ClusterTeamList { items: cluster.teams.iter().filter(|(team, _)| teams.contains(team)).map(view).collect() }
}
