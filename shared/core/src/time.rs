//! Moments as the contract writes them, and the one source of the present.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment in UTC, to the millisecond; on the wire RFC 3339, always 24 characters (`2026-11-21T08:30:00.000Z`), so that
/// texts sort as moments do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, format = DateTime, examples("2026-11-21T08:30:00.000Z"))]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// The present by the system's clock. Everything but [`Clock::system`] asks a [`Clock`] instead.
    #[allow(clippy::disallowed_methods, reason = "the one place that asks the machine")]
    fn system_now() -> Self {
        Self::from_jiff(jiff::Timestamp::now())
    }

    /// The moment so many milliseconds after the Unix epoch; out-of-range values saturate.
    #[must_use]
    pub fn from_millisecond(milliseconds: i64) -> Self {
        let clamped = milliseconds.clamp(0, jiff::Timestamp::MAX.as_millisecond());
        Self(jiff::Timestamp::from_millisecond(clamped).unwrap_or(jiff::Timestamp::MAX))
    }

    /// Cuts a jiff timestamp to the millisecond.
    #[must_use]
    pub fn from_jiff(moment: jiff::Timestamp) -> Self {
        Self::from_millisecond(moment.as_millisecond())
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn as_millisecond(self) -> i64 {
        self.0.as_millisecond()
    }

    /// Whole seconds since the Unix epoch, as JWTs (RFC 7519, NumericDate) and DynamoDB's time to live want them.
    #[must_use]
    pub fn as_second(self) -> i64 {
        self.0.as_second()
    }

    /// This moment for calendar arithmetic.
    #[must_use]
    pub fn to_jiff(self) -> jiff::Timestamp {
        self.0
    }

    /// The time from `earlier` to this moment; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.as_millisecond().saturating_sub(earlier.as_millisecond()).max(0).unsigned_abs())
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let milliseconds = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_millisecond(self.as_millisecond().saturating_add(milliseconds))
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        let milliseconds = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_millisecond(self.as_millisecond().saturating_sub(milliseconds))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.3}", self.0)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        text.parse().map(Self::from_jiff)
    }
}

impl TryFrom<String> for Timestamp {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, jiff::Error> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(moment: Timestamp) -> Self {
        moment.to_string()
    }
}

/// Where the present comes from. Cheap to clone; clones of a settable clock move together.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(Timestamp::system_now))
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Clock({})", self.now())
    }
}

/// The machine's clock moved ahead by an adjustable offset: the embedded platform's.
#[derive(Clone, Debug, Default)]
pub struct OffsetClock(Arc<AtomicI64>);

impl OffsetClock {
    /// A clock ahead of the machine's by `offset`.
    #[must_use]
    pub fn new(offset: Duration) -> Self {
        let clock = Self::default();
        clock.advance(offset);
        clock
    }

    /// Moves the clock ahead.
    pub fn advance(&self, duration: Duration) {
        self.0.fetch_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// How far it is ahead of the machine's clock.
    #[must_use]
    pub fn offset(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst).unsigned_abs())
    }

    /// The clock to hand out.
    #[must_use]
    pub fn clock(&self) -> Clock {
        let this = self.clone();
        Clock(Arc::new(move || Timestamp::system_now() + this.offset()))
    }
}

/// A clock that stands still until it is told otherwise: the tests'.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(start.as_millisecond())))
    }

    /// Moves the clock ahead.
    pub fn advance(&self, duration: Duration) {
        self.0.fetch_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// The clock to hand out.
    #[must_use]
    pub fn clock(&self) -> Clock {
        let this = self.clone();
        Clock(Arc::new(move || Timestamp::from_millisecond(this.0.load(Ordering::SeqCst))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_milliseconds_and_sort_as_text() -> Result<(), jiff::Error> {
        let moment: Timestamp = "2026-11-21T08:30:00+01:00".parse()?;
        assert_eq!(moment.to_string(), "2026-11-21T07:30:00.000Z");
        let later = moment + Duration::from_millis(1);
        assert!(later.to_string() > moment.to_string());
        assert_eq!(later.since(moment), Duration::from_millis(1));
        assert_eq!(moment.since(later), Duration::ZERO);
        Ok(())
    }
}
