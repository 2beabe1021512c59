//! `cargo xtask bench handlers`: what each handler of the SDK costs the page's own thread, and the promise
//! made about it.
//!
//! Owns the promise and the table. The visit and the reading of the browser's trace are in
//! `sdk/npm/test/handlers.mjs`; why it is processor time, in the decision records.

use crate::process::Task;
use crate::report::{Table, say, step};
use crate::{browser, prerequisites, sdk};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::path::Path;

/// The 99th percentile of a handler over that of a listener that does nothing.
const HANDLER_MS_MAX: f64 = 0.2;
/// What ran by itself: told, and held to nothing here.
const LATER: &str = "(later)";
/// Fewer calls have no 99th percentile to speak of.
const CALLS_MIN: u32 = 30;

#[derive(Deserialize)]
struct Report {
    slower: f64,
    elements: u32,
    first: u32,
    kinds: Vec<Kind>,
    planted: Vec<Planted>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    kind: String,
    calls: u32,
    ours: Times,
    empty: Times,
    first: Times,
    throttled_median: f64,
}

/// A handler of which a fault is part, and the listener that does nothing beside it.
#[derive(Deserialize)]
struct Planted {
    name: String,
    ours: Times,
    empty: Times,
}

/// Milliseconds of the thread's own time here.
#[derive(Deserialize)]
struct Times {
    median: f64,
    p99: f64,
    most: f64,
}

/// Builds the package, plays the visit, and judges.
///
/// # Errors
/// A handler is over its limit, a planted fault was not seen, or the visit could not be played.
pub(crate) fn run(root: &Path, rounds: u32, json: bool) -> Result<()> {
    prerequisites::check(root)?;
    let chromium = browser::find_or_install(root)?;
    sdk::build(root)?;
    let text = step("play a visit under the browser's trace", || {
        let task = Task::new("node", &root.join("sdk/npm")).arg("test/handlers.mjs");
        let task = task.arg("--rounds").arg(rounds.to_string());
        task.env("CHROMIUM", &chromium).run("bench handlers")
    })?;
    let line = text.lines().rev().find(|line| line.starts_with('{'));
    let line = line.context("the bench printed no figures")?;
    let report: Report = serde_json::from_str(line)?;
    if json {
        println!("{line}");
    } else {
        report.table().print();
        say(&format!(
            "Milliseconds of the thread's own time, times {}, on a page of {} elements. The first {} \
             calls of each kind are told apart. The last column is the clock under the browser's throttle.",
            report.slower, report.elements, report.first
        ));
    }
    let broken = report.broken();
    if broken.is_empty() {
        return Ok(());
    }
    bail!("promises broken:\n  {}", broken.join("\n  "))
}

impl Report {
    /// What a handler takes beyond a listener that does nothing, on the slower processor.
    fn over(&self, ours: &Times, empty: &Times) -> f64 {
        (ours.p99 - empty.p99) * self.slower
    }

    fn broken(&self) -> Vec<String> {
        let mut broken = Vec::new();
        for it in self.kinds.iter().filter(|it| it.calls >= CALLS_MIN) {
            let over = self.over(&it.ours, &it.empty);
            if it.kind != LATER && over > HANDLER_MS_MAX {
                broken.push(format!(
                    "{}: 99 % within {over:.3} ms, of {HANDLER_MS_MAX}",
                    it.kind
                ));
            }
        }
        let few = self.kinds.iter().filter(|it| it.calls < CALLS_MIN);
        for it in few.filter(|it| it.kind != LATER) {
            broken.push(format!(
                "{}: {} calls are too few to judge by; play more rounds",
                it.kind, it.calls
            ));
        }
        for it in &self.planted {
            if self.over(&it.ours, &it.empty) <= HANDLER_MS_MAX {
                broken.push(format!(
                    "a fault planted on purpose was not seen: {}",
                    it.name
                ));
            }
        }
        broken
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&[
            "handler",
            "calls",
            "median",
            "99 %",
            "most",
            "empty: median",
            "99 %",
            "first: median",
            "most",
            "throttled clock: median",
        ]);
        let ms = |time: f64| format!("{:.3}", time * self.slower);
        for it in &self.kinds {
            table.row([
                it.kind.clone(),
                it.calls.to_string(),
                ms(it.ours.median),
                ms(it.ours.p99),
                ms(it.ours.most),
                ms(it.empty.median),
                ms(it.empty.p99),
                ms(it.first.median),
                ms(it.first.most),
                format!("{:.3}", it.throttled_median),
            ]);
        }
        for it in &self.planted {
            table.row([
                format!("pointermove with a fault: {}", it.name),
                "–".to_owned(),
                ms(it.ours.median),
                ms(it.ours.p99),
                ms(it.ours.most),
                ms(it.empty.median),
                ms(it.empty.p99),
                "–".to_owned(),
                "–".to_owned(),
                "–".to_owned(),
            ]);
        }
        table
    }
}
