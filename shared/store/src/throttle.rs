//! How often signing in was tried and failed, by account and by network address.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_dynamodb::types::AttributeValue;
use mainsheet_core::user::NormalizedEmail;
use mainsheet_core::{Error, Result, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::change::{Due, changed_meanwhile, update_of};
use crate::row::{DATA, attribute};
use crate::{Change, Entity, Item, Key, Row, Store, retry_races};

/// Failures after which every further one doubles the wait, beginning with a second.
const FREE_FAILURES: i64 = 3;
/// Failures that lock signing in.
const LOCKING_FAILURES: i64 = 10;
/// How long it is locked.
const LOCKED: Duration = Duration::from_secs(15 * 60);
/// Beside the count: when a try with an address that has no account failed last.
const FAILED_AT: &str = "failed_at";
/// How long failures are remembered.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);

/// What failures are counted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ThrottleKey {
    /// An account, existing or not.
    Account(NormalizedEmail),
    /// A network address. Many people may share one, so its counts weigh a tenth.
    Address(String),
    /// Mails that anybody can ask for, to one address.
    Mail(NormalizedEmail),
    /// A person's second factor.
    SecondFactor(UserId),
    /// Sign-ups from a network address. They weigh a tenth, too.
    SignUp(String),
}

impl ThrottleKey {
    pub(crate) fn key(&self) -> Key {
        let (scope, text) = match self {
            Self::Account(email) => ("ACCOUNT", email.as_str()),
            Self::Address(address) => ("ADDRESS", address.as_str()),
            Self::Mail(email) => ("MAIL", email.as_str()),
            Self::SecondFactor(user) => ("SECOND_FACTOR", user.as_str()),
            Self::SignUp(address) => ("SIGN_UP", address.as_str()),
        };
        Key::global(format!("THROTTLE#{scope}#{}", hex::encode(digest(&SHA256, text.as_bytes()).as_ref())), "THROTTLE")
    }

    fn weight(&self) -> i64 {
        if self.is_shared() { 1 } else { 10 }
    }

    /// Whether many people may stand behind it.
    fn is_shared(&self) -> bool {
        matches!(self, Self::Address(_) | Self::SignUp(_))
    }
}

/// Failures so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Throttle {
    /// Weighted failures. What is given back after the count began anew makes it negative, which is none.
    failures: i64,
    /// No sooner than this is the next try looked at.
    blocked_until: Timestamp,
    /// When the count begins anew.
    forgotten_at: Timestamp,
}

impl Entity for Throttle {
    const KIND: &'static str = "throttle";

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.forgotten_at)
    }
}

impl Throttle {
    /// How long to wait before the next try is looked at; `None` when it may be made now.
    #[must_use]
    pub fn wait(&self, now: Timestamp) -> Option<Duration> {
        (self.blocked_until > now).then(|| self.blocked_until.since(now))
    }

    fn after_failure(earlier: Option<&Self>, weight: i64, now: Timestamp) -> Self {
        let earlier = earlier.filter(|throttle| throttle.forgotten_at > now);
        let before = earlier.map_or(0, |throttle| throttle.failures.max(0));
        let failures = before.saturating_add(weight);
        let count = failures / 10;
        let delay = match count {
            count if count >= LOCKING_FAILURES => LOCKED,
            count if count > FREE_FAILURES && count > before / 10 => {
                Duration::from_secs(1 << (count - FREE_FAILURES - 1))
            }
            _ => Duration::ZERO,
        };
        Self { failures, blocked_until: now + delay, forgotten_at: now + REMEMBERED.max(delay) }
    }

    /// A lock has done its work: the next try is the first of a new count.
    fn is_served(&self, now: Timestamp) -> bool {
        self.failures / 10 >= LOCKING_FAILURES && self.blocked_until <= now
    }
}

impl Store {
    /// Counts a try for each key, before it is looked at: tries that are made all at once would all be looked at otherwise.
    /// Whoever turns out to be right is forgiven ([`Change::forgive`]). `found` is what was read for the keys, in their order.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`] when the try has to wait.
    pub async fn count_try(&self, keys: &[ThrottleKey], found: Vec<Option<Row<Throttle>>>) -> Result<()> {
        let mut known = Some(found);
        let attempt = || {
            let known = known.take();
            async move {
                let found = match known {
                    Some(found) => found,
                    None => self.throttles(keys).await?,
                };
                let waits = found.iter().flatten().filter_map(|throttle| throttle.value.wait(self.now()));
                if let Some(retry_after) = waits.max() {
                    return Err(Error::TooManyRequests { retry_after });
                }
                let tries = keys.iter().zip(&found);
                tries
                    .fold(self.telemetry(), |change, (key, earlier)| change.count_failure(key, earlier.as_ref()))
                    .commit()
                    .await
            }
        };
        match retry_races(attempt).await {
            Err(Error::Conflict { .. }) => Err(Error::TooManyRequests { retry_after: Duration::from_secs(1) }),
            counted => counted,
        }
    }

    /// A try failed that nobody's trail can tell of, because nobody has the account: it is noted beside what counted it, so that it
    /// costs a transaction as well.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn note_nobodys_failure(&self, keys: &[ThrottleKey]) -> Result<()> {
        let change = self.telemetry();
        let at = AttributeValue::S(change.now().to_string());
        let noted = keys.iter().fold(change, |change, key| {
            change.annotate(&key.key(), Item::from([(FAILED_AT.to_owned(), at.clone())]), &[], changed_meanwhile())
        });
        match noted.commit().await {
            // Somebody signed in from the same place meanwhile, which forgets failures.
            Err(Error::Conflict { .. }) => Ok(()),
            noted => noted,
        }
    }

    /// The throttles of these keys, in their order: one round trip.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn throttles(&self, keys: &[ThrottleKey]) -> Result<Vec<Option<Row<Throttle>>>> {
        let keys: Vec<Key> = keys.iter().map(ThrottleKey::key).collect();
        let mut batch = self.get_batch(keys.clone()).await?;
        keys.iter().map(|key| batch.take(key)).collect()
    }

    /// Counts a failure for each key: one transaction. `found` is what was read for the keys, in their order.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn count_failures(&self, keys: &[ThrottleKey], found: &[Option<Row<Throttle>>]) -> Result<()> {
        let together = keys
            .iter()
            .zip(found)
            .fold(self.telemetry(), |change, (key, earlier)| change.count_failure(key, earlier.as_ref()));
        match together.commit().await {
            Err(Error::Conflict { .. }) => {}
            counted => return counted,
        }
        // Others fail at the same moment. Tries that are made all at once must not count as one.
        for key in keys {
            match retry_races(|| self.count_late(key)).await {
                // Every lost race is a failure that somebody else counted: after a dozen, signing in is locked.
                Err(Error::Conflict { .. }) => {}
                counted => counted?,
            }
        }
        Ok(())
    }

    async fn count_late(&self, key: &ThrottleKey) -> Result<()> {
        let earlier = self.get(&key.key()).await?;
        self.telemetry().count_failure(key, earlier.as_ref()).commit().await
    }
}

impl Change<'_> {
    /// Counts a failure; a conflict when another one is counted at the same moment.
    pub fn count_failure(self, key: &ThrottleKey, earlier: Option<&Row<Throttle>>) -> Self {
        let now = self.now();
        let relevant = earlier.map(|row| &row.value).filter(|throttle| !throttle.is_served(now));
        let throttle = Throttle::after_failure(relevant, key.weight(), now);
        match earlier {
            Some(row) => self.replace(row, &throttle, Due::Keep),
            None => self.create(&key.key(), &throttle, changed_meanwhile()),
        }
    }

    /// A try that was counted was right: what counts for one person is forgotten, and what counts for many is given back.
    pub fn forgive(self, keys: &[ThrottleKey]) -> Self {
        keys.iter()
            .fold(self, |change, key| if key.is_shared() { change.give_back(key) } else { change.remove(&key.key()) })
    }

    fn give_back(self, key: &ThrottleKey) -> Self {
        let weight = match attribute(&key.weight()) {
            Ok(weight) => weight,
            Err(error) => return self.with_defect(error),
        };
        let update = update_of(&key.key(), Vec::new(), &[], &[("version", 1)])
            .update_expression("SET #data.#failures = #data.#failures - :weight ADD #a0 :a0")
            .expression_attribute_names("#data", DATA)
            .expression_attribute_names("#failures", "failures")
            .expression_attribute_values(":weight", weight);
        self.update(update, changed_meanwhile())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_and_the_tenth_failure_locks_for_fifteen_minutes() {
        let now = Timestamp::from_millisecond(1_000_000);
        let mut throttle = None;
        let mut waits = Vec::new();
        for _ in 0..10 {
            let next = Throttle::after_failure(throttle.as_ref(), 10, now);
            waits.push(next.wait(now).map_or(0, |wait| wait.as_secs()));
            throttle = Some(next);
        }
        assert_eq!(waits, [0, 0, 0, 1, 2, 4, 8, 16, 32, 900]);
        let locked = throttle.unwrap();
        assert!(!locked.is_served(now));
        assert!(locked.is_served(now + LOCKED));
    }

    #[test]
    fn an_address_shared_by_many_weighs_a_tenth() {
        let now = Timestamp::from_millisecond(1_000_000);
        let mut throttle = None;
        for _ in 0..39 {
            throttle = Some(Throttle::after_failure(throttle.as_ref(), 1, now));
        }
        assert_eq!(throttle.as_ref().and_then(|throttle| throttle.wait(now)), None);
        let next = Throttle::after_failure(throttle.as_ref(), 1, now);
        assert_eq!(next.wait(now), Some(Duration::from_secs(1)));
    }
}
