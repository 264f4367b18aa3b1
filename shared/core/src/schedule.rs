//! When a cron expression is due in a time zone. The rules are written down in `infra/docs/schedules.md`.
//!
//! Which wall-clock times an expression means is croner's to say; which moments those are, on the days that a clock changes too,
//! is said here with the time zone database that is built in.

use std::fmt;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase, TimeZoneTransition};
use jiff::{SignedDuration, Timestamp as Instant};
use serde::{Deserialize, Serialize};

use crate::{FieldErrors, Timestamp};

/// Names for whole expressions, as crontab(5) has them. `@reboot` is none: there is nothing here that boots.
const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// A cron expression in a time zone, ready to tell when it is due.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    kind: Kind,
    zone: TimeZone,
}

/// What an expression follows where a clock changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Wall-clock times, each of which comes once: at the first moment at which the clock shows it or has gone past it.
    Times,
    /// Elapsed time: every moment whose wall-clock time fits, so that it goes on through a repeated hour.
    Interval,
}

/// A moment that a schedule is due at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    /// The moment.
    pub at: Timestamp,
    /// What the clock shows there.
    pub local: DateTime,
    /// How far that clock is ahead of UTC.
    pub offset: Offset,
    /// What a change of the clock has to do with it.
    pub clock_change: Option<ClockChange>,
}

/// What a change of the clock did to an occurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClockChange {
    /// The clock skips its time, or one that falls on the same moment: it is due once, when the clock has skipped it.
    Gap,
    /// The clock shows its time twice: it is due once, the first time.
    Overlap,
}

/// The fields of a cron expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CronField {
    /// 0 to 59.
    Minute,
    /// 0 to 23.
    Hour,
    /// 1 to 31, or `L`: the last.
    DayOfMonth,
    /// 1 to 12, or `JAN` to `DEC`.
    Month,
    /// 0 to 7 with Sunday at both ends, or `SUN` to `SAT`; `5#2` is the second Friday of a month, `5L` the last.
    DayOfWeek,
}

/// Why something is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Not five fields.
    #[error("needs five fields (minute, hour, day of month, month, day of week), and has {0}")]
    FieldCount(usize),
    /// A name that begins with `@`, and is none that is known.
    #[error("is none of @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly")]
    Nickname,
    /// A field that says nothing.
    #[error("has `{text}` for the {field}, which takes {}", field.takes())]
    Field {
        /// Which.
        field: CronField,
        /// What it says.
        text: String,
    },
    /// Each field is right, and no day fits all of them.
    #[error("is never due: no day of any year fits it")]
    NeverDue,
    /// No time zone.
    #[error("is no time zone of the IANA database")]
    TimeZone,
    /// A time zone in letters that the database does not write it with.
    #[error("is written `{0}` in the IANA database")]
    TimeZoneSpelling(String),
}

impl ScheduleError {
    /// The field of a job that is wrong.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self {
            Self::FieldCount(_) | Self::Nickname | Self::Field { .. } | Self::NeverDue => "cronExpression",
            Self::TimeZone | Self::TimeZoneSpelling(_) => "cronTimezone",
        }
    }
}

impl From<ScheduleError> for FieldErrors {
    fn from(error: ScheduleError) -> Self {
        Self::of(error.field(), error.to_string())
    }
}

impl Schedule {
    /// Reads an expression and the name of a time zone.
    ///
    /// # Errors
    /// What is wrong with either, and which it is.
    pub fn parse(expression: &str, zone: &str) -> Result<Self, ScheduleError> {
        let fields = fields(expression)?;
        let cron = parse_cron(&fields)?;
        let zone = time_zone(zone)?;
        // The calendar repeats itself every 400 years, so that it matters little where the search begins.
        let is_ever_due = cron.find_next_occurrence(&DateTime::constant(2000, 1, 1, 0, 0, 0, 0), true).is_ok();
        if !is_ever_due {
            return Err(ScheduleError::NeverDue);
        }
        let kind =
            if fields.minute.starts_with('*') || fields.hour.starts_with('*') { Kind::Interval } else { Kind::Times };
        Ok(Self { cron, kind, zone })
    }

    /// The first moment after `after` that it is due at. `None` when that would be after the year 5000.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        self.next(after.to_jiff()).map(Timestamp::from_jiff)
    }

    /// The moments from `from` on and before `until` that it is due at, in order. There can be one for every minute: take no
    /// more than are needed.
    pub fn between(&self, from: Timestamp, until: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        self.starting_at(from).take_while(move |moment| *moment < until)
    }

    /// The occurrences from `from` on, in order, with what the clock shows there. Take no more than are needed.
    pub fn occurrences(&self, from: Timestamp) -> impl Iterator<Item = Occurrence> + '_ {
        self.starting_at(from).map(|moment| self.occurrence(moment))
    }

    fn starting_at(&self, from: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        let just_before = from.to_jiff() - SignedDuration::from_millis(1);
        let first = self.next(just_before);
        std::iter::successors(first, |moment| self.next(*moment)).map(Timestamp::from_jiff)
    }

    fn next(&self, after: Instant) -> Option<Instant> {
        match self.kind {
            Kind::Times => self.next_time(after),
            Kind::Interval => self.next_of_interval(after),
        }
    }

    /// A time that the clock at `after` shows, or has gone past, was due by then; so the search begins after what it shows. Where
    /// the clock went back just before, it comes by times once more that were due already.
    fn next_time(&self, after: Instant) -> Option<Instant> {
        let mut shown = self.zone.to_datetime(after);
        loop {
            shown = self.next_fit(shown, Bound::Excluded)?;
            let moment = self.first_at_or_past(shown)?;
            if moment > after {
                return Some(moment);
            }
        }
    }

    /// From one change of the clock to the next, the wall clock is elapsed time and an offset.
    fn next_of_interval(&self, after: Instant) -> Option<Instant> {
        let (mut start, mut bound) = (after, Bound::Excluded);
        loop {
            let offset = self.zone.to_offset(start);
            let moment = offset.to_timestamp(self.next_fit(offset.to_datetime(start), bound)?).ok()?;
            match self.change_after(start) {
                Some(change) if moment >= change.timestamp() => (start, bound) = (change.timestamp(), Bound::Included),
                _ => return Some(moment),
            }
        }
    }

    /// The next wall-clock time that the expression means, by the calendar alone.
    fn next_fit(&self, shown: DateTime, bound: Bound) -> Option<DateTime> {
        self.cron.find_next_occurrence(&shown, bound == Bound::Included).ok()
    }

    /// The first moment at which the clock shows a time, or has gone past it.
    fn first_at_or_past(&self, shown: DateTime) -> Option<Instant> {
        match self.zone.to_ambiguous_timestamp(shown).offset() {
            AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
                offset.to_timestamp(shown).ok()
            }
            // By the clock that comes after the gap, its times lie before it.
            AmbiguousOffset::Gap { after, .. } => Some(self.change_after(after.to_timestamp(shown).ok()?)?.timestamp()),
        }
    }

    /// The next change of the clock. The database also has changes of the name or the law alone.
    fn change_after(&self, moment: Instant) -> Option<TimeZoneTransition<'_>> {
        let offset = self.zone.to_offset(moment);
        self.zone.following(moment).find(|change| change.offset() != offset)
    }

    /// What the clock shows at a moment that the schedule is due at, and whether a change of the clock has to do with that.
    #[must_use]
    pub fn occurrence(&self, at: Timestamp) -> Occurrence {
        let moment = at.to_jiff();
        let offset = self.zone.to_offset(moment);
        let local = offset.to_datetime(moment);
        let clock_change = match self.kind {
            Kind::Interval => None,
            Kind::Times if self.is_after_gap(moment) => Some(ClockChange::Gap),
            Kind::Times => match self.zone.to_ambiguous_timestamp(local).offset() {
                AmbiguousOffset::Fold { .. } => Some(ClockChange::Overlap),
                AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Gap { .. } => None,
            },
        };
        Occurrence { at, local, offset, clock_change }
    }

    /// Whether the clock skips a time of the expression at this moment.
    fn is_after_gap(&self, moment: Instant) -> bool {
        let before = self.zone.to_offset(moment - SignedDuration::from_millis(1));
        let (skipped_from, skipped_to) = (before.to_datetime(moment), self.zone.to_datetime(moment));
        skipped_from < skipped_to
            && self.next_fit(skipped_from, Bound::Included).is_some_and(|skipped| skipped < skipped_to)
    }
}

/// Whether a search may answer where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Included,
    Excluded,
}

/// The five fields of an expression, in capital letters.
struct Fields {
    minute: String,
    hour: String,
    day_of_month: String,
    month: String,
    day_of_week: String,
}

impl Fields {
    fn each(&self) -> [(CronField, &str); 5] {
        [
            (CronField::Minute, &self.minute),
            (CronField::Hour, &self.hour),
            (CronField::DayOfMonth, &self.day_of_month),
            (CronField::Month, &self.month),
            (CronField::DayOfWeek, &self.day_of_week),
        ]
    }
}

fn fields(expression: &str) -> Result<Fields, ScheduleError> {
    let expression = expression.trim();
    let nickname = NICKNAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(expression));
    let expression = match nickname {
        Some((_, meaning)) => meaning,
        None if expression.starts_with('@') => return Err(ScheduleError::Nickname),
        None => expression,
    };
    let fields: Vec<String> = expression.split_whitespace().map(str::to_ascii_uppercase).collect();
    let [minute, hour, day_of_month, month, day_of_week] =
        <[String; 5]>::try_from(fields).map_err(|fields| ScheduleError::FieldCount(fields.len()))?;
    Ok(Fields { minute, hour, day_of_month, month, day_of_week })
}

/// As crontab(5) has it, a day has to fit both of its fields when one of them begins with `*`, and either of them otherwise.
fn parse_cron(fields: &Fields) -> Result<Cron, ScheduleError> {
    let both = fields.day_of_month.starts_with('*') || fields.day_of_week.starts_with('*');
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).dom_and_dow(both).build();
    for (field, text) in fields.each() {
        let alone = field.alone(text);
        if !text.split(',').all(|item| field.has_item(item)) || parser.parse(&alone).is_err() {
            return Err(ScheduleError::Field { field, text: text.to_owned() });
        }
    }
    let whole = fields.each().map(|(_, text)| text).join(" ");
    parser.parse(&whole).map_err(|_| ScheduleError::FieldCount(5))
}

/// Checks the name of a time zone, whether there is an expression for it or not.
///
/// # Errors
/// [`ScheduleError::TimeZone`] and [`ScheduleError::TimeZoneSpelling`].
pub fn check_time_zone(name: &str) -> Result<(), ScheduleError> {
    time_zone(name).map(|_| ())
}

/// A time zone by exactly the name that the database has for it, so that two jobs in one zone say so alike.
fn time_zone(name: &str) -> Result<TimeZone, ScheduleError> {
    let zone = TimeZoneDatabase::bundled().get(name).map_err(|_| ScheduleError::TimeZone)?;
    match zone.iana_name() {
        Some(spelt) if spelt == name => Ok(zone),
        Some(spelt) => Err(ScheduleError::TimeZoneSpelling(spelt.to_owned())),
        None => Err(ScheduleError::TimeZone),
    }
}

impl CronField {
    /// An expression that this field alone restricts.
    fn alone(self, text: &str) -> String {
        let mut fields = ["*"; 5];
        fields[self as usize] = text;
        fields.join(" ")
    }

    /// Whether this has the form of one item of its list. The parser behind takes more than the contract does (`W`, `?`, `+`,
    /// names in any field, items without anything); numbers are left to it.
    fn has_item(self, item: &str) -> bool {
        let is_number = |text: &str| matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_value = |text: &str| is_number(text) || self.names().contains(&text);
        let is_range = |text: &str| match text.split_once('-') {
            Some((first, last)) => is_value(first) && is_value(last),
            None => is_value(text),
        };
        let is_special = match self {
            Self::DayOfMonth => item == "L",
            Self::DayOfWeek => {
                item.strip_suffix('L').is_some_and(is_value)
                    || item.split_once('#').is_some_and(|(day, nth)| is_value(day) && is_number(nth))
            }
            Self::Minute | Self::Hour | Self::Month => false,
        };
        let is_plain = match item.split_once('/') {
            Some((range, step)) => (range == "*" || is_range(range)) && is_number(step),
            None => item == "*" || is_range(item),
        };
        is_plain || is_special
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Minute | Self::Hour | Self::DayOfMonth => &[],
            Self::Month => &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
            Self::DayOfWeek => &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
        }
    }

    fn takes(self) -> &'static str {
        match self {
            Self::Minute => "numbers from 0 to 59, `*`, and lists, ranges and steps of those (`0,30`, `10-20`, `*/15`)",
            Self::Hour => "numbers from 0 to 23, `*`, and lists, ranges and steps of those (`6,18`, `9-17`, `*/2`)",
            Self::DayOfMonth => {
                "numbers from 1 to 31, `L` for the last, `*`, and lists, ranges and steps (`1,15`, `1-7`)"
            }
            Self::Month => "numbers from 1 to 12, `JAN` to `DEC`, `*`, and lists, ranges and steps (`1-3`, `*/3`)",
            Self::DayOfWeek => {
                "numbers from 0 to 7 (Sunday is 0 and 7), `SUN` to `SAT`, `*`, lists, ranges and steps (`MON-FRI`), `FRI#2` for \
                 the second Friday and `FRIL` for the last"
            }
        }
    }
}

impl fmt::Display for CronField {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day of month",
            Self::Month => "month",
            Self::DayOfWeek => "day of week",
        })
    }
}

#[cfg(test)]
mod tests;
