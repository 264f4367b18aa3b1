use std::time::Duration;

use jiff::tz::TimeZoneDatabase;
use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn schedule(expression: &str, zone: &str) -> Schedule {
    Schedule::parse(expression, zone).unwrap_or_else(|error| panic!("{expression} in {zone}: {error}"))
}

/// A local day in a zone, and what is due on it: time, offset and what a change of the clock has to do with it.
fn due_on(expression: &str, zone: &str, day: &str) -> Vec<String> {
    let schedule = schedule(expression, zone);
    let day: jiff::civil::Date = day.parse().expect("a day");
    let start = |day: jiff::civil::Date| {
        Timestamp::from_jiff(day.to_zoned(schedule.zone.clone()).expect("in range").timestamp())
    };
    let until = start(day.tomorrow().expect("in range"));
    let shown = |occurrence: Occurrence| {
        let change = match occurrence.clock_change {
            None => "",
            Some(ClockChange::Gap) => " gap",
            Some(ClockChange::Overlap) => " overlap",
        };
        format!("{}{}{change}", occurrence.local.strftime("%H:%M"), occurrence.offset)
    };
    schedule.occurrences(start(day)).take_while(|occurrence| occurrence.at < until).map(shown).collect()
}

#[rstest]
#[case::a_time_that_does_not_exist("30 2 * * *", "Europe/Berlin", "2026-03-29", &["03:00+02 gap"])]
#[case::it_is_as_ever_the_day_after("30 2 * * *", "Europe/Berlin", "2026-03-30", &["02:30+02"])]
#[case::a_time_that_comes_twice("30 2 * * *", "Europe/Berlin", "2026-10-25", &["02:30+02 overlap"])]
#[case::several_in_one_gap("0-59/20 2 * * *", "Europe/Berlin", "2026-03-29", &["03:00+02 gap"])]
#[case::one_in_the_gap_and_one_after_it("0 2,3 * * *", "Europe/Berlin", "2026-03-29", &["03:00+02 gap"])]
#[case::the_end_of_a_gap_exists("0 3 * * *", "Europe/Berlin", "2026-03-29", &["03:00+02"])]
#[case::several_in_one_overlap("0-59/30 2 * * *", "Europe/Berlin", "2026-10-25", &["02:00+02 overlap", "02:30+02 overlap"])]
#[case::the_end_of_an_overlap_comes_once("0 3 * * *", "Europe/Berlin", "2026-10-25", &["03:00+01"])]
#[case::an_interval_skips_a_gap("*/20 1-3 * * *", "Europe/Berlin", "2026-03-29", &[
    "01:00+01", "01:20+01", "01:40+01", "03:00+02", "03:20+02", "03:40+02",
])]
#[case::an_interval_goes_on_in_an_overlap("*/30 2 * * *", "Europe/Berlin", "2026-10-25", &[
    "02:00+02", "02:30+02", "02:00+01", "02:30+01",
])]
#[case::an_interval_within_a_gap("*/15 2 * * *", "Europe/Berlin", "2026-03-29", &[])]
#[case::new_york_in_spring("30 2 * * *", "America/New_York", "2026-03-08", &["03:00-04 gap"])]
#[case::new_york_in_autumn("30 1 * * *", "America/New_York", "2026-11-01", &["01:30-04 overlap"])]
#[case::half_an_hour_forth("15 2 * * *", "Australia/Lord_Howe", "2026-10-04", &["02:30+11 gap"])]
#[case::half_an_hour_forth_for_an_interval("*/15 2 * * *", "Australia/Lord_Howe", "2026-10-04", &["02:30+11", "02:45+11"])]
#[case::half_an_hour_back("45 1 * * *", "Australia/Lord_Howe", "2026-04-05", &["01:45+11 overlap"])]
#[case::half_an_hour_back_for_an_interval("*/15 1 * * *", "Australia/Lord_Howe", "2026-04-05", &[
    "01:00+11", "01:15+11", "01:30+11", "01:45+11", "01:30+10:30", "01:45+10:30",
])]
#[case::a_day_that_was_skipped("0 12 30 12 *", "Pacific/Apia", "2011-12-31", &["00:00+14 gap"])]
#[case::and_the_day_after_it("0 0,12 * * *", "Pacific/Apia", "2011-12-31", &["00:00+14 gap", "12:00+14"])]
#[case::an_interval_skips_the_day("0 */8 30,31 12 *", "Pacific/Apia", "2011-12-31", &["00:00+14", "08:00+14", "16:00+14"])]
#[case::three_quarters_of_an_hour("0 6 * * *", "Asia/Kathmandu", "2026-05-01", &["06:00+05:45"])]
#[case::two_hours_forth("30 1,2 * * *", "Antarctica/Troll", "2026-03-29", &["03:00+02 gap"])]
#[case::two_hours_back("30 1,2 * * *", "Antarctica/Troll", "2026-10-25", &["01:30+02 overlap", "02:30+02 overlap"])]
#[case::no_midnight("0 0 * * *", "America/Sao_Paulo", "2018-11-04", &["01:00-02 gap"])]
#[case::ramadan_begins("30 2 * * *", "Africa/Casablanca", "2026-02-15", &["02:30+01 overlap"])]
#[case::ramadan_ends("30 2 * * *", "Africa/Casablanca", "2026-03-22", &["03:00+01 gap"])]
#[case::no_midnight_in_tehran("15 0 * * *", "Asia/Tehran", "2021-03-22", &["01:00+04:30 gap"])]
#[case::winter_is_the_exception("30 1 * * *", "Europe/Dublin", "2026-03-29", &["02:00+01 gap"])]
#[case::and_summer_the_rule("30 1 * * *", "Europe/Dublin", "2026-10-25", &["01:30+01 overlap"])]
#[case::a_minute_past_midnight("1 0 * * *", "America/St_Johns", "2010-03-14", &["01:01-02:30 gap"])]
#[case::back_to_the_day_before("30 23 * * *", "America/St_Johns", "2010-11-06", &["23:30-02:30 overlap"])]
#[case::never_a_change("30 2 * * *", "UTC", "2026-03-29", &["02:30+00"])]
fn clocks_change(#[case] expression: &str, #[case] zone: &str, #[case] day: &str, #[case] expected: &[&str]) {
    assert_eq!(due_on(expression, zone, day), expected);
}

#[rstest]
#[case("0 0 1,15 * 1", &["2026-06-01", "2026-06-08", "2026-06-15", "2026-06-22"])]
#[case("0 0 */10 * 1", &["2026-06-01", "2026-08-31", "2026-09-21", "2026-12-21"])]
#[case("0 0 L * *", &["2026-06-30", "2026-07-31", "2026-08-31", "2026-09-30"])]
#[case("0 0 * * FRI#2", &["2026-06-12", "2026-07-10", "2026-08-14", "2026-09-11"])]
#[case("0 0 * * 1L", &["2026-06-29", "2026-07-27", "2026-08-31", "2026-09-28"])]
#[case("0 0 29 2 *", &["2028-02-29", "2032-02-29", "2036-02-29", "2040-02-29"])]
#[case("0 0 29 FEB */7", &["2032-02-29", "2060-02-29", "2088-02-29", "2128-02-29"])]
#[case("@monthly", &["2026-06-01", "2026-07-01", "2026-08-01", "2026-09-01"])]
#[case("@Weekly", &["2026-06-07", "2026-06-14", "2026-06-21", "2026-06-28"])]
#[case("0 0 * jan-feb 7", &["2027-01-03", "2027-01-10", "2027-01-17", "2027-01-24"])]
fn days(#[case] expression: &str, #[case] expected: &[&str]) {
    let from = "2026-06-01T00:00:00Z".parse().expect("a moment");
    let found: Vec<String> = schedule(expression, "UTC")
        .occurrences(from)
        .take(4)
        .map(|occurrence| occurrence.local.date().to_string())
        .collect();
    assert_eq!(found, expected);
}

#[rstest]
#[case("* * * *", "needs five fields (minute, hour, day of month, month, day of week), and has 4")]
#[case("0 * * * * *", "needs five fields (minute, hour, day of month, month, day of week), and has 6")]
#[case("@reboot", "is none of @yearly")]
#[case("61 * * * *", "has `61` for the minute")]
#[case("5/15 * * * *", "has `5/15` for the minute")]
#[case("*/0 * * * *", "has `*/0` for the minute")]
#[case("MON * * * *", "has `MON` for the minute")]
#[case("1,,2 * * * *", "has `1,,2` for the minute")]
#[case("0 24 * * *", "has `24` for the hour")]
#[case("0 0 0 * *", "has `0` for the day of month")]
#[case("0 0 15W * *", "has `15W` for the day of month")]
#[case("0 0 ? * *", "has `?` for the day of month")]
#[case("0 0 * MON *", "has `MON` for the month")]
#[case("0 0 * * +1", "has `+1` for the day of week")]
#[case("0 0 * * L", "has `L` for the day of week")]
#[case("0 0 * * 1#6", "has `1#6` for the day of week")]
#[case("0 0 * * MONTUE", "has `MONTUE` for the day of week")]
#[case("0 0 30 2 *", "is never due")]
#[case("0 0 31 4,6,9,11 *", "is never due")]
#[case("", "needs five fields (minute, hour, day of month, month, day of week), and has 0")]
fn what_is_no_expression(#[case] expression: &str, #[case] message: &str) {
    let error = Schedule::parse(expression, "UTC").expect_err(expression);
    assert_eq!(error.field(), "cronExpression");
    assert!(error.to_string().starts_with(message), "{error}");
}

#[rstest]
#[case("Europe/Springfield", "is no time zone of the IANA database")]
#[case("Etc/Unknown", "is no time zone of the IANA database")]
#[case("+02:00", "is no time zone of the IANA database")]
#[case("", "is no time zone of the IANA database")]
#[case("europe/berlin", "is written `Europe/Berlin` in the IANA database")]
#[case("utc", "is written `UTC` in the IANA database")]
fn what_is_no_time_zone(#[case] zone: &str, #[case] message: &str) {
    let error = Schedule::parse("0 0 * * *", zone).expect_err(zone);
    assert_eq!((error.field(), error.to_string().as_str()), ("cronTimezone", message));
}

/// The rule for times, said in another way: minute by minute, a time is due where the clock first reads it or has passed it.
fn due_by_walking(schedule: &Schedule, from: Timestamp, minutes: u64) -> Vec<Timestamp> {
    let fits = |shown: DateTime| schedule.cron.is_time_matching(&shown).expect("in range");
    let clock = |moment: Timestamp| schedule.zone.to_datetime(moment.to_jiff());
    let mut furthest = clock(from - Duration::from_secs(2 * 86_400));
    let mut due = Vec::new();
    for minute in 0..minutes + 2 * 1440 {
        let moment = from - Duration::from_secs(2 * 86_400) + Duration::from_secs(60 * (minute + 1));
        let shown = clock(moment);
        let is_due = match schedule.kind {
            Kind::Interval => fits(shown),
            Kind::Times => {
                let passed = std::iter::successors(Some(shown), |time| Some(*time - SignedDuration::from_mins(1)));
                passed.take_while(|time| *time > furthest).any(fits)
            }
        };
        furthest = furthest.max(shown);
        if is_due && moment >= from {
            due.push(moment);
        }
    }
    due
}

fn item(values: std::ops::RangeInclusive<u8>) -> impl Strategy<Value = String> {
    let (first, last) = values.clone().into_inner();
    prop_oneof![
        values.clone().prop_map(|value| value.to_string()),
        (values.clone(), values.clone()).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        (values.clone(), values, 1..=7u8).prop_map(|(a, b, step)| format!("{}-{}/{step}", a.min(b), a.max(b))),
        (1..=last - first).prop_map(|step| format!("*/{step}")),
    ]
}

fn field(values: std::ops::RangeInclusive<u8>) -> impl Strategy<Value = String> {
    prop_oneof![2 => Just("*".to_owned()), 3 => prop::collection::vec(item(values), 1..=2).prop_map(|items| items.join(","))]
}

prop_compose! {
    fn expressions()(minute in field(0..=59), hour in field(0..=23), day in field(1..=31), weekday in field(0..=7))
        -> String { format!("{minute} {hour} {day} * {weekday}") }
}

/// A zone, and a moment near one of its changes.
fn near_a_change() -> impl Strategy<Value = (String, Timestamp)> {
    let zones: Vec<String> = TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect();
    (prop::sample::select(zones), 0..2_000_000_000i64, -2880..2880i64).prop_map(|(name, second, minutes)| {
        let zone = time_zone(&name).expect("of the database");
        let some_moment = Instant::from_second(second).expect("in range");
        let change = zone.following(some_moment).next().map_or(some_moment, |change| change.timestamp());
        let whole_minute = change.as_second().div_euclid(60) * 60 + minutes * 60;
        (name, Timestamp::from_millisecond(whole_minute * 1000))
    })
}

/// Minutes of the local clock that are none of UTC's, as some had until 1972, are not for walking.
fn has_whole_minutes(schedule: &Schedule, from: Timestamp) -> bool {
    [0, 4].iter().all(|days| {
        let moment = (from + Duration::from_secs(days * 86_400)).to_jiff() - SignedDuration::from_hours(48);
        schedule.zone.to_offset(moment).seconds() % 60 == 0
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn occurrences_are_those_that_walking_finds((zone, from) in near_a_change(), expression in expressions()) {
        let Ok(schedule) = Schedule::parse(&expression, &zone) else { return Ok(()) };
        prop_assume!(has_whole_minutes(&schedule, from));
        let minutes = 2 * 1440;
        let until = from + Duration::from_secs(60 * minutes);
        let expected: Vec<Timestamp> = due_by_walking(&schedule, from, minutes).into_iter().filter(|due| *due < until).collect();
        let found: Vec<Timestamp> = schedule.between(from, until).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn the_next_is_later_and_intervals_add_up(
        (zone, from) in near_a_change(), expression in expressions(), first in 0..4000u64, second in 0..4000u64,
    ) {
        let Ok(schedule) = Schedule::parse(&expression, &zone) else { return Ok(()) };
        let middle = from + Duration::from_secs(60 * first);
        let until = middle + Duration::from_secs(60 * second);
        let whole: Vec<Timestamp> = schedule.between(from, until).collect();
        prop_assert!(whole.windows(2).all(|pair| pair[0] < pair[1]));
        let parts: Vec<Timestamp> = schedule.between(from, middle).chain(schedule.between(middle, until)).collect();
        prop_assert_eq!(&whole, &parts);
        for due in whole.iter().take(50) {
            let just_before = *due - Duration::from_millis(1);
            prop_assert_eq!(schedule.next_after(just_before), Some(*due));
        }
    }

    #[test]
    fn no_text_is_too_strange(expression in "[-*/,#@LWA-Z0-9 ?+é]{0,30}", zone in "[A-Za-z/_+0-9é]{0,12}") {
        let _ = Schedule::parse(&expression, &zone);
        let _ = Schedule::parse(&format!("0 0 * * {expression}"), "UTC");
    }
}
