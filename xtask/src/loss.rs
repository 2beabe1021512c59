//! `cargo xtask loss`: that every event arrives, once. The recorder with a model of network, database
//! and server; then real browsers with a real collector behind a network that fails. What happens is in
//! `sdk/tests/loss` and `sdk/npm/test/loss`.

use crate::process::Task;
use crate::report::{Table, step};
use crate::{Browser, Loss, sdk};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Runs of the model for each run in a browser.
const MODEL_RUNS: u64 = 20;
const COLLECTOR: &str = "target/debug/upriver";

/// Runs all of it and prints the figures.
///
/// # Errors
/// Something was lost or counted twice, or broke.
pub(crate) fn run(root: &Path, flags: &Loss) -> Result<()> {
    step("build the SDK and the collector", || {
        Task::cargo(root)
            .words("build --locked --package upriver-collector --bin upriver")
            .run("cargo build collector")
    })?;
    sdk::build(root)?;
    let mut figures = vec![step("recorder, queue and database in a model", || {
        model(root, flags)
    })?];
    let browsers = match flags.browser {
        Some(Browser::Webkit) => {
            bail!("WebKit's driver keeps no profile, and nothing can be lost between")
        }
        Some(only) => vec![only],
        None => vec![Browser::Chromium, Browser::Firefox],
    };
    for browser in browsers {
        figures.push(in_browser(root, browser.name(), flags)?);
    }
    if flags.json {
        println!("{}", serde_json::to_string_pretty(&figures)?);
    } else {
        table(&figures).print();
    }
    let broken: u64 = figures.iter().map(|part| number(part, "failed")).sum();
    if broken > 0 {
        bail!("{broken} scenes or runs lost something, or counted it twice; above it says which")
    }
    Ok(())
}

fn model(root: &Path, flags: &Loss) -> Result<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["test", "--quiet", "--locked", "--package", "upriver-sdk"])
        .args(["--test", "loss", "--", "--nocapture"])
        .env("UPRIVER_LOSS_RUNS", (flags.runs * MODEL_RUNS).to_string())
        .env("UPRIVER_LOSS_SEED", flags.seed.to_string())
        .current_dir(root)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("{text}{}", String::from_utf8_lossy(&output.stderr))
    }
    let line = text.lines().find_map(|line| line.strip_prefix("loss: "));
    let mut figures: Value = serde_json::from_str(line.context("the model told no figures")?)?;
    figures["where"] = "model".into();
    Ok(figures)
}

fn in_browser(root: &Path, browser: &str, flags: &Loss) -> Result<Value> {
    // What it says while it runs goes where a person looks.
    let output = Command::new("node")
        .args(["test/loss/deep.mjs", "--browser", browser])
        .args(["--runs", &flags.runs.to_string()])
        .args(["--seed", &flags.seed.to_string()])
        .arg("--binary")
        .arg(root.join(COLLECTOR))
        .current_dir(root.join("sdk/npm"))
        .stderr(std::process::Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().context("the browser told no figures")?;
    let mut figures: Value = serde_json::from_str(last)?;
    figures["where"] = browser.into();
    Ok(figures)
}

fn number(figures: &Value, name: &str) -> u64 {
    figures[name].as_u64().unwrap_or(0)
}

fn table(figures: &[Value]) -> Table {
    let mut table = Table::new(&[
        "where",
        "scenes",
        "runs",
        "events",
        "pages",
        "killed",
        "restarts",
        "came again",
        "unsealed",
        "unkept",
        "lost or doubled",
    ]);
    for part in figures {
        let sum = |names: &[&str]| {
            let sum: u64 = names.iter().map(|name| number(part, name)).sum();
            sum.to_string()
        };
        table.row([
            part["where"].as_str().unwrap_or("?").to_owned(),
            sum(&["scenes"]),
            sum(&["runs"]),
            sum(&["events", "presses"]),
            sum(&["pages"]),
            sum(&["killed", "reopened"]),
            sum(&["restarts", "kills"]),
            sum(&["repeats"]),
            sum(&["let_go_unsealed"]),
            sum(&["let_go_unkept"]),
            sum(&["lost", "doubled", "failed"]),
        ]);
    }
    table
}
