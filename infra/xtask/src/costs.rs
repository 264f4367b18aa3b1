//! What a deployment costs a month: list prices, times what requests take of the table, which is the reviewed record of round trips, times
//! assumptions. Prices and assumptions are data: `costs.json`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mainsheet_core::agent_protocol::HEARTBEAT_INTERVAL;
use serde_json::Value;

/// Runs a day that are told.
const RUNS: [f64; 3] = [10.0, 1_000.0, 100_000.0];
const DAYS: f64 = 365.0 / 12.0;
const MINUTES: f64 = 24.0 * 60.0 * DAYS;
const MILLION: f64 = 1_000_000.0;
const KILOBYTES_IN_GIGABYTE: f64 = 1024.0 * 1024.0;
/// Reads that AWS Lambda makes of a queue nobody writes to: five pollers, each 20 seconds, of two queues.
const EMPTY_READS: f64 = 2.0 * 5.0 * 3.0 * MINUTES;

/// Prints the table that stands in `infra/docs/operations.md`.
pub(crate) fn run() {
    print!("{}", table());
}

/// The data, and what it is multiplied with.
struct Book {
    data: Value,
    round_trips: &'static str,
    alarms: f64,
    secrets: f64,
}

/// Of the table.
#[derive(Debug, Clone, Copy, Default)]
struct Units {
    read: f64,
    write: f64,
}

/// What there is in a month: requests by who asks, events, and what all of it takes of the table.
struct Month {
    of_agents: f64,
    of_people: f64,
    /// Those of people that the function `Identity` answers, which has more memory.
    of_identity: f64,
    of_workers: f64,
    events: f64,
    units: Units,
}

impl Units {
    /// With these so many times.
    fn plus(self, times: f64, more: Self) -> Self {
        Self { read: self.read + times * more.read, write: self.write + times * more.write }
    }
}

impl Book {
    fn open() -> Self {
        let template = include_str!("../../../template.yaml");
        let count = |kind: &str| f64::from(u16::try_from(template.matches(kind).count()).unwrap());
        Self {
            data: serde_json::from_str(include_str!("costs.json")).unwrap(),
            round_trips: include_str!(
                "../../../tests/src/gates/snapshots/mainsheet_tests__gates__round_trips__round_trips.snap"
            ),
            alarms: count("Type: AWS::CloudWatch::Alarm"),
            secrets: count("Type: AWS::SecretsManager::Secret"),
        }
    }

    fn number(&self, pointer: &str) -> f64 {
        self.data.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer}"))
    }

    fn assumed(&self, name: &str) -> f64 {
        self.number(&format!("/assumptions/{name}"))
    }

    fn million(&self, name: &str, quantity: f64) -> f64 {
        self.number(&format!("/prices/usdPerMillion/{name}")) * quantity / MILLION
    }

    fn each(&self, name: &str, quantity: f64) -> f64 {
        self.number(&format!("/prices/usdEach/{name}")) * quantity
    }

    /// Names with how often there is each.
    fn counts(&self, name: &str) -> BTreeMap<String, f64> {
        let counts = self.data["assumptions"][name].as_object().unwrap();
        counts.iter().map(|(name, count)| (name.clone(), count.as_f64().unwrap())).collect()
    }

    /// What calls take.
    fn units(&self, calls: &BTreeMap<String, f64>) -> Units {
        calls.iter().fold(Units::default(), |sum, (call, count)| {
            let of = |unit: &str| self.number(&format!("/assumptions/unitsPerCall/{call}/{unit}"));
            sum.plus(*count, Units { read: of("read"), write: of("write") })
        })
    }

    /// What requests take, as the record has it.
    fn units_of_requests(&self, requests: &BTreeMap<String, f64>) -> Units {
        requests
            .iter()
            .fold(Units::default(), |sum, (request, count)| sum.plus(*count, self.units(&self.calls_of(request))))
    }

    /// The calls of a request: `POST /agent/lease    4 (2 GetItem, Query, ...)`.
    fn calls_of(&self, request: &str) -> BTreeMap<String, f64> {
        let (method, path) = request.split_once(' ').unwrap();
        let has = |line: &&str| line.split_whitespace().take(2).eq([method, path]);
        let line = self.round_trips.lines().find(has).unwrap_or_else(|| panic!("{request} is not in the record"));
        let calls = line.split_once('(').unwrap().1.trim_end_matches(')');
        let call = |text: &str| match text.split_once(' ') {
            Some((count, name)) => (name.to_owned(), count.parse().unwrap()),
            None => (text.to_owned(), 1.0),
        };
        calls.split(", ").filter(|text| !text.is_empty()).map(call).collect()
    }

    /// What there is in a month at so many runs a day.
    fn month(&self, runs_a_day: f64) -> Month {
        let runs = runs_a_day * DAYS;
        let (of_agents, of_people) = (self.counts("requestsPerRun"), self.counts("requestsOfPeoplePerRun"));
        let always = self.counts("requestsOfPeoplePerDay");
        let sum = |counts: &BTreeMap<String, f64>| counts.values().sum::<f64>();
        let of_identity: f64 =
            always.iter().filter(|(request, _)| request.contains(" /auth/")).map(|(_, count)| count).sum();
        let events = self.assumed("eventsPerRun") * runs;
        // An idle agent's heartbeats are in its price. Those of one that has runs renew their leases as well.
        let renewals = runs * self.assumed("secondsPerRun") / HEARTBEAT_INTERVAL.as_secs_f64();
        let renewal =
            Units { read: self.assumed("unitsPerRenewal/read"), write: self.assumed("unitsPerRenewal/write") };
        // A tick looks for runs, jobs and audit records in 8 shards each, and when the last one was. It notes itself in one row.
        let noted = Units { read: 0.0, write: self.assumed("unitsWrittenPerIdleTick") };
        let idle_tick = self.units(&self.counts("readsPerIdleTick")).plus(1.0, noted);
        let units = Units::default()
            .plus(renewals, renewal)
            .plus(runs, self.units_of_requests(&of_agents))
            .plus(runs, self.units_of_requests(&of_people))
            .plus(runs, self.units(&self.counts("callsOfWorkersPerRun")))
            .plus(DAYS, self.units_of_requests(&always))
            .plus(MINUTES, idle_tick);
        Month {
            of_agents: sum(&of_agents) * runs,
            of_people: sum(&of_people) * runs + sum(&always) * DAYS,
            of_identity: of_identity * DAYS,
            // The relay and the dispatcher are asked once for each event, at the most, and the scheduler every minute.
            of_workers: 2.0 * events + MINUTES,
            events,
            units,
        }
    }

    /// What each part costs a month at so many runs a day.
    fn bill(&self, runs_a_day: f64) -> Vec<(&'static str, f64)> {
        let Month { of_agents, of_people, of_identity, of_workers, events, units } = self.month(runs_a_day);
        let invocations = of_agents + of_people + of_workers;
        let megabytes = (invocations - of_identity) * self.assumed("megabytesOfMemory")
            + of_identity * self.assumed("megabytesOfIdentity");
        let gigabyte_seconds = megabytes / 1024.0 * self.assumed("millisecondsPerRequest") / 1000.0;
        let lambda =
            self.million("Lambda, requests", invocations) + self.million("Lambda, GB-seconds", gigabyte_seconds);
        let kept = runs_a_day * self.assumed("daysKept") * self.assumed("kilobytesKeptPerRun") / KILOBYTES_IN_GIGABYTE;
        let table = self.million("DynamoDB, read units", units.read)
            + self.million("DynamoDB, write units", units.write)
            + self.each("DynamoDB, GB-month with backup", kept);
        let logged = (of_people + of_workers) * self.assumed("kilobytesOfLogPerRequest")
            + of_agents * self.assumed("kilobytesOfLogPerAgentRequest");
        let watching = self.each("CloudWatch, GB of logs", logged / KILOBYTES_IN_GIGABYTE)
            + self.each("CloudWatch, metric", self.assumed("customMetrics"))
            + self.each("CloudWatch, alarm", self.alarms)
            + self.each("CloudWatch, dashboard", 1.0);
        // The SDKs and services keep data keys for minutes.
        let keys = self.each("KMS, key", 1.0)
            + self.each("Secrets Manager, secret", self.secrets)
            + self.million("KMS, requests", 0.1 * invocations);
        let transitions = self.assumed("operationsPerMonth") * self.assumed("transitionsPerOperation");
        let agents = (runs_a_day / self.assumed("runsPerAgentAndDay")).ceil();
        vec![
            ("AWS Lambda", lambda),
            ("API Gateway", self.million("API Gateway, requests", of_people)),
            ("DynamoDB", table),
            ("SQS", self.million("SQS, requests", 3.0 * events + EMPTY_READS)),
            ("Step Functions", self.million("Step Functions, transitions", transitions)),
            ("agents that ask for work", self.each("an idle agent, a month", agents)),
            ("X-Ray", self.million("X-Ray, traces", traced(of_people + of_workers))),
            ("CloudWatch", watching),
            ("keys and secrets", keys),
        ]
    }
}

/// How many of a month's requests X-Ray records by its default rule, if they come evenly.
fn traced(requests: f64) -> f64 {
    let reserved = 60.0 * MINUTES;
    requests.min(reserved) + 0.05 * (requests - reserved).max(0.0)
}

/// The table, in Markdown.
fn table() -> String {
    let book = Book::open();
    let bills = RUNS.map(|runs| book.bill(runs));
    let mut text = String::from("| USD a month | 10 runs a day | 1,000 | 100,000 |\n|---|---:|---:|---:|\n");
    for (index, (name, _)) in bills[0].iter().enumerate() {
        let [few, some, many] = [0, 1, 2].map(|column: usize| bills[column][index].1);
        writeln!(text, "| {name} | {few:.2} | {some:.2} | {many:.2} |").unwrap();
    }
    let [few, some, many] = bills.each_ref().map(|bill| bill.iter().map(|(_, usd)| usd).sum::<f64>());
    writeln!(text, "| **in all** | **{few:.2}** | **{some:.2}** | **{many:.2}** |").unwrap();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_the_table() {
        let page = include_str!("../../docs/operations.md");
        assert!(
            page.contains(&table()),
            "infra/docs/operations.md has other costs than `cargo xtask costs` prints:\n{}",
            table()
        );
    }

    #[test]
    fn identity_has_the_memory_that_is_paid_for() {
        let (template, book) = (include_str!("../../../template.yaml"), Book::open());
        assert!(template.contains(&format!("MemorySize: {}\n", book.assumed("megabytesOfIdentity"))));
    }

    #[test]
    fn more_runs_cost_more_and_calls_are_read_from_the_record() {
        let book = Book::open();
        let sums = RUNS.map(|runs| book.bill(runs).iter().map(|(_, usd)| usd).sum::<f64>());
        assert!(sums[0] < sums[1] && sums[1] < sums[2], "{sums:?}");
        assert!(book.calls_of("POST /agent/lease")["GetItem"] >= 1.0);
    }
}
