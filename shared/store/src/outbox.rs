//! Events that other systems must hear of. They are written in the transaction of the change that they tell of; the
//! table's stream carries them to the relay. What the relay gave up is found again by the time when it was made.

use std::iter::successors;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::try_join_all;
use mainsheet_core::operation::OperationKind;
use mainsheet_core::{
    ClusterId, Error, EventId, InvitationId, JobId, JobRunId, LoginCodeId, MemberId, OperationId, OrganizationId,
    Result, SignUpId, TeamId, Timestamp, UserId,
};
use serde::{Deserialize, Serialize};

use crate::audit::{Origin, Scope};
use crate::key::shard_of;
use crate::{Change, Entity, Item, Key, Listing, Row, Store, Tenant};

/// How long an event is kept, and that a part of it was done: longer than the 14 days that queues keep what was set aside, which is set
/// aside up to a day after its event was made, so that it can come again.
pub const KEPT: Duration = Duration::from_secs(16 * 24 * 3600);
/// How many partitions the events of an hour are spread over. One takes 1,000 writes a second, and an event is two.
const SHARDS: u8 = 8;
const HOUR: Duration = Duration::from_secs(3600);
/// Beside an event: when it was carried once more.
const CARRIED_AGAIN_AT: &str = "carried_again_at";

/// Something that other systems must hear of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type", rename_all_fields = "camelCase")]
pub enum Event {
    /// A person has to be written to.
    MailRequested {
        /// What to write.
        mail: Mail,
    },
    /// A run was created, or is to be tried again: it may be ready.
    JobRunPending {
        /// Its job.
        job_id: JobId,
        /// The run.
        job_run_id: JobRunId,
    },
    /// A run succeeded, or ended to make room for another one: others may have waited for that.
    JobRunEnded {
        /// Its job.
        job_id: JobId,
        /// The run.
        job_run_id: JobRunId,
    },
    /// A job has another key: others may have waited for the job with that key.
    JobRenamed {
        /// The job.
        job_id: JobId,
    },
    /// A job was deleted: its runs and versions are to go.
    JobDeleted {
        /// The job.
        job_id: JobId,
    },
    /// A run was deleted: its log is to go.
    JobRunDeleted {
        /// The run.
        job_run_id: JobRunId,
    },
    /// A self-registered cluster came into being.
    ClusterRegistered {
        /// The cluster.
        cluster_id: ClusterId,
        /// Where it is.
        region: String,
    },
    /// Somebody did something by the role Emergency: all Owners are to hear of it.
    EmergencyUsed {
        /// Who.
        member_id: MemberId,
        /// What, as `<resource>.<verb>`.
        action: String,
        /// To which thing.
        target: String,
    },
    /// A member left the organization: the seats they had are to be given up.
    MemberRemoved {
        /// Who they were.
        member_id: MemberId,
        /// Where they sat.
        team_ids: Vec<TeamId>,
    },
    /// A team was deleted: its seats are to go.
    TeamDeleted {
        /// The team.
        team_id: TeamId,
    },
    /// A user was deleted: what is left of their account is to go.
    UserDeleted {
        /// The user.
        user_id: UserId,
    },
    /// A cluster is no more.
    ClusterRetired {
        /// The cluster.
        cluster_id: ClusterId,
    },
    /// An operation was started: its workflow is to begin, as an execution that has the operation's id for its name.
    OperationStarted {
        /// The operation.
        operation_id: OperationId,
        /// What it does, and so which workflow it is.
        kind: OperationKind,
    },
}

/// The code of a change that was made before for the same event.
pub const HANDLED_BEFORE: &str = "handled_before";

/// What to write to a person. Links are made when the mail is written, so that no token lies in a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "template", rename_all_fields = "camelCase")]
pub enum Mail {
    /// Confirm that this address is yours.
    VerifyEmail {
        /// The person.
        user_id: UserId,
        /// Their address.
        email: String,
        /// The sign-up that asked for it, when it was not the first one with this address.
        sign_up_id: Option<SignUpId>,
    },
    /// Somebody signed up with this address, which has an account.
    AlreadyRegistered {
        /// The address.
        email: String,
    },
    /// Several people signed up with this address, which nobody confirmed, and the owner asked for the link again.
    SignUpAgain {
        /// The address.
        email: String,
    },
    /// An organization asks the person with this address to join.
    Invitation {
        /// The invitation; the token in the mail names it.
        invitation_id: InvitationId,
        /// The organization.
        organization_id: OrganizationId,
        /// The address.
        email: String,
        /// The organization's name, for people.
        organization_name: String,
        /// Who invites, for people.
        invited_by: String,
    },
    /// Somebody acts by the role Emergency; for each Owner.
    EmergencyUsed {
        /// The Owner's address.
        email: String,
        /// The organization's name, for people.
        organization_name: String,
        /// Who acts, for people.
        member_name: String,
        /// What, as `<resource>.<verb>`.
        action: String,
        /// To which thing.
        target: String,
        /// When.
        at: Timestamp,
    },
    /// The code that somebody signs in with.
    LoginCode {
        /// The code's id; the code itself is derived from it.
        login_code_id: LoginCodeId,
        /// The address.
        email: String,
    },
    /// The link that sets a new password.
    ResetPassword {
        /// The person.
        user_id: UserId,
        /// The address.
        email: String,
        /// What the link is bound to, so that it is good for one new password.
        seal: String,
    },
    /// Somebody signed in from a device that was not known.
    NewDevice {
        /// The address.
        email: String,
        /// When the login began.
        at: Timestamp,
        /// Where from.
        origin: Origin,
    },
    /// One more address signs in to the account.
    AddressAdded {
        /// The primary address.
        email: String,
        /// The other one.
        added: String,
        /// When it was confirmed.
        at: Timestamp,
        /// Where from.
        origin: Origin,
    },
    /// An authenticator was set up.
    MfaSetUp {
        /// The address.
        email: String,
        /// When.
        at: Timestamp,
        /// Where from.
        origin: Origin,
    },
    /// The second factor was taken away.
    MfaReset {
        /// The address.
        email: String,
        /// When.
        at: Timestamp,
        /// Where from.
        origin: Origin,
    },
    /// The organization that manages the account set a temporary password.
    PasswordSetByOrganization {
        /// The address.
        email: String,
        /// When.
        at: Timestamp,
        /// Where from.
        origin: Origin,
    },
    /// The password was set anew.
    PasswordChanged {
        /// The address.
        email: String,
        /// When.
        at: Timestamp,
        /// Where from.
        origin: Origin,
    },
}

/// An event as it is kept and carried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutboxEvent {
    /// Its id; consumers see an event more than once.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// Whose it is; absent for what concerns a user alone.
    pub organization_id: Option<OrganizationId>,
    /// What happened.
    pub event: Event,
}

impl Entity for OutboxEvent {
    const KIND: &'static str = "outbox";

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.at + KEPT)
    }
}

/// A part of what an event asks for has been done.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Handled {
    expires_at: Timestamp,
}

impl Entity for Handled {
    const KIND: &'static str = "handled";

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

impl Change<'_> {
    /// Does a part of what an event asks for once, however often the event comes: the second change is refused with the
    /// conflict `handled_before`.
    pub fn once(self, tenant: &Tenant, event: &EventId, part: usize) -> Self {
        let key = Key::of_tenant(tenant, "HANDLED", format!("{event}#{part}"));
        let expires_at = self.now() + KEPT;
        self.create(&key, &Handled { expires_at }, Error::conflict(HANDLED_BEFORE, "The event was acted on before."))
    }
}

impl OutboxEvent {
    pub(crate) fn new(scope: &Scope, event: Event, now: Timestamp) -> (Key, Self) {
        let id = EventId::generate(now);
        let organization_id = match scope {
            Scope::Tenant(tenant) => Some(tenant.organization_id().clone()),
            Scope::User(_) | Scope::Platform => None,
        };
        let key = Key::global(partition(&hour_of(now), shard_of(id.as_str(), SHARDS)), id.as_str());
        (key, Self { id, at: now, organization_id, event })
    }

    /// Reads the new image of a stream record; `None` when the row is of another kind.
    ///
    /// # Errors
    /// [`Error::Internal`] when it is an event that cannot be read.
    pub fn of_stream_image(image: impl Into<Item>) -> Result<Option<Self>> {
        let image = image.into();
        let kind = image.get(crate::row::KIND).and_then(|kind| kind.as_s().ok());
        if kind.map(String::as_str) != Some(Self::KIND) {
            return Ok(None);
        }
        Row::<Self>::of_item(image).map(|row| Some(row.value))
    }

    /// The organization that the event was written in: it came out of the table.
    ///
    /// # Errors
    /// [`Error::Internal`] when the event concerns a user alone.
    pub fn tenant(&self) -> Result<Tenant> {
        let organization_id = self.organization_id.clone();
        organization_id
            .map(Tenant::proven)
            .ok_or_else(|| Error::internal(format!("event {} has no organization", self.id)))
    }
}

impl Store {
    /// The events of a time that were not carried again since, in the order in which they were made; an error in place of one that
    /// cannot be read. One query for each hour and shard, and one more for each megabyte.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn events_to_carry_again(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Result<Row<OutboxEvent>>>> {
        let now = self.now();
        let (from, to) = (from.max(now - KEPT), to.min(now));
        if from > to {
            return Ok(Vec::new());
        }
        let (first, last) = (EventId::floor(from), EventId::floor(to + Duration::from_millis(1)));
        let mut found = Vec::new();
        for hour in hours(from, to) {
            let shards = (0..SHARDS).map(|shard| self.events_of(partition(&hour, shard), &first, &last));
            found.extend(try_join_all(shards).await?.into_iter().flatten());
        }
        found.sort_by_cached_key(|item| Key::of_item(item).map(|key| key.sk));
        Ok(found.into_iter().map(Row::of_item).collect())
    }

    /// Events of a partition that were not carried again, as they stand in the table.
    async fn events_of(&self, partition: String, first: &EventId, last: &EventId) -> Result<Vec<Item>> {
        let listing = Listing::of(partition).between(first.to_string(), last.to_string());
        let mut items = Vec::new();
        self.each_item(&listing, |item| {
            if !item.contains_key(CARRIED_AGAIN_AT) {
                items.push(item);
            }
            Ok(())
        })
        .await?;
        Ok(items)
    }

    /// Notes that an event was carried again, so that it is not once more.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is gone by now.
    pub async fn note_carried_again(&self, event: &Row<OutboxEvent>) -> Result<()> {
        let now = AttributeValue::S(self.now().to_string());
        let sets = Item::from([(CARRIED_AGAIN_AT.to_owned(), now)]);
        self.telemetry().annotate(&event.key, sets, &[], Error::NotFound).commit().await
    }
}

/// Where events of an hour are. It is the platform's, and no tenant's: whose an event is, the event says.
fn partition(hour: &str, shard: u8) -> String {
    format!("OUTBOX#{shard}#{hour}")
}

/// An hour as partitions name it: `2026-11-21T08`.
fn hour_of(moment: Timestamp) -> String {
    moment.to_string().chars().take(13).collect()
}

/// The hours that a time touches.
fn hours(from: Timestamp, to: Timestamp) -> impl Iterator<Item = String> {
    let whole_hours = from.as_second().unsigned_abs() / HOUR.as_secs() * HOUR.as_secs();
    let beginning = Timestamp::from_millisecond(0) + Duration::from_secs(whole_hours);
    successors(Some(beginning), |hour| Some(*hour + HOUR)).take_while(move |hour| *hour <= to).map(hour_of)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours_between(from: &str, to: &str) -> Vec<String> {
        hours(from.parse().unwrap(), to.parse().unwrap()).collect()
    }

    #[test]
    fn a_time_touches_each_hour_that_it_has_a_moment_of() {
        let within = hours_between("2026-11-21T08:00:00.000Z", "2026-11-21T08:59:59.999Z");
        assert_eq!(within, ["2026-11-21T08"]);
        let over_the_hour = hours_between("2026-11-21T08:59:59.900Z", "2026-11-21T09:00:00.100Z");
        assert_eq!(over_the_hour, ["2026-11-21T08", "2026-11-21T09"]);
        let over_midnight = hours_between("2026-11-21T22:59:59.999Z", "2026-11-22T00:00:00.000Z");
        assert_eq!(over_midnight, ["2026-11-21T22", "2026-11-21T23", "2026-11-22T00"]);
    }
}
