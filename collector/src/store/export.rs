//! Everything that is kept of one visitor, as lines of JSON.
//!
//! Owns the questions, the order of the tables and the last line, by which whoever reads knows that
//! nothing is missing. One row of ClickHouse is one line; at no time is more than a few chunks of them in
//! memory. Knows no HTTP.

use super::erase::{NAMES_A_VISITOR, Target, bind_names};
use super::ledger::Ledger;
use super::quarantine;
use crate::clock::now_ms;
use crate::ingest::Ingest;
use clickhouse::Client;
use clickhouse::query::Query;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use upriver_wire::VisitorId;
use uuid::Uuid;

/// Exports at a time.
const AT_ONCE_MAX: usize = 4;
/// How long ClickHouse may take to be there, and then to have what was acknowledged before.
const REACH_TIMEOUT: Duration = Duration::from_secs(20);
/// How long it may say nothing.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Seconds that one question may take, and bytes of memory past which it sorts on disk or gives up.
const QUERY_S_MAX: &str = "600";
const SORT_BYTES: &str = "100000000";
const MEMORY_BYTES_MAX: &str = "1000000000";
/// Bytes of lines handed over at once, more or less, and how often before whoever reads must have taken some.
const CHUNK_BYTES: usize = 64 * 1024;
const CHUNKS_MAX: usize = 8;
/// Longest row, bytes of JSON.
const ROW_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Lines, several at once, each whole.
#[derive(Debug)]
pub struct Chunks {
    first: Option<Vec<u8>>,
    rest: mpsc::Receiver<Result<Vec<u8>, ExportError>>,
}

impl Chunks {
    /// The next lines; or why there are no more.
    pub async fn next(&mut self) -> Option<Result<Vec<u8>, ExportError>> {
        match self.first.take() {
            Some(first) => Some(Ok(first)),
            None => self.rest.recv().await,
        }
    }
}

/// Why a visitor is not exported, or not to the end.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Too many at a time.
    #[error("{AT_ONCE_MAX} exports are under way already; try again later")]
    Busy,
    /// ClickHouse is not there.
    #[error("clickhouse is away, and everything is there; try again later")]
    Away,
    /// It does not have all that was acknowledged.
    #[error(
        "clickhouse does not have everything yet: {0} bytes of the log are still to be stored; try again \
         later"
    )]
    Behind(u64),
    /// It refused, or was lost on the way.
    #[error("clickhouse did not answer: {0}")]
    Refused(String),
    /// The files of batches that are kept apart cannot be read.
    #[error("the quarantine cannot be read: {0}")]
    Quarantine(std::io::Error),
}

/// Gives out what is kept of visitors. Cheap to clone.
#[derive(Clone)]
pub struct Exports {
    client: watch::Receiver<Option<Client>>,
    ingest: Ingest,
    ledger: Arc<Ledger>,
    quarantine: PathBuf,
    turns: Arc<Semaphore>,
}

/// The last line.
#[derive(Serialize)]
struct End {
    table: &'static str,
    /// When it was begun, Unix ms.
    at_ms: u64,
    /// Rows by table.
    rows: BTreeMap<&'static str, u64>,
    complete: bool,
    /// What is not there, in words.
    missing: Vec<String>,
}

/// What of a table is a visitor's.
struct Part {
    table: &'static str,
    sql: &'static str,
}

/// The tables, and what is asked of each. `?` are, by turns, site and visitor; in `dead_letters` the site
/// and what names the visitor.
fn parts() -> [Part; 4] {
    let part = |table, sql| Part { table, sql };
    [
        part(
            "events",
            "SELECT * FROM events WHERE site = ? AND visitor = ? ORDER BY time, ord, stream, seq",
        ),
        part(
            "sessions",
            "SELECT * FROM sessions FINAL WHERE site = ? AND visitor = ? ORDER BY began, session, device",
        ),
        part(
            "elements",
            "SELECT * FROM elements FINAL WHERE site = ? AND element IN \
             (SELECT arrayJoin([element, field]) FROM events WHERE site = ? AND visitor = ?) \
             ORDER BY element",
        ),
        part("dead_letters", LETTERS),
    ]
}

/// A body may hold any bytes, which a line of JSON may not.
const LETTERS: &str = "SELECT * REPLACE (base64Encode(body) AS body) FROM \
                       (SELECT * FROM dead_letters WHERE site = ? AND ";

impl Exports {
    /// From ClickHouse, when it has what was acknowledged, with the folder of batches kept apart.
    pub fn new(
        client: watch::Receiver<Option<Client>>,
        ingest: Ingest,
        ledger: Arc<Ledger>,
        quarantine: PathBuf,
    ) -> Self {
        Self {
            client,
            ingest,
            ledger,
            quarantine,
            turns: Arc::new(Semaphore::new(AT_ONCE_MAX)),
        }
    }

    /// Begins to give out what is kept of a visitor of a site: a line for each row, and a last one that
    /// says how many there were and whether that is all. Without the last one lines are missing.
    ///
    /// # Errors
    /// See [`ExportError`]. What goes wrong later is told in place of further lines.
    pub async fn begin(&self, site: &str, visitor: VisitorId) -> Result<Chunks, ExportError> {
        let turn = self.turns.clone().try_acquire_owned();
        let turn = turn.map_err(|_| ExportError::Busy)?;
        let mut client = self.client.clone();
        let found = tokio::time::timeout(REACH_TIMEOUT, client.wait_for(Option::is_some)).await;
        let found = found.ok().and_then(|found| found.ok()?.clone());
        let client = found.ok_or(ExportError::Away)?;
        self.reach().await?;
        let target = Target {
            erasure: Uuid::nil(),
            site: site.to_owned(),
            visitor,
            until_ms: u64::MAX,
        };
        let (sender, mut rest) = mpsc::channel(CHUNKS_MAX);
        let (folder, ledger) = (self.quarantine.clone(), self.ledger.clone());
        tokio::spawn(async move {
            let _turn = turn;
            let mut lines = Lines {
                sender,
                chunk: Vec::new(),
            };
            if let Err(error) = write(&mut lines, &client, target, folder, &ledger).await {
                // Whoever read may be gone.
                let _ = lines.sender.send(Err(error)).await;
            }
        });
        // There is a last line at least: what goes wrong at once is an answer of its own.
        match rest.recv().await {
            Some(Ok(first)) => {
                let first = Some(first);
                Ok(Chunks { first, rest })
            }
            Some(Err(error)) => Err(error),
            None => Err(ExportError::Refused("it was given up".into())),
        }
    }

    /// Waits until ClickHouse has what was acknowledged up to now.
    async fn reach(&self) -> Result<(), ExportError> {
        let position = *self.ingest.durable().borrow();
        let reached = tokio::time::timeout(REACH_TIMEOUT, self.ledger.reaches(position)).await;
        reached.map_err(|_| {
            let there = self.ledger.page().newest.to;
            ExportError::Behind(position.saturating_sub(there))
        })
    }
}

async fn write(
    lines: &mut Lines,
    client: &Client,
    target: Target,
    quarantine: PathBuf,
    ledger: &Ledger,
) -> Result<(), ExportError> {
    let at_ms = now_ms();
    let before = ledger.erasing();
    let mut rows = BTreeMap::new();
    for part in parts() {
        let count = rows_of(lines, client, &part, &target).await?;
        rows.insert(part.table, count);
    }
    let held = tokio::task::spawn_blocking(move || {
        quarantine::held(&quarantine, |record| target.is_of(record))
    });
    let held = held.await.map_err(std::io::Error::other).flatten();
    let held = held.map_err(ExportError::Quarantine)?;
    let apart: usize = held.iter().map(|held| held.events.len()).sum();
    let mut missing = Vec::new();
    if apart > 0 {
        missing.push(format!(
            "{apart} events are kept apart in the quarantine, as clickhouse refused them; `upriver requeue` \
             gives them back"
        ));
    }
    if ledger.erasing() != before || before.now {
        missing.push("a visitor was being erased meanwhile; export again".to_owned());
    }
    let end = End {
        table: "end",
        at_ms,
        rows,
        complete: missing.is_empty(),
        missing,
    };
    let end = serde_json::to_vec(&end).map_err(|error| ExportError::Refused(error.to_string()))?;
    lines.push(&end);
    lines.hand_over().await;
    Ok(())
}

/// Gives out the rows of one table; returns how many those were.
async fn rows_of(
    lines: &mut Lines,
    client: &Client,
    part: &Part,
    target: &Target,
) -> Result<u64, ExportError> {
    let refused = |error: clickhouse::error::Error| ExportError::Refused(error.to_string());
    let query = question(client, part, target);
    let query = query
        // A script would take the last digits of a larger number away.
        .with_setting("output_format_json_quote_64bit_integers", "1")
        .with_setting("date_time_output_format", "iso")
        .with_setting("max_execution_time", QUERY_S_MAX)
        .with_setting("max_bytes_before_external_sort", SORT_BYTES)
        .with_setting("max_memory_usage", MEMORY_BYTES_MAX)
        // Nor is it written down who was asked for.
        .with_setting("log_queries", "0");
    let mut bytes = query.fetch_bytes("JSONEachRow").map_err(refused)?;
    let begin = format!("{{\"table\":\"{}\",\"row\":", part.table);
    let (mut rows, mut rest) = (0, Vec::new());
    loop {
        let next = tokio::time::timeout(SILENCE_MAX, bytes.next()).await;
        let next =
            next.map_err(|_| ExportError::Refused(format!("it is silent for {SILENCE_MAX:?}")))?;
        let Some(chunk) = next.map_err(refused)? else {
            break;
        };
        rest.extend_from_slice(&chunk);
        let mut from = 0;
        while let Some(length) = rest[from..].iter().position(|byte| *byte == b'\n') {
            let row = &rest[from..from + length];
            // An exception on the way is no row.
            if !(row.starts_with(b"{") && row.ends_with(b"}")) {
                let said = String::from_utf8_lossy(row).into_owned();
                return Err(ExportError::Refused(said));
            }
            lines.push(&[begin.as_bytes(), row, b"}"].concat());
            rows += 1;
            from += length + 1;
            if lines.chunk.len() >= CHUNK_BYTES && !lines.hand_over().await {
                return Err(ExportError::Refused("nobody reads any more".into()));
            }
        }
        rest.drain(..from);
        if rest.len() > ROW_BYTES_MAX {
            let what = format!(
                "a row of {} is longer than {ROW_BYTES_MAX} bytes",
                part.table
            );
            return Err(ExportError::Refused(what));
        }
    }
    match rest.is_empty() {
        true => Ok(rows),
        false => Err(ExportError::Refused("its answer broke off".into())),
    }
}

fn question(client: &Client, part: &Part, target: &Target) -> Query {
    let Target { site, visitor, .. } = target;
    let id = Uuid::from_u128(visitor.0).to_string();
    match part.table {
        "dead_letters" => {
            let begin = part.sql;
            let sql = format!("{begin}{NAMES_A_VISITOR}) ORDER BY received_at, batch, idx");
            bind_names(client.query(&sql).bind(site), *visitor)
        }
        "elements" => client.query(part.sql).bind(site).bind(site).bind(id),
        _ => client.query(part.sql).bind(site).bind(id),
    }
}

/// Lines on their way to whoever reads them.
struct Lines {
    sender: mpsc::Sender<Result<Vec<u8>, ExportError>>,
    chunk: Vec<u8>,
}

impl Lines {
    fn push(&mut self, line: &[u8]) {
        self.chunk.extend_from_slice(line);
        self.chunk.push(b'\n');
    }

    /// Hands over what there is, as soon as there is room. False when nobody reads any more.
    async fn hand_over(&mut self) -> bool {
        let chunk = std::mem::take(&mut self.chunk);
        self.sender.send(Ok(chunk)).await.is_ok()
    }
}
