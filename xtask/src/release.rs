//! Programs of the tests that run for long or measure: built with optimisation, beside a collector
//! built the same way, with their output where a person sees it. Knows none of them.

use crate::process::Task;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where both are built.
const FOLDER: &str = "target/release";
/// Tells the program which collector to use.
const BINARY_VARIABLE: &str = "UPRIVER_BINARY";

/// Builds the collector and a program of the crate of tests.
///
/// # Errors
/// It does not compile.
pub(crate) fn program(root: &Path, name: &str) -> Result<PathBuf> {
    let words = format!(
        "build --release --locked -p upriver-collector --bin upriver -p upriver-tests --bin {name}"
    );
    Task::cargo(root)
        .words(&words)
        .run(&format!("build {name}"))?;
    Ok(root.join(FOLDER).join(name))
}

/// Runs a program to its end.
///
/// # Errors
/// It cannot be started, or failed.
pub(crate) fn run(
    root: &Path,
    program: &Path,
    words: &str,
    variables: &[(&str, &Path)],
) -> Result<()> {
    let status = Command::new(program)
        .args(words.split_whitespace())
        .env(BINARY_VARIABLE, root.join(FOLDER).join("upriver"))
        .envs(variables.iter().copied())
        .current_dir(root)
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    ensure!(
        status.success(),
        "{} ended with {status}",
        program.display()
    );
    Ok(())
}
