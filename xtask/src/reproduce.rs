//! `cargo xtask reproduce`: builds the npm package here and in a copy of the checkout elsewhere, and holds
//! both to the same bytes. Owns the copy and the comparison; knows nothing of how it is built.

use crate::process::Task;
use crate::report::{Table, step};
use crate::sdk;
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::path::Path;

/// The other folder: of another depth and length than any checkout's.
const ELSEWHERE: &str = "target/reproduce/a folder/elsewhere";
const DIST: &str = "sdk/npm/dist";

/// Builds it twice and compares.
///
/// # Errors
/// A file differs; the table says which.
pub(crate) fn run(root: &Path) -> Result<()> {
    let here = sdk::build(root)?.tarball;
    let elsewhere = root.join(ELSEWHERE);
    step("copy what is checked in", || copy(root, &elsewhere))?;
    let there = sdk::build(&elsewhere)?.tarball;

    let mut table = Table::new(&["file", "bytes", "the same"]);
    let mut differing = Vec::new();
    let mut compare = |name: &str, one: &Path, other: &Path| -> Result<()> {
        let read = |path: &Path| std::fs::read(path).unwrap_or_default();
        let (one, other) = (read(one), read(other));
        let same = one == other && !one.is_empty();
        let said = if same { "yes" } else { "NO" };
        table.row([name.to_owned(), one.len().to_string(), said.to_owned()]);
        if !same {
            differing.push(name.to_owned());
        }
        Ok(())
    };
    for name in names(&root.join(DIST))?.union(&names(&elsewhere.join(DIST))?) {
        let [one, other] = [root, &elsewhere].map(|folder| folder.join(DIST).join(name));
        compare(name, &one, &other)?;
    }
    compare("the packed package", &here, &there)?;
    table.print();
    if differing.is_empty() {
        return Ok(());
    }
    bail!("not the same in two folders: {}", differing.join(", "))
}

fn names(folder: &Path) -> Result<BTreeSet<String>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("{} is not built", folder.display()))?;
    entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

/// The files git knows of, as they are now.
fn copy(root: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    let listed = Task::new("git", root)
        .words("ls-files --cached --others --exclude-standard")
        .read()
        .context("what is checked in is asked of git")?;
    for name in listed.lines() {
        let (from, to) = (root.join(name), to.join(name));
        // Removed, and not yet said so.
        if !from.is_file() {
            continue;
        }
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(())
}
