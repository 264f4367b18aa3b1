#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mainsheet_testkit::attack::schedule(data));
