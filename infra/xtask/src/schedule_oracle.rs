//! `cargo xtask schedule-oracle`: when schedules are due, compared with what PyPI's `cronsim` says. `infra/ci/schedule-oracle`
//! installs that and runs this; `infra/docs/schedules.md` has the classes of differences.

use std::io::{BufWriter, Write};
use std::ops::RangeInclusive;
use std::process::{Command, ExitCode, Stdio};

use clap::Args;
use jiff::tz::TimeZone;
use mainsheet_core::Timestamp;
use mainsheet_core::schedule::Schedule;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

/// Zones whose clocks change in each way there is: by an hour at different times of night, by half an hour and by two, at
/// midnight and a minute past it, against the season, around Ramadan, by a whole day, and never.
const ZONES: [&str; 12] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "Antarctica/Troll",
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "Asia/Tehran",
    "Europe/Dublin",
    "America/St_Johns",
    "UTC",
];
/// Years in which each of the clocks changed that ever did.
const YEARS: RangeInclusive<i16> = 2006..=2030;
/// Moments of each schedule that are compared.
const MOMENTS: usize = 12;
/// The seed of everything that is drawn.
const SEED: &[u8; 32] = b"noon, midnight and half past two";

/// What to compare.
#[derive(Args)]
pub(crate) struct Options {
    /// Expressions; each is compared in every zone
    #[arg(long, default_value_t = 5_000)]
    expressions: usize,
}

pub(crate) fn run(options: &Options) -> ExitCode {
    let script = crate::root().join("infra/ci/schedule_oracle.py");
    let page = crate::root().join("infra/docs/schedules.md");
    println!("{} expressions in {} zones:", options.expressions, ZONES.len());
    let mut oracle = Command::new("python3").arg(script).arg(page).stdin(Stdio::piped()).spawn().unwrap();
    let written = write_cases(options, BufWriter::new(oracle.stdin.take().unwrap()));
    let agrees = oracle.wait().unwrap().success();
    if agrees && written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn write_cases(options: &Options, mut cases: impl Write) -> std::io::Result<()> {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, SEED));
    let (expressions, changes) = (expressions(), ZONES.map(changes));
    for _ in 0..options.expressions {
        let expression = draw(&mut runner, &expressions);
        for (zone, changes) in ZONES.iter().zip(&changes) {
            let from = draw(&mut runner, &just_before(changes));
            writeln!(cases, "{}", case(&expression, zone, from))?;
        }
    }
    cases.flush()
}

/// What is compared: our next moments, or why there are none.
fn case(expression: &str, zone: &str, from: i64) -> Value {
    let after = Timestamp::from_millisecond(from * 1000);
    match Schedule::parse(expression, zone) {
        Ok(schedule) => {
            let next = std::iter::successors(schedule.next_after(after), |moment| schedule.next_after(*moment));
            let due: Vec<i64> = next.take(MOMENTS).map(Timestamp::as_second).collect();
            json!({ "expression": expression, "zone": zone, "from": from, "due": due })
        }
        Err(error) => json!({ "expression": expression, "zone": zone, "from": from, "error": error.to_string() }),
    }
}

/// When a zone's clock changes; twice a year where it does not.
fn changes(zone: &str) -> Vec<i64> {
    let new_year = |year: i16| jiff::civil::date(year, 1, 1).to_zoned(TimeZone::UTC).unwrap().timestamp();
    let (first, last) = (new_year(*YEARS.start()), new_year(*YEARS.end()));
    let found = TimeZone::get(zone).unwrap();
    let mut changes: Vec<i64> = found
        .following(first)
        .take_while(|change| change.timestamp() < last)
        .map(|change| change.timestamp().as_second())
        .collect();
    if changes.is_empty() {
        changes = (first.as_second()..last.as_second()).step_by(182 * 86_400).collect();
    }
    changes
}

fn draw<S: Strategy>(runner: &mut TestRunner, strategy: &S) -> S::Value {
    strategy.new_tree(runner).unwrap().current()
}

/// Hours or days before one of the changes: cronsim, begun in a repeated hour, does not know which of the two it is.
fn just_before(changes: &[i64]) -> impl Strategy<Value = i64> + use<> {
    let before = prop_oneof![3 => 1..150i64, 2 => 150..1800i64, 1 => 1800..60_000i64];
    (select(changes.to_vec()), before).prop_map(|(change, minutes)| change - minutes * 60)
}

fn expressions() -> impl Strategy<Value = String> {
    let fields = (
        field(0..=59, item(0..=59, &[])),
        prop_oneof![3 => field(0..=23, item(0..=23, &[])), 2 => field(0..=3, item(0..=3, &[]))],
        days(),
        prop_oneof![5 => Just("*".to_owned()), 1 => list(item(1..=12, &["JAN", "mar", "Oct", "NOV"]))],
        weekdays(),
    );
    let nicknames = select(vec!["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"]);
    prop_oneof![
        60 => fields.prop_map(|(minute, hour, day, month, weekday)| [minute, hour, day, month, weekday].join(" ")),
        1 => nicknames.prop_map(str::to_owned),
    ]
}

/// `*`, a step over all, one value or a list.
fn field(values: RangeInclusive<u8>, item: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = String> {
    let longest = values.end() - values.start();
    prop_oneof![
        3 => Just("*".to_owned()),
        2 => (1..=longest).prop_map(|step| format!("*/{step}")),
        3 => values.prop_map(|value| value.to_string()),
        4 => list(item),
    ]
}

fn days() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => Just("*".to_owned()),
        3 => field(1..=31, item(1..=31, &["L", "l"])),
    ]
}

fn weekdays() -> impl Strategy<Value = String> {
    let names = ["SUN", "mon", "Tue", "WED", "thu", "FRI", "SAT", "SAT-SUN", "FRI#2", "1#1", "7#5", "5L", "0L", "FRIL"];
    prop_oneof![5 => Just("*".to_owned()), 3 => field(0..=7, item(0..=7, &names))]
}

fn list(item: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = String> {
    prop::collection::vec(item, 1..=3).prop_map(|items| items.join(","))
}

/// A value, a range, a range with a step, one of `special`, or now and then what only one of the two takes.
fn item(values: RangeInclusive<u8>, special: &[&'static str]) -> BoxedStrategy<String> {
    let range = (values.clone(), values.clone()).prop_map(|(one, other)| (one.min(other), one.max(other)));
    let odd = values.clone().prop_map(|value| format!("{value}/7"));
    let odd = prop_oneof![odd, select(vec!["*", "LW", "99", "x", ""]).prop_map(str::to_owned)];
    let plain = prop_oneof![
        30 => values.prop_map(|value| value.to_string()),
        20 => range.clone().prop_map(|(first, last)| format!("{first}-{last}")),
        15 => (range, 1..=9u8).prop_map(|((first, last), step)| format!("{first}-{last}/{step}")),
        1 => odd,
    ];
    if special.is_empty() {
        return plain.boxed();
    }
    prop_oneof![2 => plain, 1 => select(special.to_vec()).prop_map(str::to_owned)].boxed()
}
