//! `cargo xtask bench sdk`: one scripted visit in a real browser, with no SDK, with Upriver and with
//! its rivals, and the promises the SDK makes about it.
//!
//! Owns the promises and the table. The visit and the measuring are in `sdk/npm/rivals`.

use crate::process::Task;
use crate::report::{Table, say, step};
use crate::{browser, npm, prerequisites, sdk};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::path::Path;

const PROJECT: &str = "sdk/npm/rivals";
/// Body bytes of the visit in requests.
const BODY_BYTES_MAX: f64 = 3.0 * 1024.0;
/// Requests of the visit where no stream gets through.
const REQUESTS_MAX: f64 = 6.0;
/// Load over that of the page without any SDK.
const LOAD_MS_MAX: f64 = 15.0;
/// Heap over that of the page without any SDK.
const HEAP_BYTES_MAX: f64 = 200.0 * 1024.0;

#[derive(Deserialize)]
struct Report {
    presses: f64,
    contenders: Vec<Contender>,
}

/// Medians over the runs; `presses` is the least of them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Contender {
    name: String,
    load_ms: f64,
    script_ms: f64,
    heap_bytes: f64,
    gzip_bytes: f64,
    requests: f64,
    preflights: f64,
    body_bytes: f64,
    presses: f64,
    leaks: bool,
}

/// Builds the package, plays the visits, and judges.
///
/// # Errors
/// A promise is broken, or the visits could not be played.
pub(crate) fn run(root: &Path, runs: u32, only: &str, json: bool) -> Result<()> {
    prerequisites::check(root)?;
    let chromium = browser::find_or_install(root)?;
    sdk::build(root)?;
    npm::install(root, PROJECT)?;
    let text = step("play the visit with every contender", || {
        let task = Task::new("node", &root.join(PROJECT)).arg("bench.mjs");
        let task = task.arg("--runs").arg(runs.to_string());
        let task = if only.is_empty() {
            task
        } else {
            task.arg("--only").arg(only)
        };
        task.env("CHROMIUM", &chromium).run("bench sdk")
    })?;
    let line = text.lines().rev().find(|line| line.starts_with('{'));
    let line = line.context("the bench printed no figures")?;
    let report: Report = serde_json::from_str(line)?;
    let none = report.find("none")?;
    let broken = report.broken(none, report.find("upriver")?);
    if json {
        println!("{line}");
    } else {
        report.table(none).print();
        say("Script, load and heap are over those of the page with no SDK; medians.");
    }
    if broken.is_empty() {
        return Ok(());
    }
    bail!("promises broken:\n  {}", broken.join("\n  "))
}

impl Report {
    fn find(&self, name: &str) -> Result<&Contender> {
        let mut all = self.contenders.iter();
        all.find(|contender| contender.name == name)
            .with_context(|| format!("the bench did not run {name}"))
    }

    /// The promises that do not hold; some are about the visit in requests alone.
    fn broken(&self, none: &Contender, in_requests: &Contender) -> Vec<String> {
        let mut broken = Vec::new();
        let mut promise = |holds: bool, words: String| {
            if !holds {
                broken.push(words);
            }
        };
        for ours in self
            .contenders
            .iter()
            .filter(|it| it.name.starts_with("upriver"))
        {
            let name = &ours.name;
            promise(
                ours.presses == self.presses,
                format!(
                    "{name} recorded {} of {} presses",
                    ours.presses, self.presses
                ),
            );
            promise(!ours.leaks, format!("{name} let the card number out"));
            let load = ours.load_ms - none.load_ms;
            promise(
                load <= LOAD_MS_MAX,
                format!("{name} loads {load:.1} ms later, of {LOAD_MS_MAX}"),
            );
            let heap = ours.heap_bytes - none.heap_bytes;
            promise(
                heap <= HEAP_BYTES_MAX,
                format!(
                    "{name} takes {:.0} KB of heap, of {:.0}",
                    heap / 1024.0,
                    HEAP_BYTES_MAX / 1024.0
                ),
            );
        }
        promise(
            in_requests.body_bytes <= BODY_BYTES_MAX,
            format!("{} body bytes, of {BODY_BYTES_MAX}", in_requests.body_bytes),
        );
        promise(
            in_requests.requests <= REQUESTS_MAX,
            format!("{} requests, of {REQUESTS_MAX}", in_requests.requests),
        );
        promise(
            in_requests.preflights == 0.0,
            format!("{} preflights", in_requests.preflights),
        );
        if let Some(leanest) = self.leanest() {
            promise(
                in_requests.script_ms <= leanest.script_ms,
                format!(
                    "{:.1} ms of script, of {:.1} of {}",
                    in_requests.script_ms - none.script_ms,
                    leanest.script_ms - none.script_ms,
                    leanest.name
                ),
            );
        }
        broken
    }

    /// The rival with the least script time of those that record every press.
    fn leanest(&self) -> Option<&Contender> {
        let rivals = self
            .contenders
            .iter()
            .filter(|rival| rival.presses >= self.presses && !rival.name.starts_with("upriver"));
        rivals.min_by(|a, b| a.script_ms.total_cmp(&b.script_ms))
    }

    fn table(&self, none: &Contender) -> Table {
        let mut table = Table::new(&[
            "one visit",
            "gzip KB",
            "load ms",
            "script ms",
            "heap KB",
            "requests",
            "preflights",
            "body bytes",
            "presses",
            "card number",
        ]);
        for it in &self.contenders {
            table.row([
                it.name.clone(),
                format!("{:.1}", it.gzip_bytes / 1024.0),
                format!("{:+.1}", it.load_ms - none.load_ms),
                format!("{:+.1}", it.script_ms - none.script_ms),
                format!("{:+.0}", (it.heap_bytes - none.heap_bytes) / 1024.0),
                it.requests.to_string(),
                it.preflights.to_string(),
                it.body_bytes.to_string(),
                format!("{}/{}", it.presses, self.presses),
                if it.leaks { "LEAKED" } else { "kept" }.to_owned(),
            ]);
        }
        table
    }
}
