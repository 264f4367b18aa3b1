//! Runs and ticks against a model of them: random sequences of what people, an agent, schedulers and time do, with crashes, lost
//! answers, and messages that come again and in disorder in between. After each step the table has to say what the model says.
//!
//! A plain test run tries some sequences; `MAINSHEET_MODEL_SEQUENCES=10000 cargo test --release --workspace --all-features --lib model` tries more.
//! They are the same each time; `PROPTEST_RNG_SEED` draws others.

mod reference;
mod schedule;
mod system;

use std::cell::Cell;
use std::num::NonZeroU32;
use std::sync::atomic::Ordering;

use mainsheet_testkit::environment;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use proptest_state_machine::ReferenceStateMachine;

use reference::Runs;
use system::System;

/// Sequences of a plain test run.
const SEQUENCES: u32 = 100;
/// What they are drawn from.
const SEED: u64 = 20_261_121;
/// The most steps in a sequence.
const STEPS: usize = 30;

#[test]
fn runs_and_ticks_do_what_their_model_does() {
    let sequences = environment::number("MAINSHEET_MODEL_SEQUENCES").map_or(SEQUENCES, NonZeroU32::get);
    let seed = match Config::default().rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => SEED,
    };
    // A control plane for each processor, which tries its part of them.
    let parts = std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap());
    let steps: usize = std::thread::scope(|scope| {
        // Seeds that people choose are near to each other: those of parts are not.
        let seed_of = |part: u32| seed.wrapping_add(u64::from(part) << 32);
        let part = |part: u32| scope.spawn(move || try_sequences(sequences.div_ceil(parts), seed_of(part)));
        let parts: Vec<_> = (0..parts).map(part).collect();
        parts.into_iter().map(|part| part.join().unwrap()).sum()
    });
    #[allow(clippy::print_stdout, reason = "a figure of a test, for whoever asks with `--nocapture`")]
    {
        println!("{sequences} sequences of {steps} steps in all, from seed {seed}");
    }
}

/// Tries so many sequences, and answers how many steps they had.
fn try_sequences(sequences: u32, seed: u64) -> usize {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let system = runtime.block_on(System::start());
    let rng_seed = RngSeed::Fixed(seed);
    let config = Config { cases: sequences, failure_persistence: None, rng_seed, ..Config::default() };
    let taken = Cell::new(0);
    let outcome = TestRunner::new(config).run(&Runs::sequential_strategy(1..=STEPS), |(mut model, steps, seen)| {
        runtime.block_on(async {
            let mut course = system.begin(&model).await;
            for step in &steps {
                if let Some(seen) = &seen {
                    seen.fetch_add(1, Ordering::SeqCst);
                }
                let before = model.clone();
                model = Runs::apply(model, step);
                course.take(step, &before, &model).await;
            }
            course.end(&model).await;
        });
        taken.set(taken.get() + steps.len());
        Ok::<(), TestCaseError>(())
    });
    if let Err(error) = outcome {
        panic!("from seed {seed}: {error}");
    }
    taken.get()
}
