//! `cargo xtask oracle`: builds the collector and the oracle with optimisation and runs it. What it
//! compares is in `tests/oracle`.

use crate::report::step;
use crate::{Oracle, release};
use anyhow::Result;
use std::path::Path;

/// Builds, runs, and passes on what it says.
///
/// # Errors
/// A number differs, a planted fault was not seen, or something broke.
pub(crate) fn run(root: &Path, flags: &Oracle) -> Result<()> {
    let binary = step("build the collector and the oracle", || {
        release::program(root, "oracle")
    })?;
    let mut words = format!(
        "--cases {} --seed {} --large-visitors {} --whole {}",
        flags.cases, flags.seed, flags.large_visitors, flags.whole
    );
    if flags.json {
        words += " --json";
    }
    release::run(root, &binary, &words, &[])
}
