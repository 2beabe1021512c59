//! `cargo xtask bench`: builds the collector and the bench with optimisation and runs one of them.
//! What is measured is in `tests/bench`.

use crate::report::step;
use crate::{Bench, Measure, bench_handlers, bench_sdk, browser, npm, prerequisites, release, sdk};
use anyhow::Result;
use std::path::Path;

/// Where a browser is driven from.
const DRIVE: &str = "tests/browser";

/// Builds, runs, and passes on what it says.
///
/// # Errors
/// The figures are void, or something broke.
pub(crate) fn run(root: &Path, flags: &Bench) -> Result<()> {
    let mut chromium = None;
    let mut words = match &flags.measure {
        Measure::Ack { rate, seconds } => format!("ack --rate {rate} --seconds {seconds}"),
        Measure::Alerts { campaigns } => format!("alerts --campaigns {campaigns}"),
        Measure::Experiments { experiments } => format!("experiments --experiments {experiments}"),
        Measure::Latency { rate, seconds } => {
            prerequisites::check(root)?;
            chromium = Some(browser::find_or_install(root)?);
            sdk::build(root)?;
            npm::install(root, DRIVE)?;
            format!("latency --rate {rate} --seconds {seconds}")
        }
        Measure::Handlers { rounds } => return bench_handlers::run(root, *rounds, flags.json),
        Measure::Live { visitors } => format!("live --visitors {visitors}"),
        Measure::Outage { minutes, rate } => format!("outage --minutes {minutes} --rate {rate}"),
        Measure::Restart { mib } => format!("restart --mib {mib}"),
        Measure::Subscribers {
            subscribers,
            seconds,
        } => format!("subscribers --subscribers {subscribers} --seconds {seconds}"),
        Measure::Sql { rows } => format!("sql --rows {rows}"),
        Measure::Sdk { runs, only } => return bench_sdk::run(root, *runs, only, flags.json),
    };
    if flags.json {
        words += " --json";
    }
    let binary = step("build the collector and the bench", || {
        release::program(root, "bench")
    })?;
    let variables = chromium.as_deref().map(|path| ("CHROMIUM", path));
    release::run(root, &binary, &words, variables.as_slice())
}
