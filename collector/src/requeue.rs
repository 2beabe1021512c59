//! `upriver requeue`: gives batches that ClickHouse refused back to the log of a collector that does not
//! run; its next start writes them like everything else.

use anyhow::Context;
use std::io;
use std::path::Path;
use upriver_collector::ingest::recovery;
use upriver_collector::log::storage::Disk;
use upriver_collector::log::{self, LogError};
use upriver_collector::store::quarantine::{self, FOLDER};
use upriver_collector::store::state::State;

/// Size past which a new segment is begun, bytes.
const SEGMENT_BYTES: u64 = 64 << 20;

/// Gives back what waits in a data folder. Returns what to print.
///
/// # Errors
/// The collector runs, or a file cannot be read or written.
pub(crate) fn requeue(data: &Path) -> anyhow::Result<String> {
    let log = data.join("log");
    anyhow::ensure!(log.is_dir(), "{} is no data folder", data.display());
    let disk = Disk::open(log).context("stop the collector first: its log cannot be opened")?;
    let state = State::open(&data.join("state.redb"))?;
    let remembered = state.remembered()?;
    let mut recovered = recovery::recover(disk, log::Options::new(SEGMENT_BYTES), remembered)?;
    let append = |records: &[Vec<u8>]| {
        let records = records.iter().map(Vec::as_slice);
        let appended = recovered.log.commit(records, 0);
        appended.map_err(|error: LogError| io::Error::other(error.to_string()))?;
        Ok(())
    };
    let done = quarantine::requeue(&data.join(FOLDER), append)?;
    let mut lines = Vec::new();
    for refused in &done {
        lines.push(format!(
            "batch {}: {} rows of {}, refused with: {}",
            refused.batch, refused.rows, refused.table, refused.reason
        ));
    }
    lines.push(match done.len() {
        0 => "nothing waits".to_owned(),
        count => format!("{count} batches are in the log again; start the collector"),
    });
    Ok(lines.join("\n"))
}
