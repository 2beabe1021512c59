//! Asking: the tables, the ledger, the log and the sequencer, in an order in which what is written
//! meanwhile cannot be mistaken for a fault.

use super::Auditor;
use super::check::{Accounts, Facts, Gone, Places, Told};
use crate::ingest::record::Record;
use crate::log::storage::Storage;
use crate::log::{Position, Reader};
use crate::store::LANE;
use crate::store::ledger::{BATCHES_MAX, Page};
use clickhouse::{Client, Row};
use serde::Deserialize;

/// How far back rows are looked at, by day of receipt: the begun day and the one before.
pub(in crate::store) const DAYS: i64 = 2;
const DAY_MS: i64 = 24 * 3600 * 1000;
/// Longest stretch of the log that is read to count what is not stored yet, bytes.
const IN_LOG_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// How long ClickHouse may take for one question, seconds.
const QUERY_SECONDS_MAX: &str = "30";

/// Everything the checks need, or why it cannot be had.
pub(super) async fn gather<S: Storage>(
    auditor: &mut Auditor<S>,
    client: &Client,
    now_ms: u64,
) -> Result<Facts, String> {
    // First what the writer has finished: every table has it before the first question.
    let mut page = auditor.ledger.page();
    let since_ms = (i64::try_from(now_ms).unwrap_or(i64::MAX) / DAY_MS - (DAYS - 1)) * DAY_MS;
    page.recent.retain(|entry| entry.received_ms >= since_ms);
    let scope = Scope {
        above: page.newest.batch.saturating_sub(BATCHES_MAX as u64),
        newest: page.newest.batch,
        since_ms,
    };
    let client = client
        .clone()
        .with_setting("max_execution_time", QUERY_SECONDS_MAX);
    let accounts = accounts(auditor, &page).await;
    let live = super::live::compare(auditor, &client).await;
    let asked = async {
        Ok::<_, clickhouse::error::Error>(Facts {
            batch: page.newest.batch,
            events: places(&client, "events", scope).await?,
            dead_letters: places(&client, "dead_letters", scope).await?,
            gone: gone(&client, scope).await?,
            told: told(&client, scope).await?,
            doubled: doubled(&client, scope).await?,
            sums: super::rolled::sums(&client, scope).await?,
            ledger: page.recent,
            accounts,
            live,
        })
    };
    asked.await.map_err(|error| format!("clickhouse: {error}"))
}

/// The rows that are looked at.
#[derive(Clone, Copy)]
pub(super) struct Scope {
    /// Batches above this one,
    above: u64,
    /// up to and with this one,
    pub(super) newest: u64,
    /// received at or after this, Unix ms.
    pub(super) since_ms: i64,
}

const IN_SCOPE: &str =
    "lane = ? AND batch > ? AND batch <= ? AND received_at >= fromUnixTimestamp64Milli(?)";

async fn places(
    client: &Client,
    table: &str,
    scope: Scope,
) -> Result<Vec<Places>, clickhouse::error::Error> {
    #[derive(Row, Deserialize)]
    struct Found {
        batch: u64,
        rows: u64,
        places: u64,
        last: u32,
    }
    let sql = format!(
        "SELECT batch, count() AS rows, uniqExact(idx) AS places, max(idx) AS last FROM {table} \
         WHERE {IN_SCOPE} GROUP BY batch ORDER BY batch"
    );
    let query = client.query(&sql).bind(LANE).bind(scope.above);
    let query = query.bind(scope.newest).bind(scope.since_ms);
    let found = query.fetch_all::<Found>().await?;
    Ok(found
        .into_iter()
        .map(|found| Places {
            batch: found.batch,
            rows: found.rows,
            places: found.places,
            last: found.last,
        })
        .collect())
}

/// What `ingest_log` says of each batch.
async fn told(client: &Client, scope: Scope) -> Result<Vec<Told>, clickhouse::error::Error> {
    let sql = "SELECT batch, count(), sum(events), sum(dead_letters) FROM ingest_log \
               WHERE lane = ? AND batch > ? AND batch <= ? \
               AND received_to >= fromUnixTimestamp64Milli(?) GROUP BY batch";
    let query = client.query(sql).bind(LANE).bind(scope.above);
    let query = query.bind(scope.newest).bind(scope.since_ms);
    let found = query.fetch_all::<(u64, u64, u64, u64)>().await?;
    Ok(found
        .into_iter()
        .map(|(batch, rows, events, dead_letters)| Told {
            batch,
            rows,
            events,
            dead_letters,
        })
        .collect())
}

/// What of each batch was erased.
async fn gone(client: &Client, scope: Scope) -> Result<Vec<Gone>, clickhouse::error::Error> {
    let sql = "SELECT batch, countIf(source = 'events'), countIf(source = 'dead_letters') \
               FROM erased FINAL WHERE lane = ? AND batch > ? AND batch <= ? GROUP BY batch";
    let query = client.query(sql).bind(LANE).bind(scope.above);
    let query = query.bind(scope.newest);
    let found = query.fetch_all::<(u64, u64, u64)>().await?;
    Ok(found
        .into_iter()
        .map(|(batch, events, dead_letters)| Gone {
            batch,
            events,
            dead_letters,
        })
        .collect())
}

async fn doubled(client: &Client, scope: Scope) -> Result<u64, clickhouse::error::Error> {
    let sql = format!("SELECT count() - uniqExact(site, stream, seq) FROM events WHERE {IN_SCOPE}");
    let query = client.query(&sql).bind(LANE).bind(scope.above);
    let query = query.bind(scope.newest).bind(scope.since_ms);
    Ok(u64::try_from(query.fetch_one::<i64>().await?).unwrap_or(0))
}

/// What was taken, and where it is. The page of the ledger was read before what was taken is, so
/// all of the page is in it.
async fn accounts<S: Storage>(auditor: &mut Auditor<S>, page: &Page) -> Result<Accounts, String> {
    let taken = auditor.ingest.status().taken();
    let (from, to) = (page.newest.to, taken.position);
    let bytes = to.saturating_sub(from);
    if bytes > IN_LOG_BYTES_MAX {
        return Err(format!(
            "{bytes} bytes of log are not stored yet; up to {IN_LOG_BYTES_MAX} are counted"
        ));
    }
    let mut reader = auditor.reader.clone();
    let counted = tokio::task::spawn_blocking(move || {
        let in_log = events_between(&mut reader, from, to).map_err(|error| error.to_string())?;
        // The writer lets go of log when it is stored; what was counted must have been whole.
        if reader.start() > from && from < to {
            return Err("the log moved on while it was read".to_owned());
        }
        Ok(in_log)
    });
    let in_log = counted.await.map_err(|error| error.to_string())??;
    Ok(Accounts {
        taken: taken.events,
        written: page.events,
        quarantined: page.quarantined,
        in_log,
    })
}

/// Events in the log from one position to another.
fn events_between<S: Storage>(
    reader: &mut Reader<S>,
    from: Position,
    to: Position,
) -> Result<u64, crate::log::LogError> {
    let (mut position, mut events) = (from, 0);
    while position < to {
        let Some(group) = reader.read(position)? else {
            break;
        };
        if group.position >= to {
            break;
        }
        position = group.next;
        for bytes in &group.records {
            if let Ok(Record::Batch(record)) = Record::decode(bytes) {
                events += record.events();
            }
        }
    }
    Ok(events)
}
