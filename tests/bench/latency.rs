//! From a press in a real browser to the changed number that another program receives, and to the
//! signal in that visitor's own page, while others send thousands of events a second. The presses
//! and the times are `tests/browser/gestures.mjs`'s; this owns the collector, the other traffic and
//! the promises.

use crate::ack;
use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use upriver_tests::{Collector, READ_TOKEN, SITE, WRITE_KEY};

/// Rules, each of a page of its own: one signal a press, and no visitor is given one twice.
const RULES: u32 = 50;
/// Milliseconds from a press to the changed number elsewhere: half of them, and 99 of 100.
const CHANGED_MS: (f64, f64) = (150.0, 500.0);
/// Milliseconds from a press to the signal in the page: 99 of 100.
const SIGNAL_MS: f64 = 300.0;
/// The other traffic lasts longer than the presses by this, as a browser takes time to start.
const AFTER: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Figures {
    presses: usize,
    changed_ms: Vec<f64>,
    signal_ms: Vec<f64>,
}

/// Presses for so many seconds beside so many events a second.
///
/// # Errors
/// Something was not heard of or not counted: the figures are void. Or a promise is broken.
pub(crate) async fn run(rate: u64, seconds: u64) -> Result<Value> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let root = root.parent().context("no tree")?;
    let chromium = std::env::var("CHROMIUM").context("CHROMIUM names no browser")?;
    let port = free_port()?;
    let collector = Collector::start_with_sites(&sites(port), &[]).await?;
    collector.sql("SELECT count() FROM events").await?;
    let setting = collector.data().join("latency.json");
    let told = json!({
        "collector": collector.url, "site": SITE, "key": WRITE_KEY, "readToken": READ_TOKEN,
        "port": port, "sdk": root.join("sdk/npm/dist"), "chromium": chromium,
        "rules": RULES, "seconds": seconds,
    });
    std::fs::write(&setting, serde_json::to_vec(&told)?)?;
    let drive = tokio::process::Command::new("node")
        .arg("gestures.mjs")
        .arg(&setting)
        .current_dir(root.join("tests/browser"))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start node")?;
    let lasts = Duration::from_secs(seconds) + AFTER;
    let batches = rate / ack::EVENTS as u64;
    let (load, driven) = tokio::join!(
        ack::load(&collector, batches, lasts),
        drive.wait_with_output()
    );
    let (load, driven) = (load?, driven?);
    ensure!(
        driven.status.success(),
        "void: the presses did not end well"
    );
    let figures: Figures = serde_json::from_slice(&driven.stdout)?;
    let Figures { presses, .. } = figures;
    let heard = (figures.changed_ms.len(), figures.signal_ms.len());
    ensure!(
        presses > 0 && heard == (presses, presses),
        "void: of {presses} presses {} were heard of elsewhere and {} answered by a signal",
        heard.0,
        heard.1
    );
    let sent = load.len() * ack::EVENTS as u64;
    let others = "SELECT count() FROM events WHERE path = '/product/kettle'";
    collector
        .sql_becomes(others, sent)
        .await
        .context("void: the other traffic is not stored as it was acknowledged")?;
    let (changed, signal) = (times(&figures.changed_ms)?, times(&figures.signal_ms)?);
    let at = |times: &Histogram<u64>, quantile| times.value_at_quantile(quantile) as f64 / 1_000.0;
    let said = json!({
        "presses": presses,
        "press_to_number_elsewhere_ms": ack::quantiles(&changed),
        "press_to_signal_in_the_page_ms": ack::quantiles(&signal),
        "other_events_per_s": sent as f64 / lasts.as_secs_f64(),
        "other_events": sent,
        "ack_ms": ack::quantiles(&load),
        "lost": 0,
    });
    ensure!(
        at(&changed, 0.5) <= CHANGED_MS.0 && at(&changed, 0.99) <= CHANGED_MS.1,
        "a number changes too late, p50 and p99 may be {CHANGED_MS:?} ms: {said}"
    );
    ensure!(
        at(&signal, 0.99) <= SIGNAL_MS,
        "a signal comes too late, p99 may be {SIGNAL_MS} ms: {said}"
    );
    Ok(said)
}

fn times(ms: &[f64]) -> Result<Histogram<u64>> {
    let mut times = Histogram::new(3)?;
    for ms in ms {
        times.record((ms * 1_000.0) as u64)?;
    }
    Ok(times)
}

/// Free now; nobody else here takes ports.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

fn sites(port: u16) -> String {
    let mut sites = format!(
        "[[site]]\nid = \"{SITE}\"\nwrite_key = \"{WRITE_KEY}\"\nread_token = \"{READ_TOKEN}\"\n\
         origins = [\"http://127.0.0.1:{port}\"]\n"
    );
    for rule in 0..RULES {
        sites += &format!(
            "[[site.rule]]\nid = \"offer-{rule}\"\n\
             step = [{{ kind = \"press\", page = \"/latency/{rule}\" }}]\n\
             every = \"1m\"\nsignal = \"offer-{rule}\"\n"
        );
    }
    sites
}
