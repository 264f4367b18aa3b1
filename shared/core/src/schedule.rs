//! Stand-in until the rules of time land.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;

use crate::{Error, Result, Timestamp};

/// A cron expression in a time zone.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
}

impl Schedule {
    /// Parses.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(expression: &str, zone: &str) -> Result<Self> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(expression).map_err(|error| Error::invalid("cronExpression", error.to_string()))?;
        let zone = TimeZone::get(zone).map_err(|error| Error::invalid("cronTimezone", error.to_string()))?;
        Ok(Self { cron, zone })
    }

    /// The next moment.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let zoned = after.to_jiff().to_zoned(self.zone.clone());
        self.cron.find_next_occurrence(&zoned, false).ok().map(|next| Timestamp::from_jiff(next.timestamp()))
    }
}
