//! The figures as a table in Markdown, and whether they are within their bars.

use std::process::ExitCode;

use super::Package;
use super::rounds::{Figures, Rounds};
use crate::statistics::median;

/// One of the figures.
struct Measure {
    name: &'static str,
    unit: &'static str,
    of: fn(&Figures) -> f64,
    /// The most that Mainsheet may take, in terms of another one. What has no bar is only shown.
    bars: &'static [(Package, f64)],
}

const MEASURES: [Measure; 8] = [
    Measure {
        name: "start to first answer",
        unit: "ms",
        of: |figures| figures.cold,
        bars: &[(Package::Node, 0.1), (Package::Go, 1.0)],
    },
    Measure { name: "`GET /workloads/jobs/{job}`, p50", unit: "ms", of: |figures| figures.job.p50, bars: &[] },
    Measure { name: "`GET /workloads/jobs/{job}`, p99", unit: "ms", of: |figures| figures.job.p99, bars: &[] },
    Measure {
        name: "`GET /workloads/jobs/{job}`, processor time",
        unit: "ms",
        of: |figures| figures.job.cpu,
        bars: &[(Package::Node, 0.25), (Package::Go, 0.67)],
    },
    Measure { name: "`GET /workloads/jobs?limit=20`, p50", unit: "ms", of: |figures| figures.list.p50, bars: &[] },
    Measure { name: "`GET /workloads/jobs?limit=20`, p99", unit: "ms", of: |figures| figures.list.p99, bars: &[] },
    Measure {
        name: "`GET /workloads/jobs?limit=20`, processor time",
        unit: "ms",
        of: |figures| figures.list.cpu,
        bars: &[(Package::Node, 0.25), (Package::Go, 0.67)],
    },
    Measure { name: "most memory", unit: "MB", of: |figures| figures.memory, bars: &[(Package::Node, 0.125)] },
];

impl Measure {
    fn bar(&self, other: Package) -> Option<f64> {
        self.bars.iter().find(|(package, _)| *package == other).map(|(_, bar)| *bar)
    }
}

/// Prints both; fails when a bar is missed.
pub(super) fn print(all: &[Rounds], size: impl Fn(Package) -> u64) -> ExitCode {
    print_figures(all, &size);
    let ours = all.iter().find(|rounds| rounds.package == Package::Rust);
    if ours.is_some_and(|ours| !print_ratios(ours, all, &size)) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn print_figures(all: &[Rounds], size: impl Fn(Package) -> u64) {
    let row = |name: &str, cell: &dyn Fn(&Rounds) -> String| {
        let cells: Vec<String> = all.iter().map(cell).collect();
        println!("| {name} | {} |", cells.join(" | "));
    };
    println!("\nMedians of the rounds, and their range.\n");
    row("", &|rounds| rounds.package.title().to_owned());
    row("---", &|_| "---".to_owned());
    for measure in &MEASURES {
        row(measure.name, &|rounds| Spread::of(rounds.figures.iter().map(measure.of)).text(measure.unit));
    }
    row("package, zipped", &|rounds| format!("{:.1} MB", size(rounds.package) as f64 / 1e6));
}

/// Whether all bars are kept.
fn print_ratios(ours: &Rounds, all: &[Rounds], size: impl Fn(Package) -> u64) -> bool {
    println!("\n| Mainsheet in terms of | | Ratio | Bar |\n|---|---|---|---|");
    let mut kept = true;
    for other in all.iter().filter(|rounds| rounds.package != ours.package) {
        let title = other.package.title();
        for measure in &MEASURES {
            let pairs = ours.figures.iter().zip(&other.figures);
            let ratio = Spread::of(pairs.map(|(ours, other)| (measure.of)(ours) / (measure.of)(other)));
            let bar = measure.bar(other.package);
            let passes = bar.is_none_or(|bar| ratio.median <= bar);
            let text = ratio.text("");
            let text = if passes { text } else { format!("**{text}, missed**") };
            let name = measure.name;
            println!("| {title} | {name} | {text} | {} |", bar.map(|bar| bar.to_string()).unwrap_or_default());
            kept &= passes;
        }
        let ratio = size(ours.package) as f64 / size(other.package) as f64;
        println!("| {title} | package, zipped | {} | |", short(ratio));
    }
    kept
}

/// Figures of all rounds.
struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

impl Spread {
    fn of(figures: impl Iterator<Item = f64>) -> Self {
        let figures: Vec<f64> = figures.collect();
        let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
        let most = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Self { least, median: median(figures), most }
    }

    fn text(&self, unit: &str) -> String {
        let [least, median, most] = [self.least, self.median, self.most].map(short);
        if unit.is_empty() { format!("{median} ({least}-{most})") } else { format!("{median} {unit} ({least}-{most})") }
    }
}

/// Three digits that count.
fn short(figure: f64) -> String {
    let decimals = match figure {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        _ => 3,
    };
    format!("{figure:.decimals$}")
}
