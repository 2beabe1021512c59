//! ClickHouse stands still for minutes while pages go on sending: what is lost, how much memory the
//! collector takes, and how fast the tables catch up.

use crate::ack;
use anyhow::{Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use upriver_tests::Collector;

/// Most memory the collector may have, MiB.
const RSS_MIB_MAX: u64 = 256;
/// How much faster than they came the rows must go in afterwards.
const FASTER: f64 = 2.0;
/// How long catching up may take.
const PATIENCE: Duration = Duration::from_secs(1_800);

/// Stops ClickHouse, sends so many events a second for so many minutes, lets it go on, and waits.
///
/// # Errors
/// Something was not acknowledged, lost or counted twice, or a bound was not kept.
pub(crate) async fn run(minutes: u64, rate: u64) -> Result<Value> {
    let collector = Collector::start().await?;
    collector.sql("SELECT count() FROM events").await?;
    let clickhouse = Stopped::stop(collector.clickhouse_pid().await?)?;
    let most = Arc::new(AtomicU64::new(0));
    let over = Arc::new(AtomicBool::new(false));
    let watch = watch(collector.pid(), most.clone(), over.clone());
    let batches = rate / ack::EVENTS as u64;
    let load = ack::load(&collector, batches, Duration::from_secs(minutes * 60)).await?;
    let acked = load.len() * ack::EVENTS as u64;
    let away_mib = most.load(Ordering::Relaxed) >> 10;

    let begun = Instant::now();
    drop(clickhouse);
    let client = collector.clickhouse().await?;
    let stored = loop {
        let query = client.query("SELECT count() FROM events");
        let stored = query.fetch_one::<u64>().await.unwrap_or(0);
        if stored >= acked || begun.elapsed() > PATIENCE {
            break stored;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let caught_up_s = begun.elapsed().as_secs_f64();
    over.store(true, Ordering::Relaxed);
    watch.await?;
    let distinct = "SELECT uniqExact(stream, seq) FROM events";
    let distinct = client.query(distinct).fetch_one::<u64>().await?;
    let most_mib = most.load(Ordering::Relaxed) >> 10;
    let rows_per_s = acked as f64 / caught_up_s;
    let figures = json!({
        "clickhouse_away_min": minutes,
        "events_per_s": rate,
        "acked_events": acked,
        "lost": acked.saturating_sub(distinct),
        "doubled": stored.saturating_sub(distinct),
        "ack_ms": ack::quantiles(&load),
        "collector_rss_mib": {"while_away": away_mib, "max": most_mib, "allowed": RSS_MIB_MAX},
        "caught_up_s": caught_up_s,
        "caught_up_rows_per_s": rows_per_s,
        "times_the_input_rate": rows_per_s / rate as f64,
    });
    ensure!(
        stored == acked && distinct == acked,
        "not once each: {figures}"
    );
    ensure!(most_mib <= RSS_MIB_MAX, "too much memory: {figures}");
    ensure!(rows_per_s >= FASTER * rate as f64, "too slow: {figures}");
    Ok(figures)
}

/// A process that stands still until this is dropped.
struct Stopped(Pid);

impl Stopped {
    fn stop(pid: Pid) -> Result<Self> {
        kill_process(pid, Signal::STOP)?;
        Ok(Self(pid))
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // Gone is as good.
        let _ = kill_process(self.0, Signal::CONT);
    }
}

/// Looks at a process' memory every second; the most it had, KiB.
fn watch(pid: Pid, most: Arc<AtomicU64>, over: Arc<AtomicBool>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        while !over.load(Ordering::Relaxed) {
            let path = format!("/proc/{}/status", pid.as_raw_nonzero());
            let status = std::fs::read_to_string(path).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            most.fetch_max(kib.unwrap_or(0), Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
}
