//! `cargo xtask browsers`: the SDK's tests in Chromium, Firefox and WebKit, with a table of what passed,
//! what failed, and what each driver leaves out and why. Owns which tests are the short form that
//! `cargo xtask test` runs in the others than Chromium. Knows nothing of what is tested.

use crate::process::Task;
use crate::report::{Table, step_judged};
use crate::tally::{self, Tally};
use crate::{Browser, Browsers, browser, sdk};
use anyhow::{Result, bail};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

const PROJECT: &str = "sdk/npm";
/// A test file's ending.
const ENDING: &str = ".test.mjs";
/// What the short form runs: input of every kind, and what becomes of it.
const SHORT: [(Browser, &[&str]); 2] = [
    (Browser::Firefox, &["sdk", "pointer", "surfaces"]),
    (Browser::Webkit, &["sdk"]),
];

/// What a runner ended with, what it said, and where that is kept.
type Ran = (ExitStatus, String, PathBuf);

/// Runs all of it and prints the table.
///
/// # Errors
/// A test failed, or a browser that was asked for by name is not there.
pub(crate) fn run(root: &Path, flags: &Browsers) -> Result<()> {
    sdk::build(root)?;
    let mut table = Table::new(&["browser", "passed", "failed", "left out", "why"]);
    let mut told = Vec::new();
    let mut broken = Vec::new();
    for kind in [Browser::Chromium, Browser::Firefox, Browser::Webkit] {
        if flags.browser.is_some_and(|only| only != kind) {
            continue;
        }
        let name = kind.name();
        if let Err(missing) = browser::find_kind(root, kind) {
            if flags.browser.is_some() {
                return Err(missing);
            }
            let why = format!("{missing:#}");
            told.push(json!({"browser": name, "missing": why}));
            table.row([name, "-", "-", "all", &why]);
            continue;
        }
        let (status, text, log) = in_browser(root, kind, &files(root)?)?;
        let tally = Tally::read(&text);
        if !status.success() || tally.passed == 0 {
            eprintln!("{}\n  log {}", tally::failures(&text), log.display());
            broken.push(name);
        }
        let reasons = reasons(&text);
        told.push(
            json!({"browser": name, "passed": tally.passed, "failed": tally.failed,
            "left_out": tally.ignored, "why": reasons}),
        );
        let why: Vec<String> = reasons
            .iter()
            .map(|(why, count)| format!("{count} × {why}"))
            .collect();
        let numbers = [tally.passed, tally.failed, tally.ignored].map(|count| count.to_string());
        let [passed, failed, left_out] = numbers;
        table.row([name.to_owned(), passed, failed, left_out, why.join("; ")]);
    }
    if flags.json {
        println!("{}", serde_json::to_string_pretty(&told)?);
    } else {
        table.print();
    }
    if broken.is_empty() {
        return Ok(());
    }
    bail!("tests failed in {}", broken.join(", "))
}

/// The short form in a browser that is there; none for Chromium, which runs everything.
pub(crate) fn short(root: &Path, kind: Browser) -> Option<impl Fn() -> Result<Ran>> {
    let (_, names) = SHORT.iter().find(|(it, _)| *it == kind)?;
    let files: Vec<_> = names
        .iter()
        .map(|name| format!("test/{name}{ENDING}"))
        .collect();
    Some(move || in_browser(root, kind, &files))
}

fn in_browser(root: &Path, kind: Browser, files: &[String]) -> Result<Ran> {
    let name = kind.name();
    let mut task = Task::new("node", &root.join(PROJECT))
        .words("--test --test-concurrency=1 --test-reporter=tap")
        .env("BROWSER", name);
    for (variable, file) in browser::find_kind(root, kind)? {
        task = task.env(variable, file);
    }
    for file in files {
        task = task.arg(file);
    }
    let step = format!("the SDK's tests in {name}");
    let went_well = |ran: &Ran| ran.0.success();
    step_judged(&step, went_well, || {
        task.run_to_log(&format!("browsers {name}"))
    })
}

fn files(root: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(root.join(PROJECT).join("test"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(ENDING) {
            files.push(format!("test/{name}"));
        }
    }
    files.sort();
    Ok(files)
}

/// Why tests were left out, and how many for each reason.
fn reasons(text: &str) -> BTreeMap<String, usize> {
    let mut reasons = BTreeMap::new();
    for line in text.lines() {
        if let Some((_, why)) = line.split_once("# SKIP ") {
            *reasons.entry(why.trim().to_owned()).or_insert(0) += 1;
        }
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted() {
        let text = "ok 1 - a # SKIP no touch\nok 2 - b\nok 3 - c # SKIP no touch\nok 4 - d # SKIP no pen\n";
        let all = reasons(text);
        assert_eq!(all.get("no touch"), Some(&2));
        assert_eq!(all.get("no pen"), Some(&1));
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn the_short_form_names_files_that_are_there() {
        let all = files(crate::root()).unwrap();
        for (_, names) in SHORT {
            for name in names {
                assert!(all.contains(&format!("test/{name}{ENDING}")), "{name}");
            }
        }
    }
}
