//! The addresses of people. One of them is the primary one, which stands in their profile.

use mainsheet_core::user::{NormalizedEmail, User};
use mainsheet_core::{Result, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::change::{Due, changed_meanwhile};
use crate::users::{Access, EmailClaim, email_key, email_taken, profile_key};
use crate::{Change, Entity, Item, Key, Listing, Page, PageRequest, Row, Store};

/// The most addresses that a person may have.
pub const MAX_EMAILS: u32 = 20;

/// How the sort keys of addresses begin.
const EMAILS: &str = "EMAIL#";

/// An address that somebody says is theirs. It is, once it is verified: then nobody else can have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserEmail {
    /// Whose.
    pub user_id: UserId,
    /// The address, as they wrote it.
    pub email: String,
    /// Since when it is known to be theirs.
    pub verified_at: Option<Timestamp>,
    /// Since when they say so.
    pub created_at: Timestamp,
    /// When one of these last changed.
    pub updated_at: Timestamp,
}

impl Entity for UserEmail {
    const KIND: &'static str = "user_email";
}

impl UserEmail {
    /// The primary address of a user, which nobody confirmed yet.
    pub(crate) fn unconfirmed(user: &User, now: Timestamp) -> Self {
        let (user_id, email) = (user.id.clone(), user.email.clone());
        Self { user_id, email, verified_at: None, created_at: now, updated_at: now }
    }

    /// The address that a user begins with.
    pub(crate) fn first_of(user: &User, access: &Access) -> Self {
        Self {
            user_id: user.id.clone(),
            email: user.email.clone(),
            verified_at: access.email_verified_at,
            created_at: user.created_at,
            updated_at: user.created_at,
        }
    }
}

fn user_email_key(user: &UserId, email: &NormalizedEmail) -> Key {
    Key::of_user(user, format!("{EMAILS}{}", email.as_str()))
}

/// The claim of a row that is somebody's confirmed address.
pub(crate) fn claim_of_item(item: &Item) -> Option<Key> {
    let row = Row::<UserEmail>::of_item(item.clone()).ok()?;
    row.value.verified_at.map(|_| email_key(&NormalizedEmail::of(&row.value.email)))
}

impl Store {
    /// An address of a user.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn user_email(&self, user: &UserId, email: &NormalizedEmail) -> Result<Option<Row<UserEmail>>> {
        self.get(&user_email_key(user, email)).await
    }

    /// A user's profile, and one of their addresses: one round trip.
    ///
    /// # Errors
    /// [`mainsheet_core::Error::NotFound`] when there is no such user.
    pub async fn profile_and_email(
        &self,
        user: &UserId,
        email: &NormalizedEmail,
    ) -> Result<(Row<User>, Option<Row<UserEmail>>)> {
        let (profile_key, email_key) = (profile_key(user), user_email_key(user, email));
        let mut batch = self.get_batch([profile_key.clone(), email_key.clone()]).await?;
        let profile = batch.take(&profile_key)?.ok_or(mainsheet_core::Error::NotFound)?;
        Ok((profile, batch.take(&email_key)?))
    }

    /// A page of a user's addresses, in alphabetical order: one query.
    ///
    /// # Errors
    /// [`mainsheet_core::Error::Malformed`] for a bad marker.
    pub async fn user_emails(&self, user: &UserId, request: &PageRequest) -> Result<Page<Row<UserEmail>>> {
        self.page(&Listing::of(profile_key(user).pk).beginning_with(EMAILS), request).await
    }
}

impl Change<'_> {
    /// One more address of a user; nobody's claim to it is touched. Their access changes its version with it, so that addresses are
    /// added one after another, and none while all others are dropped.
    pub fn add_email(self, access: &Row<Access>, email: &UserEmail) -> Self {
        let key = user_email_key(&email.user_id, &NormalizedEmail::of(&email.email));
        self.create(&key, email, changed_meanwhile()).replace_access(access, &access.value)
    }

    /// An address of a user, whether it was there or not.
    pub(crate) fn overwrite_email(self, email: &UserEmail) -> Self {
        self.overwrite(&user_email_key(&email.user_id, &NormalizedEmail::of(&email.email)), email)
    }

    /// An address is a user's no more, and free for others.
    pub fn drop_email(self, user: &UserId, email: &NormalizedEmail) -> Self {
        self.remove(&email_key(email)).remove(&user_email_key(user, email))
    }

    /// The primary address of a user is known to be theirs.
    pub(crate) fn confirm_primary_email(self, user: &User) -> Self {
        let now = self.now();
        self.overwrite_email(&UserEmail {
            user_id: user.id.clone(),
            email: user.email.clone(),
            verified_at: Some(now),
            created_at: user.created_at,
            updated_at: now,
        })
    }

    /// Another address of a user is known to be theirs: nobody else can have it from now on.
    pub fn confirm_email(self, row: &Row<UserEmail>) -> Self {
        let now = self.now();
        let verified = UserEmail { verified_at: Some(now), updated_at: now, ..row.value.clone() };
        let claim = EmailClaim { user_id: row.value.user_id.clone() };
        let key = email_key(&NormalizedEmail::of(&row.value.email));
        self.create(&key, &claim, email_taken()).replace(row, &verified, Due::Keep)
    }
}
