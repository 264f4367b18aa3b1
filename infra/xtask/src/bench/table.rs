//! Results as a plain table.

use std::ops::RangeInclusive;

use crate::statistics::median;

/// A measurement over all rounds.
pub(super) struct Line {
    name: String,
    unit: &'static str,
    rounds: Vec<f64>,
    bar: Option<RangeInclusive<f64>>,
}

impl Line {
    /// A measurement that explains another one.
    pub(super) fn shown(name: impl Into<String>, unit: &'static str, rounds: Vec<f64>) -> Self {
        Self { name: name.into(), unit, rounds, bar: None }
    }

    /// So many of something, of which there must not be more than `most`.
    pub(super) fn counted(name: impl Into<String>, count: usize, most: usize) -> Self {
        Self::barred(name, "", vec![count as f64], most as f64)
    }

    /// A measurement whose median must not be above `bar`.
    pub(super) fn barred(name: impl Into<String>, unit: &'static str, rounds: Vec<f64>, bar: f64) -> Self {
        Self { bar: Some(0.0..=bar), ..Self::shown(name, unit, rounds) }
    }

    /// The ratio of two measurements, round by round, whose median must not be above `bar`.
    pub(super) fn ratio(name: impl Into<String>, of: &[f64], to: &[f64], bar: f64) -> Self {
        Self::ratio_within(name, of, to, 0.0..=bar)
    }

    /// The ratio of two measurements, round by round, whose median must be within `bar`.
    pub(super) fn ratio_within(name: impl Into<String>, of: &[f64], to: &[f64], bar: RangeInclusive<f64>) -> Self {
        let rounds = of.iter().zip(to).map(|(of, to)| of / to).collect();
        Self { bar: Some(bar), ..Self::shown(name, "x", rounds) }
    }

    pub(super) fn passes(&self) -> bool {
        self.bar.as_ref().is_none_or(|bar| bar.contains(&self.median()))
    }

    fn median(&self) -> f64 {
        median(self.rounds.iter().copied())
    }
}

/// Prints all lines under one head.
pub(super) fn print(lines: &[Line]) {
    println!("\n{:62} {:>9} {:>9} {:>9} {:4} {:>9}", "", "min", "median", "max", "unit", "bar");
    for line in lines {
        let least = line.rounds.iter().copied().fold(f64::INFINITY, f64::min);
        let most = line.rounds.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let bar = match &line.bar {
            None => String::new(),
            Some(bar) if *bar.start() <= 0.0 => format!("<= {}", bar.end()),
            Some(bar) => format!("{}-{}", bar.start(), bar.end()),
        };
        let verdict = if line.bar.is_none() {
            ""
        } else if line.passes() {
            "PASS"
        } else {
            "FAIL"
        };
        let (name, median, unit) = (&line.name, line.median(), line.unit);
        println!("{name:62} {least:9.3} {median:9.3} {most:9.3} {unit:4} {bar:>9} {verdict}");
    }
}
