//! The first proof that an account's primary address is its owner's.
//!
//! Until then nobody knows who had the account: anybody may sign up with a stranger's address, an organization may make an account for
//! it, and an identity provider may claim it. So what is in the account by then goes: whoever reads the mails begins anew.

use mainsheet_core::user::NormalizedEmail;
use mainsheet_core::{Result, Timestamp};

use crate::emails::{MAX_EMAILS, UserEmail};
use crate::sign_in::AtTheDoor;
use crate::users::{Access, Credentials, email_key};
use crate::{Change, PageRequest, Row, Store};

/// An account whose primary address nobody has proved to be theirs.
#[derive(Debug, Clone)]
pub struct Unproven {
    person: AtTheDoor,
    other_emails: Vec<Row<UserEmail>>,
}

impl Unproven {
    /// What its owner may reach once they proved it at `now`: every login that began before has ended.
    #[must_use]
    pub fn proven_at(&self, now: Timestamp) -> Access {
        Access {
            email_verified_at: Some(now),
            contested_until: None,
            awaited_password: None,
            ..self.person.access.value.clone().without_logins()
        }
    }

    /// How many writes [`Change::prove_primary_email`] takes.
    #[must_use]
    pub fn writes(&self) -> usize {
        let claims = self.other_emails.iter().filter(|row| row.value.verified_at.is_some()).count();
        4 + self.other_emails.len() + claims
    }

    /// The password that whoever signed up chose, if it is that one still: the link that was mailed to them confirms it.
    #[must_use]
    pub fn chosen_credentials(&self) -> Credentials {
        let present = &self.person.credentials.value;
        match &self.person.access.value.awaited_password {
            Some(chosen) if *chosen == present.seal() => present.clone(),
            _ => Credentials::none(),
        }
    }
}

impl Store {
    /// The account of the person at the door, where they prove `email` and with that its primary address for the first time: one query
    /// then. Another address of theirs proves nothing of the account.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn unproven(&self, person: &AtTheDoor, email: &NormalizedEmail) -> Result<Option<Unproven>> {
        let user = &person.user.value;
        if person.access.value.email_verified_at.is_some() || !user.has_primary_email(email) {
            return Ok(None);
        }
        let all = PageRequest { limit: MAX_EMAILS, ..PageRequest::default() };
        let emails = self.user_emails(&user.id, &all).await?.rows;
        let is_other = |row: &Row<UserEmail>| !user.has_primary_email(&NormalizedEmail::of(&row.value.email));
        Ok(Some(Unproven { person: person.clone(), other_emails: emails.into_iter().filter(is_other).collect() }))
    }
}

impl Change<'_> {
    /// The primary address is proved to be its owner's for the first time. `access` is [`Unproven::proven_at`] or stricter, and
    /// `credentials` are what proves who they are from now on; the second factor and all other addresses go.
    pub fn prove_primary_email(self, account: &Unproven, access: &Access, credentials: &Credentials) -> Self {
        let Unproven { person, other_emails } = account;
        let change = self
            .replace_access(&person.access, access)
            .change_credentials(&person.credentials, credentials)
            .confirm_primary_email(&person.user.value)
            .wipe_second_factors(&person.user.value.id);
        other_emails.iter().fold(change, |change, row| match row.value.verified_at {
            // One that nobody confirmed may be somebody else's.
            None => change.delete(row),
            Some(_) => change.delete(row).remove(&email_key(&NormalizedEmail::of(&row.value.email))),
        })
    }
}
