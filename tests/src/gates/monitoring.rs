//! What is watched of the deployment (`template.yaml`): nothing that it is made of is without its log, its alarm and its place on the
//! dashboard.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};

use mainsheet_store::outbox::KEPT;
use mainsheet_testkit::TestApp;
use serde_json::{Value, json};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::deployment::{program, resources, template};

/// In seconds.
const DAY: u64 = 24 * 3600;

const ALARM: &str = "AWS::CloudWatch::Alarm";
const FUNCTION: &str = "AWS::Serverless::Function";
/// The names of our own metrics stand there.
const METER: &str = include_str!("../../../shared/cloud/src/aws/meter.rs");

#[test]
fn each_log_is_kept_for_as_long_as_was_chosen() {
    let template = template();
    let mut used = BTreeSet::new();
    for (id, function) in resources(&template, FUNCTION) {
        let log = function["Properties"]["LoggingConfig"]["LogGroup"].as_str().unwrap_or_else(|| panic!("{id}"));
        assert!(used.insert(log.to_owned()), "{id} writes to another one's log");
    }
    let of_functions = used.clone();
    for (id, machine) in resources(&template, "AWS::Serverless::StateMachine") {
        let log = &machine["Properties"]["Logging"]["Destinations"][0]["CloudWatchLogsLogGroup"]["LogGroupArn"];
        used.insert(log.as_str().unwrap_or_else(|| panic!("{id}")).trim_end_matches(".Arn").to_owned());
    }
    for (id, stage) in resources(&template, "AWS::ApiGatewayV2::Stage") {
        let log = stage["Properties"]["AccessLogSettings"]["DestinationArn"].as_str();
        used.insert(log.unwrap_or_else(|| panic!("{id}")).trim_end_matches(".Arn").to_owned());
    }
    let groups = resources(&template, "AWS::Logs::LogGroup");
    assert_eq!(used, groups.keys().cloned().collect::<BTreeSet<_>>());
    for (id, group) in groups {
        assert_eq!(group["Properties"]["RetentionInDays"], "LogRetentionDays", "{id}");
        // Of any other name, each would take some of the 5,120 bytes of the policy that lets services write (CloudWatch Logs, AWS services
        // that publish logs).
        let name = group["Properties"]["LogGroupName"].as_str().unwrap_or_default();
        assert!(of_functions.contains(&id) || name.starts_with("/aws/vendedlogs/"), "{id}: {name}");
    }
}

/// A measurement's line has no level, and AWS Lambda takes it for `INFO`: with a higher one, no metric would be made of any.
#[test]
fn no_log_leaves_out_what_is_measured() {
    let template = template();
    let functions = resources(&template, FUNCTION);
    let of_all = &template["Globals"]["Function"]["LoggingConfig"];
    assert_eq!(of_all["LogFormat"], "JSON");
    for logging in functions.values().map(|function| &function["Properties"]["LoggingConfig"]).chain([of_all]) {
        assert!(logging["ApplicationLogLevel"].is_null(), "{logging}");
    }
}

/// A log, to be read again.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn logs_have_routes_and_not_the_tokens_of_invitations_in_paths() {
    for stage in resources(&template(), "AWS::ApiGatewayV2::Stage").into_values() {
        let format = stage["Properties"]["AccessLogSettings"]["Format"].as_str().unwrap().to_owned();
        assert!(format.contains("$context.routeKey") && !format.to_lowercase().contains("path"), "{format}");
    }
    let app = TestApp::start().await;
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(LevelFilter::DEBUG).with_ansi(false);
    let guard = subscriber.with_writer(move || writer.clone()).finish().set_default();
    let _ = app.anonymous().get("/org/invites/a-token-of-a-mail").await.expect(404);
    let _ = app.anonymous().post("/org/invites/a-token-of-a-mail/accept", json!({})).await.expect(404);
    drop(guard);
    let lines = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for route in ["/api/v1/org/invites/{token}\"", "/api/v1/org/invites/{token}/accept\""] {
        assert!(lines.contains(route), "{lines}");
    }
    assert!(!lines.contains("a-token-of-a-mail"), "{lines}");
}

#[test]
fn of_each_function_errors_and_throttles_ring() {
    let template = template();
    let alarms = resources(&template, ALARM);
    for id in resources(&template, FUNCTION).into_keys() {
        for metric in ["Errors", "Throttles"] {
            let alarm = &alarms.get(&format!("{id}{metric}")).unwrap_or_else(|| panic!("{id}{metric}"))["Properties"];
            assert_eq!((&alarm["Namespace"], &alarm["MetricName"]), (&json!("AWS/Lambda"), &json!(metric)), "{id}");
            assert_eq!(alarm["Dimensions"], json!([{ "Name": "FunctionName", "Value": id }]), "{metric}");
        }
    }
}

/// A function that answers 500 has not failed, says AWS Lambda.
#[test]
fn of_each_function_that_answers_requests_failures_ring() {
    let template = template();
    let alarms = resources(&template, ALARM);
    for integration in resources(&template, "AWS::ApiGatewayV2::Integration").into_values() {
        let id = integration["Properties"]["IntegrationUri"].as_str().unwrap().trim_end_matches(".Alias");
        let failed = json!([{ "Name": "FunctionName", "Value": id }, { "Name": "Answer", "Value": "failed" }]);
        let watches = |alarm: &Value| alarm["MetricName"] == "Requests" && alarm["Dimensions"] == failed;
        assert!(alarms.values().any(|alarm| watches(&alarm["Properties"])), "{id}");
    }
}

/// Nor has one that answers which events it failed at.
#[test]
fn of_each_function_that_takes_events_failures_ring() {
    let template = template();
    let (alarms, functions) = (resources(&template, ALARM), resources(&template, FUNCTION));
    for source in resources(&template, "AWS::Lambda::EventSourceMapping").into_values() {
        assert_eq!(source["Properties"]["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
        let id = source["Properties"]["FunctionName"].as_str().unwrap().trim_end_matches(".Alias");
        let (measured, metric, dimension) = if id == "Notifier" {
            ("Measurement::Mail(", "Mails", json!({ "Name": "Delivery", "Value": "failed" }))
        } else {
            ("Measurement::EventFailed", "EventsFailed", json!({ "Name": "FunctionName", "Value": id }))
        };
        assert!(program(&functions[id]).contains(measured), "{id}");
        let watches = |alarm: &Value| alarm["MetricName"] == metric && alarm["Dimensions"] == json!([dimension]);
        assert!(alarms.values().any(|alarm| watches(&alarm["Properties"])), "{id}");
    }
}

#[test]
fn alarms_reach_somebody_and_watch_what_there_is() {
    for (id, alarm) in resources(&template(), ALARM) {
        let properties = &alarm["Properties"];
        let actions = json!(["HasAlarmTopic", ["AlarmTopicArn"], "AWS::NoValue"]);
        assert_eq!(properties["AlarmActions"], actions, "{id}");
        assert!(properties["AlarmDescription"].is_string(), "{id}");
        let metric = properties["MetricName"].as_str().unwrap();
        let is_ours = properties["Namespace"] == "AWS::StackName";
        let is_measured = METER.contains(&format!("Metric(\"{metric}\""));
        assert_eq!(is_ours, is_measured, "{id}: {metric} is in another namespace, or nobody measures it");
        // What does not come does not show in any metric.
        let missing = if id.ends_with("Silent") { "breaching" } else { "notBreaching" };
        assert_eq!(properties["TreatMissingData"], missing, "{id}");
    }
}

/// A function that nobody calls fails at nothing, and what it should have been called with is lost after a while.
#[test]
fn queues_and_streams_that_nobody_reads_ring() {
    /// How often a message comes before SQS leaves it out of the age of the oldest.
    const LEFT_OUT_AFTER: u64 = 3;
    let template = template();
    let (alarms, queues) = (resources(&template, ALARM), resources(&template, "AWS::SQS::Queue"));
    let mut sources = resources(&template, "AWS::Lambda::EventSourceMapping");
    // That of dead letters is off until an operator redrives them.
    sources.retain(|_, source| source["Properties"]["Enabled"] != false);
    let stream = sources.remove("RelaySource").unwrap();
    // Its label is what its ARN ends with: `arn:aws:dynamodb:REGION:ACCOUNT:table/TABLE/stream/LABEL`.
    let of_stream = json!([
        { "Name": "TableName", "Value": "Table" },
        { "Name": "StreamLabel", "Value": [3, ["/", stream["Properties"]["EventSourceArn"]]] },
        { "Name": "Operation", "Value": "GetRecords" },
    ]);
    assert_eq!(alarms["RelaySilent"]["Properties"]["Dimensions"], of_stream);
    assert!(!sources.is_empty());
    for (id, source) in sources {
        let queue = source["Properties"]["EventSourceArn"].as_str().unwrap().trim_end_matches(".Arn");
        let of_queue = json!([{ "Name": "QueueName", "Value": format!("{queue}.QueueName") }]);
        let alarm = alarms
            .values()
            .map(|alarm| &alarm["Properties"])
            .find(|alarm| alarm["MetricName"] == "ApproximateAgeOfOldestMessage" && alarm["Dimensions"] == of_queue);
        let longest = alarm.unwrap_or_else(|| panic!("{id}"))["Threshold"].as_u64().unwrap();
        let queue = &queues[queue]["Properties"];
        assert!(
            longest > LEFT_OUT_AFTER * queue["VisibilityTimeout"].as_u64().unwrap(),
            "{id}: it rings for one message"
        );
        assert!(longest + DAY < queue["MessageRetentionPeriod"].as_u64().unwrap(), "{id}: nobody has a day to mend it");
    }
}

/// DynamoDB counts throttles of an index for itself.
#[test]
fn throttles_of_the_table_and_its_index_ring() {
    let template = template();
    let alarms = resources(&template, ALARM);
    for (id, table) in resources(&template, "AWS::DynamoDB::Table") {
        let whole = json!([{ "Name": "TableName", "Value": id }]);
        let of_index = |index: &Value| {
            let name = &index["IndexName"];
            json!([{ "Name": "TableName", "Value": id }, { "Name": "GlobalSecondaryIndexName", "Value": name }])
        };
        let indexes = table["Properties"]["GlobalSecondaryIndexes"].as_array().unwrap();
        for dimensions in indexes.iter().map(of_index).chain([whole]) {
            for metric in ["ReadThrottleEvents", "WriteThrottleEvents"] {
                let watches = |alarm: &Value| alarm["MetricName"] == metric && alarm["Dimensions"] == dimensions;
                assert!(alarms.values().any(|alarm| watches(&alarm["Properties"])), "{metric} of {dimensions}");
            }
        }
    }
}

/// Whatever is set aside lies in a queue that gives to no other, and somebody hears of it.
#[test]
fn what_is_set_aside_rings_an_alarm() {
    let template = template();
    let alarms = resources(&template, ALARM);
    let watched: BTreeSet<&str> =
        alarms.values().filter_map(|alarm| alarm["Properties"]["Dimensions"][0]["Value"].as_str()).collect();
    let mut last: BTreeSet<String> = BTreeSet::new();
    for (id, queue) in resources(&template, "AWS::SQS::Queue") {
        if queue["Properties"]["RedrivePolicy"].is_null() {
            // Events can be carried again for as long as somebody may ask for it, and are set aside up to a day after they were made.
            let kept = queue["Properties"]["MessageRetentionPeriod"].as_u64().unwrap();
            assert!(kept == 14 * DAY && kept + DAY < KEPT.as_secs(), "{id}");
            assert!(watched.contains(format!("{id}.QueueName").as_str()), "{id}");
            last.insert(format!("{id}.Arn"));
        }
    }
    let provisioner = &resources(&template, FUNCTION)["Provisioner"]["Properties"];
    let stopped = &provisioner["Events"]["ExecutionStopped"]["Properties"];
    for (place, queue) in [
        ("the rule", &stopped["DeadLetterConfig"]["Arn"]),
        ("its calls", &provisioner["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"]),
    ] {
        assert!(queue.as_str().is_some_and(|queue| last.contains(queue)), "{place}: {queue}");
    }
    assert!(watched.contains("ProvisionerExecutionStopped"), "executions that stopped");
}

/// A namespace may have hyphens, as names of stacks have: CloudWatch finds nothing by such a one without quotation marks.
#[test]
fn the_dashboard_searches_by_namespaces_in_quotation_marks() {
    let template = template();
    let body: Value = serde_json::from_str(&dashboard(&template).replace("${AWS::StackName}", "main-sheet")).unwrap();
    let mut searches = Vec::new();
    for widget in body["widgets"].as_array().unwrap() {
        let metrics = widget["properties"]["metrics"].as_array().unwrap().iter();
        searches.extend(metrics.filter_map(|metric| metric[0]["expression"].as_str()));
    }
    assert!(!searches.is_empty());
    for search in searches {
        assert!(search.starts_with(r#"SEARCH('{"main-sheet","#), "{search}");
    }
}

#[test]
fn the_dashboard_shows_each_function_dead_letter_queue_and_measurement() {
    let template = template();
    let body = dashboard(&template);
    for id in resources(&template, FUNCTION).into_keys() {
        for metric in ["Errors", "Throttles", "Duration"] {
            let shown = format!(r#"["AWS/Lambda", "{metric}", "FunctionName", "${{{id}}}""#);
            assert!(body.contains(&shown), "{metric} of {id}");
        }
    }
    for (id, queue) in resources(&template, "AWS::SQS::Queue") {
        assert!(
            queue["Properties"]["RedrivePolicy"].is_object() || body.contains(&format!("${{{id}.QueueName}}")),
            "{id}"
        );
    }
    let measured = METER.split("Metric(\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    for metric in measured {
        let is_shown = body.contains(&format!(r#""{metric}""#)) || body.contains(&format!(r#"\"{metric}\""#));
        assert!(is_shown, "{metric}");
    }
}

fn dashboard(template: &Value) -> &str {
    template["Resources"]["Dashboard"]["Properties"]["DashboardBody"].as_str().unwrap()
}
