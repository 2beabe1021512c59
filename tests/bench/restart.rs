//! How long a collector with a long log takes to accept batches again after it was killed, while
//! ClickHouse is away. Beside it how long the same disk takes to read the same bytes.

use crate::ack::bodies;
use anyhow::{Context, Result, ensure};
use rustix::fs::{Advice, fadvise};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use upriver_tests::{Collector, Page};

/// Connections that fill the log.
const CONNECTIONS: usize = 32;
/// Events of a batch: the log is to be long, not its batches many.
const EVENTS: usize = 500;
/// Nothing listens there, so that all stays in the log.
const NO_CLICKHOUSE: [&str; 2] = ["--clickhouse-url", "http://127.0.0.1:1"];
/// How long a collector may take, ms.
const WANTED_MS: f64 = 2_000.0;
/// How long the log may take to become so long.
const PATIENCE: Duration = Duration::from_secs(600);
/// Bytes read at once.
const PIECE_BYTES: usize = 1024 * 1024;
/// Restarts.
const TIMES: usize = 5;

/// Fills a log of so many MiB, kills and starts several times.
///
/// # Errors
/// A batch was not acknowledged: the figures are void. Or accepting takes longer than it may.
pub(crate) async fn run(mib: u64) -> Result<Value> {
    let mut collector = Collector::start_with(&NO_CLICKHOUSE).await?;
    let log = collector.data().join("log");
    let batches = fill(&collector, &log, mib << 20).await?;
    let (mut accepting, mut reading) = (Vec::new(), Vec::new());
    let mut page = Page::new("/");
    for _ in 0..TIMES {
        collector.kill()?;
        // As after a boot: nothing of it is in memory.
        let segments = segments(&log)?;
        forget(&segments)?;
        reading.push(read(&segments)?);
        forget(&segments)?;
        let begun = Instant::now();
        collector.restart()?;
        let sent = collector.send(page.bytes(bodies(50))).await?;
        accepting.push(begun.elapsed().as_secs_f64() * 1_000.0);
        ensure!(sent.status == 200, "void: {sent:?}");
    }
    let most = accepting.iter().copied().fold(0.0, f64::max);
    let figures = json!({
        "log_mib": bytes(&segments(&log)?)? >> 20,
        "batches": batches,
        "restarts": TIMES,
        "accepting_ms": {"median": median(&mut accepting), "max": most, "wanted": WANTED_MS},
        "reading_the_same_bytes_ms": {"median": median(&mut reading)},
    });
    ensure!(
        most <= WANTED_MS,
        "accepting again took {most:.0} ms, more than {WANTED_MS} ms: {figures}"
    );
    Ok(figures)
}

/// Sends until the log is so long. Returns the batches it took.
async fn fill(collector: &Collector, log: &Path, wanted: u64) -> Result<u64> {
    let deadline = Instant::now() + PATIENCE;
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (http, log) = (reqwest::Client::new(), log.to_owned());
        let url = format!(
            "{}/v1/batch?key={}",
            collector.url,
            upriver_tests::WRITE_KEY
        );
        connections.spawn(async move {
            let (mut page, mut batches) = (Page::new("/product/kettle"), 0_u64);
            while bytes(&segments(&log)?)? < wanted {
                ensure!(Instant::now() < deadline, "void: the log stays too short");
                for _ in 0..20 {
                    let body = page.bytes(bodies(EVENTS));
                    let answer = http.post(&url).body(body).send().await?;
                    ensure!(answer.status() == 200, "void: {}", answer.status());
                    answer.bytes().await?;
                    batches += 1;
                }
            }
            Ok(batches)
        });
    }
    let mut batches = 0;
    while let Some(sent) = connections.join_next().await {
        batches += sent??;
    }
    Ok(batches)
}

fn segments(log: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(log)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            found.push(path);
        }
    }
    Ok(found)
}

fn bytes(segments: &[PathBuf]) -> Result<u64> {
    let lengths = segments.iter().map(|path| Ok(path.metadata()?.len()));
    lengths.sum()
}

/// Has the system forget what it holds of these files in memory.
fn forget(segments: &[PathBuf]) -> Result<()> {
    for path in segments {
        let file = File::open(path)?;
        file.sync_all()?;
        fadvise(&file, 0, None, Advice::DontNeed)?;
    }
    Ok(())
}

/// Reads every byte; how long that took, ms.
fn read(segments: &[PathBuf]) -> Result<f64> {
    let mut piece = vec![0; PIECE_BYTES];
    let begun = Instant::now();
    for path in segments {
        let mut file = File::open(path).context("a segment is gone")?;
        while file.read(&mut piece)? > 0 {}
    }
    Ok(begun.elapsed().as_secs_f64() * 1_000.0)
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}
