//! `cargo xtask deny`: cargo-deny at a pinned version, installed into `target/tools` from its
//! source. Slower than `check`, and its advisories need the network, so it is a step of its own.

use crate::process::Task;
use crate::report::{Table, step};
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

const VERSION: &str = "0.20.2";

/// Runs all its checks.
///
/// # Errors
/// One of them failed. Advisories that cannot be fetched are told, not counted as a failure.
pub(crate) fn run(root: &Path) -> Result<()> {
    let tool = install(root)?;
    let mut table = Table::new(&["check", "result"]);
    let mut failed = Vec::new();
    for what in ["licenses", "bans", "sources"] {
        let result = step(what, || {
            deny(&tool, root, what).run(&format!("cargo-deny {what}"))
        });
        table.row([what, if result.is_ok() { "passed" } else { "FAILED" }]);
        failed.extend(result.err());
    }
    let (status, text, _) = deny(&tool, root, "advisories").run_to_log("cargo-deny advisories")?;
    let unreachable = [
        "failed to fetch",
        "failed to load advisory database",
        "error sending request",
    ];
    let fetched = status.success() || !unreachable.iter().any(|sign| text.contains(sign));
    table.row([
        "advisories",
        match (status.success(), fetched) {
            (true, _) => "passed",
            (false, true) => "FAILED",
            (false, false) => "not checked: the advisory database cannot be reached from here",
        },
    ]);
    if fetched && !status.success() {
        failed.push(anyhow::anyhow!(text));
    }
    table.print();
    if failed.is_empty() {
        return Ok(());
    }
    let said: Vec<String> = failed.iter().map(|error| format!("{error:#}")).collect();
    bail!("{}", said.join("\n"))
}

fn deny(tool: &Path, root: &Path, what: &str) -> Task {
    Task::new(tool, root)
        .words("--color never --locked check")
        .arg(what)
}

fn install(root: &Path) -> Result<PathBuf> {
    let folder = root
        .join("target/tools")
        .join(format!("cargo-deny-{VERSION}"));
    let tool = folder.join("bin/cargo-deny");
    if !tool.exists() {
        step(
            &format!("install cargo-deny {VERSION} (once, some minutes)"),
            || {
                Task::cargo(root)
                    .words("install --locked cargo-deny --version")
                    .arg(VERSION)
                    .arg("--root")
                    .arg(&folder)
                    .mend("needs the network once")
                    .run("cargo install cargo-deny")
            },
        )?;
    }
    Ok(tool)
}
