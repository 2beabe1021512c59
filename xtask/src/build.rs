//! `cargo xtask build`: everything that is shipped, in the order in which one part needs another:
//! the npm package, the dashboard (embedded in the binary), the demo shop (which installs the npm
//! package as a customer would), the engine library, the binary.

use crate::process::Task;
use crate::report::step;
use crate::{npm, prerequisites, sdk};
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};

/// The npm projects whose types are checked and whose tests are run.
pub(crate) const NPM_PROJECTS: [&str; 5] = [
    "sdk/npm",
    "sdk/npm/packaging",
    "sdk/examples",
    "dashboard",
    "demo-site",
];
/// The project that pins the engine library of the embedded ClickHouse.
const ENGINE_PROJECT: &str = "embedded-clickhouse";

/// Builds everything; returns the binary's path.
pub(crate) fn all(root: &Path, release: bool) -> Result<PathBuf> {
    web(root)?;
    binary(root, release)
}

/// Builds all but the binary.
pub(crate) fn web(root: &Path) -> Result<()> {
    step("prerequisites: wasm target, Node, npm", || {
        prerequisites::check(root)
    })?;
    let tarball = sdk::build(root)?.tarball;
    ensure!(tarball.exists(), "{} was not packed", tarball.display());
    npm::install(root, "dashboard")?;
    npm::run(root, "dashboard", "build")?;
    shop(root)?;
    npm::install(root, ENGINE_PROJECT)
}

/// Builds the shop with the npm package that was packed last.
fn shop(root: &Path) -> Result<()> {
    npm::install(root, "demo-site")?;
    npm::run(root, "demo-site", "build").map(drop)
}

fn binary(root: &Path, release: bool) -> Result<PathBuf> {
    let profile = if release { "release" } else { "debug" };
    step(&format!("cargo build upriver ({profile})"), || {
        let task = Task::cargo(root).words("build --locked -p upriver-collector --bin upriver");
        let task = if release { task.arg("--release") } else { task };
        task.run("cargo build upriver")
    })?;
    Ok(binary_path(root, release))
}

/// Where the binary is once it is built.
pub(crate) fn binary_path(root: &Path, release: bool) -> PathBuf {
    target_folder(root)
        .join(if release { "release" } else { "debug" })
        .join("upriver")
}

/// Cargo's target folder.
fn target_folder(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}
