//! A team was deleted: its seats go, and with them what they permitted.

use mainsheet_core::{Error, MemberId, Result, TeamId};
use mainsheet_store::members::MemberRecord;
use mainsheet_store::teams::Seat;
use mainsheet_store::{Row, Store, Tenant, retry_races};

use crate::audit;

/// Seats that are read at once.
const AT_ONCE: u32 = 50;

pub(crate) async fn handle(store: &Store, tenant: &Tenant, team: &TeamId) -> Result<()> {
    loop {
        let seats = store.seats(tenant, team, AT_ONCE).await?;
        if seats.is_empty() {
            return Ok(());
        }
        for seat in &seats {
            retry_races(|| vacate(store, tenant, team, seat)).await?;
        }
    }
}

async fn vacate(store: &Store, tenant: &Tenant, team: &TeamId, seat: &Row<Seat>) -> Result<()> {
    let member: &MemberId = &seat.value.member_id;
    let change = store.change(audit(tenant, "team_member.remove", member));
    let change = match store.member(tenant, member).await {
        Ok(row) => {
            let mut record: MemberRecord = row.value.clone();
            record.seats.remove(team);
            change.change_membership(tenant, &row, &record)
        }
        Err(Error::NotFound) => change,
        Err(error) => return Err(error),
    };
    match change.give_up_seat(tenant, seat, None).commit().await {
        // The member gave it up at the same moment, or left.
        Err(Error::Conflict { .. }) if store.team_and_seat(tenant, team, member).await?.1.is_none() => Ok(()),
        done => done,
    }
}
