//! A member left the organization: the teams that they sat in count one less. What they could reach ended with their membership.

use mainsheet_core::{MemberId, Result, TeamId};
use mainsheet_store::{Store, Tenant, retry_races};

use crate::audit;

pub(crate) async fn handle(store: &Store, tenant: &Tenant, member: &MemberId, teams: &[TeamId]) -> Result<()> {
    for team in teams {
        retry_races(|| give_up(store, tenant, member, team)).await?;
    }
    Ok(())
}

async fn give_up(store: &Store, tenant: &Tenant, member: &MemberId, team: &TeamId) -> Result<()> {
    let (found, seat) = store.team_and_seat(tenant, team, member).await?;
    let Some(seat) = seat else { return Ok(()) };
    let change = store.change(audit(tenant, "team_member.remove", member));
    change.give_up_seat(tenant, &seat, found.map(|row| row.value.id).as_ref()).commit().await
}
