//! What a deployment costs a month: list prices, times what requests take of the table, which is the reviewed record of round trips, times
//! assumptions. Prices and assumptions are data: `costs.json`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

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
            let of = |unit: &str| count * self.number(&format!("/assumptions/unitsPerCall/{call}/{unit}"));
            Units { read: sum.read + of("read"), write: sum.write + of("write") }
        })
    }

    /// What requests take, as the record has it.
    fn units_of_requests(&self, requests: &BTreeMap<String, f64>) -> Units {
        requests.iter().fold(Units::default(), |sum, (request, count)| {
            let one = self.units(&self.calls_of(request));
            Units { read: sum.read + count * one.read, write: sum.write + count * one.write }
        })
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

    /// What each part costs a month at so many runs a day.
    fn bill(&self, runs_a_day: f64) -> Vec<(&'static str, f64)> {
        let runs = runs_a_day * DAYS;
        let (of_agents, of_people, always) =
            (self.counts("requestsPerRun"), self.counts("requestsOfPeoplePerRun"), self.counts("requestsOfPeoplePerDay"));
        let sum = |counts: &BTreeMap<String, f64>| counts.values().sum::<f64>();
        let agents = sum(&of_agents) * runs;
        let people = sum(&of_people) * runs + sum(&always) * DAYS;
        let events = self.assumed("eventsPerRun") * runs;
        // The relay and the dispatcher are asked once for each event, at the most.
        let workers = 2.0 * events + MINUTES;
        let invocations = agents + people + workers;

        let per_run = [
            self.units_of_requests(&of_agents),
            self.units_of_requests(&of_people),
            self.units(&self.counts("callsOfWorkersPerRun")),
        ];
        let (day, tick) = (self.units_of_requests(&always), self.units(&self.counts("callsPerTick")));
        let units = |of: fn(&Units) -> f64| {
            per_run.iter().map(of).sum::<f64>() * runs + of(&day) * DAYS + of(&tick) * MINUTES
        };
        let gigabyte_seconds = invocations * self.assumed("millisecondsPerRequest") / 1000.0
            * self.assumed("megabytesOfMemory")
            / 1024.0;
        let kept = runs_a_day * self.assumed("daysKept") * self.assumed("kilobytesKeptPerRun") / KILOBYTES_IN_GIGABYTE;
        let logged = (people + workers) * self.assumed("kilobytesOfLogPerRequest")
            + agents * self.assumed("kilobytesOfLogPerAgentRequest");
        let idle_agents = (runs_a_day / self.assumed("runsPerAgentAndDay")).ceil();
        vec![
            ("AWS Lambda", self.million("Lambda, requests", invocations) + self.million("Lambda, GB-seconds", gigabyte_seconds)),
            ("API Gateway", self.million("API Gateway, requests", people)),
            (
                "DynamoDB",
                self.million("DynamoDB, read units", units(|units| units.read))
                    + self.million("DynamoDB, write units", units(|units| units.write))
                    + self.each("DynamoDB, GB-month with backup", kept),
            ),
            ("SQS", self.million("SQS, requests", 3.0 * events + EMPTY_READS)),
            ("Agents that ask for work", self.each("an idle agent, a month", idle_agents)),
            // Everything is traced at the rate of one a second, a twentieth of what comes faster.
            ("X-Ray", self.million("X-Ray, traces", traced(people + workers))),
            (
                "CloudWatch",
                self.each("CloudWatch, GB of logs", logged / KILOBYTES_IN_GIGABYTE)
                    + self.each("CloudWatch, metric", self.assumed("customMetrics"))
                    + self.each("CloudWatch, alarm", self.alarms)
                    + self.each("CloudWatch, dashboard", 1.0),
            ),
            ("Keys and secrets", self.each("KMS, key", 1.0) + self.each("Secrets Manager, secret", self.secrets) + self.million("KMS, requests", 0.1 * invocations)),
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
        assert!(page.contains(&table()), "infra/docs/operations.md has other costs than `cargo xtask costs` prints:\n{}", table());
    }

    #[test]
    fn more_runs_cost_more_and_calls_are_read_from_the_record() {
        let book = Book::open();
        let sums = RUNS.map(|runs| book.bill(runs).iter().map(|(_, usd)| usd).sum::<f64>());
        assert!(sums[0] < sums[1] && sums[1] < sums[2], "{sums:?}");
        assert!(book.calls_of("POST /agent/lease")["GetItem"] >= 1.0);
    }
}
