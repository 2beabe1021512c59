//! `cargo xtask crash`: builds the collector, the collector with planted faults in a folder of its own,
//! and the harness, and runs it. What it does and compares is in `tests/crash`.

use crate::Crash;
use crate::process::{Ran, Task};
use crate::report::step;
use anyhow::{Result, ensure};
use std::path::Path;

/// The collector as it is shipped, built for debugging: its checks are on.
const COLLECTOR: &str = "target/debug/upriver";
/// Where the collector with planted faults is put, so that nobody takes it for the real one.
const PLANTED_FOLDER: &str = "target/planted";
/// Kinds of faults the short form tries: all.
const KINDS_IN_SHORT: u64 = 17;
const HARNESS: &str = "target/debug/crash";

/// Builds, runs, and passes on what it says.
///
/// # Errors
/// Something that was acknowledged was lost or counted twice, a planted fault was not caught, or
/// something broke.
pub(crate) fn run(root: &Path, flags: &Crash) -> Result<()> {
    build(root)?;
    let status = harness(root, flags).watch()?;
    ensure!(status.success(), "the crash harness ended with {status}");
    Ok(())
}

/// The short form, a part of `cargo xtask test`: each kind of fault once, and the planted ones.
/// What this machine cannot do is left out, and named in the log.
///
/// # Errors
/// It cannot be built or started.
pub(crate) fn in_short(root: &Path) -> Result<Ran> {
    build(root)?;
    let flags = Crash {
        runs: KINDS_IN_SHORT,
        seed: 1,
        only: String::new(),
        power: true,
        json: false,
    };
    harness(root, &flags).run_to_log("crash")
}

fn build(root: &Path) -> Result<()> {
    step("build the collector and the crash harness", || {
        Task::cargo(root)
            .words("build --locked -p upriver-collector --bin upriver -p upriver-tests --bin crash")
            .run("cargo build crash")
    })?;
    step("build a collector with planted faults", || {
        // What both have in common is built once, in the usual place.
        let shared = format!(
            "build.build-dir={:?}",
            root.join("target").display().to_string()
        );
        Task::cargo(root)
            .words("build --locked -p upriver-collector --bin upriver --features planted-faults")
            .arg("--target-dir")
            .arg(root.join(PLANTED_FOLDER))
            .arg("--config")
            .arg(shared)
            .run("cargo build planted")
    })?;
    Ok(())
}

fn harness(root: &Path, flags: &Crash) -> Task {
    let mut task = Task::new(root.join(HARNESS), root)
        .arg("--binary")
        .arg(root.join(COLLECTOR))
        .arg("--planted")
        .arg(root.join(PLANTED_FOLDER).join("debug/upriver"))
        .arg("--runs")
        .arg(flags.runs.to_string())
        .arg("--seed")
        .arg(flags.seed.to_string())
        .arg("--only")
        .arg(&flags.only);
    if flags.power {
        task = task.arg("--power");
    }
    if flags.json {
        task = task.arg("--json");
    }
    task
}
