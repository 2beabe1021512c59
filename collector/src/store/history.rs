//! Reading back, after a restart, what the live engine had counted: rows from ClickHouse up to its
//! watermark, the rest from the log. Each event exactly once.

use super::{LANE, StoreError};
use crate::ingest::record::Record;
use crate::ingest::rows;
use crate::log::storage::Storage;
use crate::log::{Position, Reader};
use crate::row::{ElementRow, EventRow};
use clickhouse::Client;

/// Rows handed over at once.
const CHUNK_ROWS: usize = 10_000;

/// How far reading from ClickHouse has come, so that it can go on after ClickHouse was away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    elements: bool,
    /// Batch and place in it of the next row.
    next: (u64, u32),
}

/// From when on history is wanted, Unix milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Since {
    /// Every event that happened or was received from then on.
    pub all_ms: u64,
    /// Exposures and conversions that happened from then on.
    pub experiments_ms: u64,
}

/// Hands over every element, and every event that is wanted by [`Since`] and that ClickHouse holds
/// before a batch and place in it, in chunks of at most [`CHUNK_ROWS`]. Call it again with the same
/// progress after an error; nothing is handed over twice.
///
/// # Errors
/// ClickHouse refused, or was lost on the way.
pub async fn from_clickhouse<F: Future<Output = ()>>(
    client: &Client,
    since: Since,
    before: (u64, u64),
    progress: &mut Progress,
    mut take: impl FnMut(Vec<EventRow>, Vec<ElementRow>) -> F,
) -> Result<(), StoreError> {
    if !progress.elements {
        let sql = "SELECT ?fields FROM elements FINAL";
        take(
            Vec::new(),
            client.query(sql).fetch_all::<ElementRow>().await?,
        )
        .await;
        progress.elements = true;
    }
    let sql = "SELECT ?fields FROM events \
               WHERE (time >= fromUnixTimestamp64Milli(?) \
                 OR received_at >= fromUnixTimestamp64Milli(?) \
                 OR (kind IN ('exposure', 'conversion') \
                   AND time >= fromUnixTimestamp64Milli(?))) \
               AND lane = ? AND (batch, idx) < (?, ?) AND (batch, idx) >= (?, ?) \
               ORDER BY batch, idx";
    let whole = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    let from = whole(since.all_ms);
    let query = client
        .query(sql)
        .bind(from)
        .bind(from)
        .bind(whole(since.experiments_ms))
        .bind(LANE)
        .bind(before.0)
        .bind(before.1);
    let mut cursor = query
        .bind(progress.next.0)
        .bind(progress.next.1)
        .fetch::<EventRow>()?;
    let mut chunk = Vec::new();
    loop {
        let row = cursor.next().await?;
        let last = row.is_none();
        if let Some(row) = row {
            chunk.push(row);
        }
        if (last || chunk.len() == CHUNK_ROWS)
            && let Some(row) = chunk.last()
        {
            progress.next = (row.batch, row.idx + 1);
            take(std::mem::take(&mut chunk), Vec::new()).await;
        }
        if last {
            return Ok(());
        }
    }
}

/// Site, name and time of the first event, Unix milliseconds, of each release that ClickHouse knows,
/// the newest first, at most so many of a site.
///
/// # Errors
/// ClickHouse refused, or was lost on the way.
pub async fn releases(
    client: &Client,
    of_site_max: usize,
) -> Result<Vec<(String, String, u64)>, StoreError> {
    let sql = "SELECT site, release, toUInt64(greatest(0, toUnixTimestamp64Milli(min(time)))) AS first_ms \
               FROM events WHERE release != '' GROUP BY site, release \
               ORDER BY first_ms DESC LIMIT ? BY site";
    let query = client.query(sql).bind(of_site_max);
    Ok(query.fetch_all::<(String, String, u64)>().await?)
}

/// Hands over every event and element in the log from one position to another, a group at a time.
///
/// # Errors
/// The log cannot be read.
pub async fn from_log<S: Storage, F: Future<Output = ()>>(
    reader: &mut Reader<S>,
    from: Position,
    to: Position,
    mut take: impl FnMut(Vec<EventRow>, Vec<ElementRow>) -> F,
) -> Result<(), StoreError> {
    let mut position = from;
    while position < to {
        let Some(group) = reader.read(position)? else {
            break;
        };
        if group.position >= to {
            break;
        }
        position = group.next;
        let (mut events, mut elements) = (Vec::new(), Vec::new());
        for bytes in &group.records {
            if let Ok(Record::Batch(record)) = Record::decode(bytes) {
                events.extend(rows::event_rows(&record));
                elements.extend(rows::element_rows(&record));
            }
        }
        if !events.is_empty() || !elements.is_empty() {
            take(events, elements).await;
        }
    }
    Ok(())
}
