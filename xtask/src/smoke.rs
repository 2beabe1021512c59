//! `cargo xtask demo --smoke`: the demo on free ports and an empty folder, driven by a real browser
//! that keeps its own count. The drive itself is `tests/browser/smoke.mjs`.

use crate::demo::{self, CLICKHOUSE_USER, DATABASE, Ports, Running};
use crate::process::Task;
use crate::report::step;
use crate::tally::Tally;
use crate::{browser, npm};
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::path::Path;

const DRIVE: &str = "tests/browser";
const DATA: &str = "target/smoke";

/// Builds unless told otherwise, drives, prints the figures.
///
/// # Errors
/// Any number differs from what was done, or the drive itself failed.
pub(crate) fn run(root: &Path, release: bool, build: bool, json: bool) -> Result<()> {
    let binary = demo::built(root, release, build)?;
    let output = drive(root, &binary)?;
    print(&output, json)?;
    judge(&output).map(drop)
}

/// The same as a part of `cargo xtask test`, with what is built already.
pub(crate) fn test(root: &Path) -> Result<Tally> {
    let output = drive(root, &demo::built(root, false, false)?)?;
    let tally = judge(&output);
    match (&tally, output.text.find("press to dashboard")) {
        // Its table is long, and says nothing new where all of it is right.
        (Ok(_), Some(figures)) => println!("\n  {}", output.text[figures..].trim_end()),
        _ => print(&output, false)?,
    }
    tally
}

struct Driven {
    succeeded: bool,
    text: String,
    figures: std::path::PathBuf,
}

fn drive(root: &Path, binary: &Path) -> Result<Driven> {
    let chromium = browser::find_or_install(root)?;
    npm::install(root, DRIVE)?;
    let data = root.join(DATA);
    demo::clear(&data)?;
    let mut running = Running::start(root, binary, Ports::take(0)?, &data)?;
    let figures = data.join("figures.json");
    let setting = data.join("smoke.json");
    let password = std::fs::read_to_string(running.clickhouse_password())
        .with_context(|| format!("{} is missing", running.clickhouse_password().display()))?;
    let told = json!({
        "shop": running.shop,
        "collector": running.collector,
        "login": running.login,
        "readToken": running.read_token,
        "clickhouse": {
            "address": running.clickhouse,
            "user": CLICKHOUSE_USER,
            "password": password.trim(),
            "database": DATABASE,
        },
        "chromium": chromium,
        "figures": figures,
    });
    std::fs::write(&setting, serde_json::to_vec_pretty(&told)?)?;
    let driven = step("drive the shop with a real browser", || {
        let task = Task::new("node", &root.join(DRIVE))
            .arg("smoke.mjs")
            .arg(&setting);
        let (status, text, _) = task.run_to_log("smoke")?;
        Ok(Driven {
            succeeded: status.success(),
            text,
            figures,
        })
    })?;
    let alive = running.check();
    step("stop everything", || running.stop())?;
    alive?;
    Ok(driven)
}

fn print(driven: &Driven, json: bool) -> Result<()> {
    if json && driven.succeeded {
        println!("{}", std::fs::read_to_string(&driven.figures)?.trim());
    } else if json {
        eprintln!("{}", driven.text);
    } else {
        println!("\n{}", driven.text.trim_end());
    }
    Ok(())
}

fn judge(driven: &Driven) -> Result<Tally> {
    let tally = Tally::read(&driven.text);
    if driven.succeeded && tally.failed == 0 && tally.passed > 0 {
        return Ok(tally);
    }
    bail!(
        "the drive found differences or did not finish ({} passed, {} failed)",
        tally.passed,
        tally.failed
    )
}
