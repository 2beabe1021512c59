//! `cargo xtask bench`: builds the collector and the bench with optimisation and runs one of them.
//! What is measured is in `tests/bench`.

use crate::report::step;
use crate::{Bench, Measure, bench_sdk, release};
use anyhow::Result;
use std::path::Path;

/// Builds, runs, and passes on what it says.
///
/// # Errors
/// The figures are void, or something broke.
pub(crate) fn run(root: &Path, flags: &Bench) -> Result<()> {
    let mut words = match &flags.measure {
        Measure::Ack { rate, seconds } => format!("ack --rate {rate} --seconds {seconds}"),
        Measure::Alerts { campaigns } => format!("alerts --campaigns {campaigns}"),
        Measure::Experiments { experiments } => format!("experiments --experiments {experiments}"),
        Measure::Live { visitors } => format!("live --visitors {visitors}"),
        Measure::Outage { minutes, rate } => format!("outage --minutes {minutes} --rate {rate}"),
        Measure::Restart { mib } => format!("restart --mib {mib}"),
        Measure::Sdk { runs, only } => return bench_sdk::run(root, *runs, only, flags.json),
    };
    if flags.json {
        words += " --json";
    }
    let binary = step("build the collector and the bench", || {
        release::program(root, "bench")
    })?;
    release::run(root, &binary, &words)
}
