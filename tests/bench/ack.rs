//! How long until a batch is acknowledged, at a fixed rate whatever the collector does: each batch
//! has a time at which it is due, and its latency counts from then, so waiting is never left out.
//! Beside it, before and after, how long the same disk takes to write and sync the same bytes.

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use upriver_tests::{Collector, Page};

/// Events of a batch.
pub(crate) const EVENTS: usize = 50;
/// Connections that take turns; each has one batch on its way at a time.
const CONNECTIONS: u64 = 128;
/// Batches before the measured ones.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long each of the two looks at the bare disk takes.
const DISK: Duration = Duration::from_secs(3);
/// How long half of the batches may wait, and 99 of 100, milliseconds.
const WANTED_MS: (f64, f64) = (5.0, 30.0);
/// Clock ticks of `/proc/PID/stat` in a second, on every Linux that Rust runs on.
pub(crate) const TICKS_PER_S: f64 = 100.0;

/// Runs at `rate` batches a second for so many seconds.
///
/// # Errors
/// A batch was not acknowledged, or an acknowledged event is not in ClickHouse: the run is void. Or
/// they are acknowledged too late.
pub(crate) async fn run(rate: u64, seconds: u64) -> Result<Value> {
    let collector = Collector::start().await?;
    collector
        .sql_becomes("SELECT count() FROM events", 0)
        .await?;
    let bytes = Page::new("/").bytes(bodies(EVENTS)).len();
    let mut disk = Histogram::<u64>::new(3)?;
    bare_disk(&collector.data(), bytes, &mut disk)?;
    let warm = load(&collector, rate, WARM_UP).await?;
    let before = cpu_ticks(&collector)?;
    let load = load(&collector, rate, Duration::from_secs(seconds)).await?;
    let cpu_s = (cpu_ticks(&collector)? - before) / TICKS_PER_S;
    bare_disk(&collector.data(), bytes, &mut disk)?;
    let acked = (warm.len() + load.len()) * EVENTS as u64;
    collector
        .sql_becomes("SELECT count() FROM events", acked)
        .await
        .context("void: acknowledged and stored differ")?;
    let identities = collector
        .sql("SELECT uniqExact(stream, seq) FROM events")
        .await?;
    ensure!(
        identities == acked,
        "void: {identities} different events of {acked} acknowledged"
    );
    let said = json!({
        "batches_per_s": rate,
        "events_per_batch": EVENTS,
        "batches": load.len(),
        "bytes_per_batch": bytes,
        "connections": CONNECTIONS,
        "ack_ms": quantiles(&load),
        "write_and_fdatasync_ms": quantiles(&disk),
        "collector_cpu_s": cpu_s,
        "events_per_cpu_s": (load.len() * EVENTS as u64) as f64 / cpu_s,
        "acked_events": acked,
        "lost": 0,
        "wanted_ms": {"p50": WANTED_MS.0, "p99": WANTED_MS.1},
    });
    let at = |quantile| load.value_at_quantile(quantile) as f64 / 1_000.0;
    ensure!(
        at(0.5) <= WANTED_MS.0 && at(0.99) <= WANTED_MS.1,
        "acknowledged too late: {said}"
    );
    Ok(said)
}

/// Sends at the rate for a while; the latencies in microseconds.
pub(crate) async fn load(
    collector: &Collector,
    rate: u64,
    lasts: Duration,
) -> Result<Histogram<u64>> {
    let batches = rate * lasts.as_secs();
    // All connections are open before the first batch is due.
    let begin = Instant::now() + Duration::from_millis(300);
    let mut connections = JoinSet::new();
    for connection in 0..CONNECTIONS {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(60))
            .build()?;
        let ready = format!("{}/healthz", collector.url);
        let url = format!(
            "{}/v1/batch?key={}",
            collector.url,
            upriver_tests::WRITE_KEY
        );
        connections.spawn(async move {
            http.get(ready).send().await?;
            let mut page = Page::new("/product/kettle");
            let mut latencies = Histogram::<u64>::new(3)?;
            for batch in (connection..batches).step_by(CONNECTIONS as usize) {
                let due = begin + Duration::from_micros(batch * 1_000_000 / rate);
                tokio::time::sleep_until(due.into()).await;
                let body = page.bytes(bodies(EVENTS));
                let answer = http.post(&url).body(body).send().await?;
                ensure!(
                    answer.status() == 200,
                    "void: a batch was answered with {}",
                    answer.status()
                );
                answer.bytes().await?;
                latencies.record(due.elapsed().as_micros() as u64)?;
            }
            Ok(latencies)
        });
    }
    let mut all = Histogram::new(3)?;
    while let Some(latencies) = connections.join_next().await {
        all.add(latencies??)?;
    }
    Ok(all)
}

/// So many events, one in ten of them the site's own.
pub(crate) fn bodies(events: usize) -> Vec<upriver_wire::batch::Body> {
    let bodies = (0..events).map(|event| match event % 10 {
        0 => Page::custom("add_to_cart"),
        _ => Page::press(event as f64 / events as f64, 0.5),
    });
    bodies.collect()
}

/// Writes and syncs as many bytes as a batch has, again and again, in the collector's own folder.
fn bare_disk(folder: &Path, bytes: usize, times: &mut Histogram<u64>) -> Result<()> {
    let path = folder.join("bare-disk");
    let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
    let bytes = vec![0x5a; bytes];
    let begun = Instant::now();
    while begun.elapsed() < DISK {
        let one = Instant::now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        times.record(one.elapsed().as_micros() as u64)?;
    }
    std::fs::remove_file(path)?;
    Ok(())
}

pub(crate) fn quantiles(times: &Histogram<u64>) -> Value {
    let ms = |quantile: f64| times.value_at_quantile(quantile) as f64 / 1_000.0;
    json!({
        "p50": ms(0.5), "p99": ms(0.99), "p99.9": ms(0.999), "max": times.max() as f64 / 1_000.0,
    })
}

/// Time on a processor of the collector itself, without its ClickHouse, in ticks.
pub(crate) fn cpu_ticks(collector: &Collector) -> Result<f64> {
    let pid = collector.pid().as_raw_nonzero();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold spaces; what follows it does not.
    let (_, fields) = stat.rsplit_once(')').context("an odd /proc/PID/stat")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let (user, system): (f64, f64) = (fields[11].parse()?, fields[12].parse()?);
    Ok(user + system)
}
