//! Measurements as lines of the log in [CloudWatch's embedded metric format][emf], of which CloudWatch makes metrics.
//!
//! Each combination of dimensions is a metric that is paid for, so a dimension has few values. What has many, such as the operation of a
//! request, stands beside them: CloudWatch Logs Insights finds it.
//!
//! [emf]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

use std::io::{Write as _, stdout};
use std::time::Duration;

use mainsheet_core::measurement::{Measurement, Meter};
use mainsheet_core::{Result, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::aws::{optional, required};

/// Writes measurements to the log of this function, as metrics of the namespace in `MAINSHEET_METRICS`.
#[derive(Debug, Clone)]
pub struct EmbeddedMetrics {
    namespace: String,
    function: String,
}

/// A metric's name, its unit and its value.
struct Metric(&'static str, Unit, f64);

/// Those of CloudWatch's units that are used.
#[derive(Debug, Clone, Copy, Serialize)]
enum Unit {
    Count,
    Milliseconds,
    Seconds,
}

/// What a measurement is in CloudWatch.
struct Described {
    dimensions: Vec<(&'static str, String)>,
    metrics: Vec<Metric>,
    /// What can be searched for beside them.
    properties: Vec<(&'static str, String)>,
}

impl EmbeddedMetrics {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`mainsheet_core::Error::Internal`] when one is not set.
    pub fn from_environment() -> Result<Self> {
        // What AWS Lambda calls this function.
        let function = required("AWS_LAMBDA_FUNCTION_NAME")?;
        Ok(Self { namespace: required("MAINSHEET_METRICS")?, function })
    }

    fn line(&self, at: Timestamp, measurement: &Measurement, trace: Option<String>) -> Value {
        let described = self.describe(measurement);
        let names = |names: Vec<&str>| names.iter().map(|name| json!(name)).collect::<Value>();
        let metrics = described.metrics.iter().map(|Metric(name, unit, _)| json!({ "Name": name, "Unit": unit }));
        let directive = json!({
            "Namespace": self.namespace,
            "Dimensions": [names(described.dimensions.iter().map(|(name, _)| *name).collect())],
            "Metrics": metrics.collect::<Value>(),
        });
        let mut line = Map::new();
        line.insert("_aws".to_owned(), json!({ "Timestamp": at.as_millisecond(), "CloudWatchMetrics": [directive] }));
        let texts = described.dimensions.into_iter().chain(described.properties);
        line.extend(
            texts.chain(trace.map(|id| ("xrayTraceId", id))).map(|(name, text)| (name.to_owned(), json!(text))),
        );
        line.extend(described.metrics.iter().map(|Metric(name, _, value)| ((*name).to_owned(), json!(value))));
        Value::Object(line)
    }

    fn describe(&self, measurement: &Measurement) -> Described {
        let (dimensions, metrics, properties) = match measurement {
            Measurement::Request { operation, answer, took } => (
                vec![("FunctionName", self.function.clone()), ("Answer", answer.as_str().to_owned())],
                vec![Metric("Requests", Unit::Count, 1.0), Metric("Latency", Unit::Milliseconds, milliseconds(*took))],
                vec![("operation", operation.clone())],
            ),
            Measurement::Tick { scheduled, settled, lateness } => (
                Vec::new(),
                vec![
                    Metric("RunsScheduled", Unit::Count, count(*scheduled)),
                    Metric("RunsSettled", Unit::Count, count(*settled)),
                    Metric("Lateness", Unit::Seconds, lateness.as_secs_f64()),
                ],
                Vec::new(),
            ),
            Measurement::RunEnded { status } => {
                (vec![("Status", text(status))], vec![Metric("RunsEnded", Unit::Count, 1.0)], Vec::new())
            }
            Measurement::OperationEnded { kind, status } => (
                vec![("Operation", text(kind)), ("Status", text(status))],
                vec![Metric("OperationsEnded", Unit::Count, 1.0)],
                Vec::new(),
            ),
            Measurement::StepFailed => (Vec::new(), vec![Metric("StepsFailed", Unit::Count, 1.0)], Vec::new()),
            Measurement::EventFailed => (
                vec![("FunctionName", self.function.clone())],
                vec![Metric("EventsFailed", Unit::Count, 1.0)],
                Vec::new(),
            ),
            Measurement::Mail(delivery) => {
                (vec![("Delivery", delivery.as_str().to_owned())], vec![Metric("Mails", Unit::Count, 1.0)], Vec::new())
            }
        };
        Described { dimensions, metrics, properties }
    }
}

impl Meter for EmbeddedMetrics {
    fn record(&self, at: Timestamp, measurement: &Measurement) {
        // AWS Lambda's runtime keeps it while a request is at hand.
        let line = self.line(at, measurement, optional("_X_AMZN_TRACE_ID"));
        // A log that cannot be written to is no reason to refuse what was asked for.
        let _ = writeln!(stdout().lock(), "{line}");
    }
}

/// What stands on the wire for something that is one of few.
fn text(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Counts of what one process did are far below what a double tells apart.
fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use mainsheet_core::job_run::RunStatus;
    use mainsheet_core::measurement::{Answer, Delivery};
    use mainsheet_core::operation::{OperationKind, OperationStatus};

    use super::*;

    /// Units that the specification knows, of those that could be meant.
    const UNITS: [&str; 6] = ["Seconds", "Microseconds", "Milliseconds", "Bytes", "Percent", "Count"];

    fn measurements() -> Vec<Measurement> {
        let took = Duration::from_micros(12_500);
        let operation = "GET /api/v1/workloads/jobs/{job}".to_owned();
        let answers = [Answer::Accepted, Answer::Refused, Answer::Failed, Answer::Hindered];
        let requests = answers.map(|answer| Measurement::Request { operation: operation.clone(), answer, took });
        let runs = [RunStatus::Succeeded, RunStatus::Failed, RunStatus::Cancelled, RunStatus::Timeout];
        let ended =
            OperationKind::ALL.map(|kind| Measurement::OperationEnded { kind, status: OperationStatus::Succeeded });
        let tick = Measurement::Tick { scheduled: 2, settled: 0, lateness: Duration::from_millis(61_250) };
        let mails = [Delivery::Sent, Delivery::Failed].map(Measurement::Mail);
        requests
            .into_iter()
            .chain(runs.map(|status| Measurement::RunEnded { status }))
            .chain(ended)
            .chain([tick, Measurement::StepFailed, Measurement::EventFailed])
            .chain(mails)
            .collect()
    }

    fn line(measurement: &Measurement) -> Value {
        let metrics =
            EmbeddedMetrics { namespace: "mainsheet".to_owned(), function: "mainsheet-Workloads-1".to_owned() };
        metrics.line(Timestamp::from_millisecond(1_700_000_000_123), measurement, Some("Root=1-6b0".to_owned()))
    }

    /// What the specification requires of a line, and no less: "Embedded metric format specification", structure.
    #[test]
    fn lines_are_as_the_specification_has_them() {
        for measurement in measurements() {
            let line = line(&measurement);
            let text = line.to_string();
            assert!(!text.contains('\n') && text.len() < 256 * 1024, "{text}");
            assert_eq!(line["_aws"]["Timestamp"], 1_700_000_000_123_i64, "{line}");
            let [directive] = &line["_aws"]["CloudWatchMetrics"].as_array().unwrap()[..] else { panic!("{line}") };
            let namespace = directive["Namespace"].as_str().unwrap();
            assert!((1..=1024).contains(&namespace.len()), "{line}");
            for set in directive["Dimensions"].as_array().unwrap() {
                let names: BTreeSet<&str> = set.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
                assert!(names.len() == set.as_array().unwrap().len() && names.len() <= 30, "{line}");
                for name in names {
                    let value = line[name].as_str().unwrap_or_else(|| panic!("{name} of {line}"));
                    assert!((1..=250).contains(&name.len()) && (1..=1024).contains(&value.len()), "{line}");
                }
            }
            let metrics = directive["Metrics"].as_array().unwrap();
            assert!((1..=100).contains(&metrics.len()), "{line}");
            for metric in metrics {
                let name = metric["Name"].as_str().unwrap();
                assert!((1..=1024).contains(&name.len()) && line[name].is_number(), "{name} of {line}");
                assert!(UNITS.contains(&metric["Unit"].as_str().unwrap()), "{line}");
            }
        }
    }

    #[test]
    fn what_was_measured_is_there() {
        let measured = measurements();
        let request = line(&measured[1]);
        assert_eq!((&request["Requests"], &request["Latency"]), (&json!(1.0), &json!(12.5)));
        assert_eq!(
            (&request["FunctionName"], &request["Answer"]),
            (&json!("mainsheet-Workloads-1"), &json!("refused"))
        );
        assert_eq!(request["operation"], "GET /api/v1/workloads/jobs/{job}");
        assert_eq!(request["xrayTraceId"], "Root=1-6b0");
        let tick = measured.iter().find(|each| matches!(each, Measurement::Tick { .. })).unwrap();
        assert_eq!((&line(tick)["RunsScheduled"], &line(tick)["Lateness"]), (&json!(2.0), &json!(61.25)));
    }

    /// A metric with other dimensions is another one, which no alarm watches and no dashboard shows.
    #[test]
    fn each_metric_has_its_dimensions() {
        let mut measured = BTreeSet::new();
        for measurement in measurements() {
            let line = line(&measurement);
            let directive = &line["_aws"]["CloudWatchMetrics"][0];
            for metric in directive["Metrics"].as_array().unwrap() {
                measured.insert(format!("{} {}", metric["Name"].as_str().unwrap(), directive["Dimensions"]));
            }
        }
        let known = [
            r#"EventsFailed [["FunctionName"]]"#,
            "Lateness [[]]",
            r#"Latency [["FunctionName","Answer"]]"#,
            r#"Mails [["Delivery"]]"#,
            r#"OperationsEnded [["Operation","Status"]]"#,
            r#"Requests [["FunctionName","Answer"]]"#,
            r#"RunsEnded [["Status"]]"#,
            "RunsScheduled [[]]",
            "RunsSettled [[]]",
            "StepsFailed [[]]",
        ];
        assert_eq!(measured, BTreeSet::from(known.map(str::to_owned)));
    }
}
