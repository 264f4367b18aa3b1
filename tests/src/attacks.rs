//! Bytes of any kind, taken to where they would go: what is drawn here, and what libFuzzer found before (`tests/fuzz`).

use std::path::Path;

use mainsheet_testkit::attack;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use rstest::rstest;

/// How many bytes are drawn for each target.
const CASES: u32 = 200;

/// Tries a target on what `tests/fuzz/corpus` has for it, and on what is drawn, always the same.
#[rstest]
#[case::schedules(
    "schedule",
    attack::schedule,
    r#"[\x00-\x45](@[a-z]{1,9}|([*0-9A-Z,#L/-]{1,6} ){4}[*0-9A-Z,#L/-]{1,6})"#
)]
#[case::addresses(
    "address",
    attack::address,
    r#"(https?://)?([a-z.:@0-9xX%]{0,20}|[0-9]{1,3}(\.[0-9]{1,3}){0,3}|\[[0-9a-f:.]{2,30}\])(:[0-9]{1,5})?"#
)]
#[case::markers("marker", attack::marker, r#"[a-zA-Z0-9_=-]{0,200}"#)]
#[case::tokens("token", attack::token, r#"([a-zA-Z0-9_-]{0,80}\.){0,4}[a-zA-Z0-9_-]{0,80}|ms[ka]_[a-zA-Z0-9_]{0,60}"#)]
#[case::proofs("proof", attack::proof, r#"([a-zA-Z0-9_-]{0,80}\.){0,4}[a-zA-Z0-9_-]{0,80}"#)]
#[case::bodies(
    "body",
    attack::body,
    r#"[\x00-\x7f]\{("[a-zA-Z]{1,12}":("[^"\\]{0,30}"|[0-9]{1,20}|null|true|\[\]),){0,3}"name":"[a-z]{0,9}"\}"#
)]
fn nothing_comes_of_what_others_send_that_must_not(#[case] name: &str, #[case] target: fn(&[u8]), #[case] text: &str) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut known: Vec<_> = corpus.read_dir().unwrap().map(|file| file.unwrap().path()).collect();
    known.sort();
    let known: Vec<_> = known.into_iter().map(|path| std::fs::read(path).unwrap()).collect();
    assert!(!known.is_empty(), "no corpus of {name}");
    known.iter().for_each(|data| target(data));
    let bytes = prop_oneof![
        proptest::string::string_regex(text).unwrap().prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..64),
    ];
    let rng_seed = RngSeed::Fixed(20_261_121);
    let config = Config { cases: CASES, failure_persistence: None, rng_seed, ..Config::default() };
    let tried = TestRunner::new(config).run(&bytes, |data| {
        target(&data);
        Ok(())
    });
    tried.unwrap();
}
