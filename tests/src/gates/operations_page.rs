//! The page that somebody has before them at three in the morning (`infra/docs/operations.md`) against what is deployed: what it names is
//! there, and what rings is explained.

use std::collections::BTreeSet;

use serde_json::Value;

use super::deployment::{resources, template};

const PAGE: &str = include_str!("../../../infra/docs/operations.md");
const BENCHMARK: &str = include_str!("../../bench/run");
const METER: &str = include_str!("../../../shared/cloud/src/aws/meter.rs");
/// What SAM makes of functions that are deployed gradually.
const OF_SAM: &str = "ServerlessDeploymentApplication";
/// Names that are none of the template's: of AWS's answers and languages, and of its properties.
const OF_AWS: [&str; 11] = [
    "AWSLambdaBasicExecutionRole",
    "AWSXrayWriteOnlyAccess",
    "Body",
    "EventSourceArn",
    "FunctionError",
    "FunctionVersion",
    "LastProcessingResult",
    "Map",
    "TaskHandle",
    "ThrottlingRateLimit",
    "VersionId",
];

/// The names in the first column of a table, of which each stands in a span of code.
fn first_column(table: &str) -> BTreeSet<&str> {
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.trim_start_matches("| ").split_once(" | ").unwrap().0);
    cells.flat_map(|names| names.split(", ").map(|name| name.trim_matches('`'))).collect()
}

/// What each occurrence of `beginning` goes on with, as far as it is a name.
fn names_after<'p>(text: &'p str, beginning: &str) -> Vec<&'p str> {
    let name = |rest: &'p str| rest.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default();
    let is_name = |name: &&str| name.starts_with(|letter: char| letter.is_ascii_uppercase());
    text.split(beginning).skip(1).map(name).filter(is_name).collect()
}

fn names_of(template: &Value, section: &str) -> BTreeSet<String> {
    template[section].as_object().unwrap().keys().cloned().collect()
}

/// It says what each parameter is, and its command gives those that have no default.
#[test]
fn the_page_has_every_parameter() {
    let (before, table) = PAGE.split_once("| Parameter | |\n|---|---|\n").unwrap();
    let names = first_column(table);
    let template = template();
    let parameters = template["Parameters"].as_object().unwrap();
    assert_eq!(names, parameters.keys().map(String::as_str).collect::<BTreeSet<_>>());
    for (name, parameter) in parameters {
        let given = before.contains(&format!(" {name}="));
        assert_eq!(given, parameter["Default"].is_null(), "{name} is given without need, or not given");
    }
}

#[test]
fn its_commands_name_what_there_is() {
    let template = template();
    let mut resources = names_of(&template, "Resources");
    resources.insert(OF_SAM.to_owned());
    for (command, known) in
        [("resource ", &resources), ("waiting ", &resources), ("output ", &names_of(&template, "Outputs"))]
    {
        let named = names_after(PAGE, command);
        assert!(!named.is_empty(), "{command}");
        assert_known(&named, known, command);
    }
    for command in PAGE.split("--parameter-overrides ").skip(1) {
        let command = command.split("```").next().unwrap();
        let given = command.split_whitespace().filter_map(|word| Some(word.split_once('=')?.0));
        let given: Vec<&str> = given.filter(|name| name.bytes().all(|byte| byte.is_ascii_alphabetic())).collect();
        assert!(given.contains(&"Revision"), "{command}");
        assert_known(&given, &names_of(&template, "Parameters"), command);
    }
}

#[track_caller]
fn assert_known(names: &[&str], known: &BTreeSet<String>, context: &str) {
    let unknown: Vec<&&str> = names.iter().filter(|name| !known.contains(**name)).collect();
    assert!(unknown.is_empty(), "{context}: {unknown:?}");
}

/// The template that accounts are connected with changes with the functions, which know the one that they were built with.
#[test]
fn an_upgrade_brings_what_customers_get() {
    let (_, upgrade) = PAGE.split_once("\n## Upgrade and roll back\n").unwrap();
    let upgrade = upgrade.split("\n## ").next().unwrap();
    for part in ["aws s3 cp infra/customer/connection.yaml s3://", "AgentImage=", "RuntimeImage="] {
        assert!(upgrade.contains(part), "{part}");
    }
}

/// Packages that are built together have the features of their libraries in common.
#[test]
fn what_is_measured_is_built_from_the_packages_that_are_deployed() {
    let deployed = builds(PAGE);
    let [first, again] = &deployed[..] else { panic!("a deployment and an upgrade") };
    assert_eq!(first, again);
    assert_eq!(builds(BENCHMARK), std::slice::from_ref(first));
    assert!(first.contains("--exclude mainsheet-testkit"), "{first:?}");
}

/// What each command that builds functions says about packages.
fn builds(text: &str) -> Vec<BTreeSet<String>> {
    let text = text.replace("\\\n", " ");
    let commands = text.lines().filter(|line| line.contains("--profile dist"));
    let packages = |command: &str| -> BTreeSet<String> {
        let words: Vec<&str> = command.split_whitespace().collect();
        let excluded = words.windows(2).filter(|pair| pair[0] == "--exclude").map(|pair| pair.join(" "));
        let whole = words.iter().filter(|word| **word == "--workspace").map(|word| (*word).to_owned());
        excluded.chain(whole).collect()
    };
    commands.map(packages).collect()
}

#[test]
fn its_text_names_what_there_is() {
    let template = template();
    let mut known: BTreeSet<String> =
        ["Resources", "Parameters", "Outputs"].into_iter().flat_map(|section| names_of(&template, section)).collect();
    known.extend(METER.split('"').skip(1).step_by(2).map(str::to_owned));
    known.extend(OF_AWS.map(str::to_owned));
    let is_name = |span: &&str| {
        span.starts_with(|letter: char| letter.is_ascii_uppercase())
            && span.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && span.bytes().any(|byte| byte.is_ascii_lowercase())
    };
    // Between fences, the spans of code.
    let spans = PAGE.split("```").step_by(2).flat_map(|prose| prose.split('`').skip(1).step_by(2));
    assert_known(&spans.filter(is_name).collect::<Vec<_>>(), &known, "the text");
}

#[test]
fn it_explains_each_alarm() {
    let (_, table) = PAGE.split_once("| Alarm | What it means | What to do |\n|---|---|---|\n").unwrap();
    let listed = first_column(table);
    let alarms = resources(&template(), "AWS::CloudWatch::Alarm");
    for alarm in alarms.keys() {
        assert!(listed.iter().any(|entry| is_for(entry, alarm)), "{alarm}");
    }
    for entry in listed {
        assert!(alarms.keys().any(|alarm| is_for(entry, alarm)), "{entry}");
    }
}

/// Whether a row is about an alarm: by its name, or by what it ends with.
fn is_for(row: &str, alarm: &str) -> bool {
    row.strip_prefix('*').map_or(row == alarm, |end| alarm.ends_with(end))
}
