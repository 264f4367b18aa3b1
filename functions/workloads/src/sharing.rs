//! Teams that jobs and saved queries are shared with.

use std::collections::BTreeMap;

use garde::Validate;
use mainsheet_api::{App, Result};
use mainsheet_auth::Caller;
use mainsheet_core::job::{MAX_TEAMS, Shared};
use mainsheet_core::{Error, TeamId};
use mainsheet_store::Change;
use serde::Deserialize;
use utoipa::ToSchema;

/// Some teams.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TeamIdsWrite {
    /// Their ids. Teams that are there already stay as they are.
    #[garde(length(min = 1, max = 50))]
    #[schema(min_items = 1, max_items = 50)]
    pub(crate) team_ids: Vec<TeamId>,
}

/// Adds teams; those that are there stay as they are. Answers the ones that are new.
pub(crate) fn add_teams(
    teams: &mut Vec<TeamId>,
    shared: &mut BTreeMap<TeamId, Shared>,
    named: &[TeamId],
    since: &Shared,
) -> Result<Vec<TeamId>> {
    let before = teams.len();
    for team in named {
        if !teams.contains(team) {
            teams.push(team.clone());
            shared.insert(team.clone(), since.clone());
        }
    }
    if teams.len() > MAX_TEAMS {
        return Err(Error::invalid("teamIds", "would make it more than 50 teams").into());
    }
    Ok(teams[before..].to_vec())
}

/// Takes a team out: 404 when it is not there, 409 when no other one is left.
pub(crate) async fn remove_team(
    app: &App,
    caller: &Caller,
    (teams, shared): (&mut Vec<TeamId>, &mut BTreeMap<TeamId, Shared>),
    team: &TeamId,
) -> Result<()> {
    if !teams.contains(team) {
        return Err(Error::NotFound.into());
    }
    teams.retain(|shared| shared != team);
    shared.remove(team);
    require_team_left(app, caller, teams).await?;
    Ok(())
}

/// One of the teams that something stays shared with has to be there: those that were deleted since are none.
pub(crate) async fn require_team_left(app: &App, caller: &Caller, teams: &[TeamId]) -> mainsheet_core::Result<()> {
    if !app.store.teams_named(caller.tenant(), teams).await?.is_empty() {
        return Ok(());
    }
    let message = "It would be shared with no team any more. Share it with another one first, or delete it.";
    Err(Error::conflict("last_team", message))
}

/// Teams that are added have to be there; the answer names the place where the request names them.
pub(crate) fn require_added<'s>(change: Change<'s>, caller: &Caller, named: &[TeamId], added: &[TeamId]) -> Change<'s> {
    added.iter().fold(change, |change, team| change.require_team(caller.tenant(), team, &place_of(named, team)))
}

/// Where a request names a team first.
pub(crate) fn place_of(named: &[TeamId], team: &TeamId) -> String {
    let index = named.iter().position(|name| name == team).unwrap_or_default();
    format!("teamIds[{index}]")
}
