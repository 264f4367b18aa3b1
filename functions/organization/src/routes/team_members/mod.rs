//! Who sits in a team.

pub(crate) mod add;
pub(crate) mod list;
pub(crate) mod remove;
pub(crate) mod set_roles;

use mainsheet_core::{Error, Result, TeamId, Timestamp};
use mainsheet_store::members::MemberRecord;

/// The member has a seat of their own in the team.
///
/// # Errors
/// [`Error::NotFound`] when they do not sit there; [`Error::Conflict`] when a role of the organization seats them.
fn require_seat(record: &MemberRecord, team: &TeamId, now: Timestamp) -> Result<()> {
    if record.seats.contains_key(team) {
        return Ok(());
    }
    if record.is_in_all_teams(now) {
        let message = "The member sits in every team by a role of the organization. Change that role instead.";
        return Err(Error::conflict("automatic_seat", message));
    }
    Err(Error::NotFound)
}
