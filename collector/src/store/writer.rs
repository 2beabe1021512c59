//! The one writer: seals stretches of the log into batches and inserts each into ClickHouse once.
//!
//! How once is kept, whatever is killed when:
//! - What a batch holds is decided by its seal, which is durable in the log before the first byte
//!   goes to ClickHouse. The same seal gives the same rows, again and again.
//! - One insert is in flight at a time, so each table holds every batch up to the highest number
//!   found in it. That number is the table's watermark; a batch is inserted only above it.
//! - A batch is one block in one partition, so ClickHouse takes all of it or nothing.
//! - A batch that ClickHouse refuses again and again because of its rows is kept apart, and the lane
//!   goes on. When one after the other is refused it is not the batches that are at fault: then it waits.
//! - After any failure the watermark is asked for again, and only once the failed insert is known
//!   not to be running any more, before the batch is sent a second time.

use super::batch::{self, BATCH_ROWS_MAX, Batch};
use super::ledger::{Entry, Ledger};
use super::quarantine::{self, Quarantine, Refused};
use super::{LANE, StoreError, repair};
use crate::clock::now_ms;
use crate::ingest::record::Seal;
use crate::ingest::{Ingest, IngestError};
use crate::log::storage::Storage;
use crate::log::{Position, Reader};
use clickhouse::{Client, RowOwned, RowWrite};
use metrics::{counter, gauge, histogram};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long rows gather before they are inserted.
const BATCH_AGE: Duration = Duration::from_millis(300);
/// First and longest pause after a failure.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How often rows must be refused for a reason that does not heal before they are kept apart.
const REFUSALS: u32 = 5;
/// Batches kept apart one after the other before it is the table that is believed to be at fault.
const REFUSED_IN_A_ROW_MAX: u32 = 3;
/// How long ClickHouse may take for one insert.
const INSERT_TIMEOUT: Duration = Duration::from_secs(60);
/// How long one attempt may take, questions included.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(120);

/// Highest batch in each table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watermarks {
    /// `events`.
    pub events: u64,
    /// `elements`.
    pub elements: u64,
    /// `heatmap`.
    pub heatmap: u64,
    /// `sessions`.
    pub sessions: u64,
    /// `campaign_minutes`.
    pub campaign_minutes: u64,
    /// `page_minutes`.
    pub page_minutes: u64,
    /// `dead_letters`.
    pub dead_letters: u64,
    /// `ingest_log`.
    pub ingest_log: u64,
}

impl Watermarks {
    /// Asks the tables.
    ///
    /// # Errors
    /// ClickHouse refused, or cannot be reached.
    pub async fn read(client: &Client) -> Result<Self, StoreError> {
        Ok(Self {
            events: watermark(client, "events").await?,
            elements: watermark(client, "elements").await?,
            heatmap: watermark(client, "heatmap").await?,
            sessions: watermark(client, "sessions").await?,
            campaign_minutes: watermark(client, "campaign_minutes").await?,
            page_minutes: watermark(client, "page_minutes").await?,
            dead_letters: watermark(client, "dead_letters").await?,
            ingest_log: watermark(client, "ingest_log").await?,
        })
    }

    /// The highest of them.
    pub fn highest(&self) -> u64 {
        let Self {
            events,
            elements,
            heatmap,
            sessions,
            campaign_minutes,
            page_minutes,
            dead_letters,
            ingest_log,
        } = *self;
        let rolled_up = heatmap
            .max(sessions)
            .max(campaign_minutes)
            .max(page_minutes);
        let told = dead_letters.max(ingest_log);
        events.max(elements).max(rolled_up).max(told)
    }
}

async fn watermark(client: &Client, table: &str) -> Result<u64, StoreError> {
    let sql = "SELECT max(batch) FROM ? WHERE lane = ?";
    let query = client
        .query(sql)
        .bind(clickhouse::sql::Identifier(table))
        .bind(LANE);
    Ok(query.fetch_one::<u64>().await?)
}

/// Where the writer goes on.
#[derive(Clone, Debug)]
pub struct Resume {
    /// Seals found in the log beyond the checkpoint, in order.
    pub seals: Vec<Seal>,
    /// The newest batch known to be in all tables.
    pub checkpoint: Seal,
    /// Number of batch from which a fresh log must count on, because ClickHouse knows lower ones.
    pub watermarks: Watermarks,
}

/// The writer. Runs as one task.
pub struct Writer<S: Storage> {
    client: watch::Receiver<Option<Client>>,
    ingest: Ingest,
    reader: Reader<S>,
    ledger: Arc<Ledger>,
    quarantine: Quarantine,
    refused_in_a_row: u32,
    watermarks: Watermarks,
    newest: Seal,
    stopping: watch::Receiver<bool>,
}

impl<S: Storage> Writer<S> {
    /// A writer that has not begun. `client` is empty while ClickHouse is being restarted.
    pub fn new(
        client: watch::Receiver<Option<Client>>,
        ingest: Ingest,
        reader: Reader<S>,
        (ledger, quarantine): (Arc<Ledger>, Quarantine),
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self {
            client,
            ingest,
            reader,
            ledger,
            quarantine,
            refused_in_a_row: 0,
            watermarks: Watermarks::default(),
            newest: Seal::default(),
            stopping,
        }
    }

    /// Inserts what the log holds and ClickHouse does not, then everything that comes, until the
    /// process stops and nothing is left.
    ///
    /// # Errors
    /// Only what cannot heal while the process runs: the log failed.
    pub async fn run(mut self, resume: Resume) -> Result<(), StoreError> {
        self.watermarks = resume.watermarks;
        self.newest = resume.checkpoint;
        for seal in resume.seals {
            let batch = batch::read(&mut self.reader, seal)?;
            let batch = self.whole(seal, batch).await?;
            self.insert(seal, batch).await?;
        }
        if self.watermarks.highest() > self.newest.batch {
            // ClickHouse has batches this log knows nothing of: it was set up anew beside an old
            // database. Counting on above them keeps every batch insertable.
            tracing::warn!(
                highest = self.watermarks.highest(),
                "the database holds batches of an earlier log; numbering goes on above them"
            );
            self.newest.batch = self.watermarks.highest();
        }
        let mut durable = self.ingest.durable();
        loop {
            let end = *durable.borrow_and_update();
            let progressed = self.seal_next(end).await?;
            if progressed {
                continue;
            }
            if *self.stopping.borrow() {
                break;
            }
            tokio::select! {
                changed = durable.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    // Rows gather for a moment; when stopping there is no reason to wait.
                    let stopping = self.stopping.wait_for(|stopping| *stopping);
                    let _ = tokio::time::timeout(BATCH_AGE, stopping).await;
                }
                _ = self.stopping.changed() => {}
            }
        }
        Ok(())
    }

    /// A sealed batch as it was, when a part of it can no longer be read in the log and `events` has
    /// it: the rest is made of the rows that are there.
    async fn whole(&mut self, seal: Seal, batch: Batch) -> Result<Batch, StoreError> {
        let spoilt = self.reader.damages().touch(seal.from, seal.to);
        if !spoilt || seal.batch > self.watermarks.events {
            return Ok(batch);
        }
        let mut pause = PAUSE_MIN;
        loop {
            let client = self.client().await?;
            match repair::as_stored(&client, seal, &batch).await {
                Ok(batch) => return Ok(batch),
                Err(error) => {
                    tracing::warn!(%error, batch = seal.batch, "a batch cannot be read back yet");
                    self.pause(&mut pause).await;
                }
            }
        }
    }

    /// Seals and inserts one batch of what lies before `end`. False when there is nothing left.
    async fn seal_next(&mut self, end: Position) -> Result<bool, StoreError> {
        let from = self.newest.to;
        gauge!("upriver_writer_lag_bytes").set(end.saturating_sub(from) as f64);
        if end <= from {
            return Ok(false);
        }
        let (batch, to) = batch::cut(&mut self.reader, from, end)?;
        if to <= from {
            // A segment was closed before it was full: nothing lies in between.
            self.newest.to = end;
            self.ledger.passed(end);
            return Ok(false);
        }
        let rows = batch.rows();
        if rows == 0 {
            // Only seals lie in between.
            self.newest.to = to;
            self.ledger.passed(to);
            return Ok(true);
        }
        let seal = Seal {
            batch: self.newest.batch + 1,
            from,
            to,
        };
        self.seal(seal).await?;
        self.insert(seal, batch.sealed(seal)).await?;
        Ok(rows >= BATCH_ROWS_MAX || to < end)
    }

    /// Makes a seal durable, trying until the log's disk has room for it.
    async fn seal(&mut self, seal: Seal) -> Result<(), StoreError> {
        // Told first: from here on nothing else is ever sealed under this number.
        self.ledger.sealing(seal);
        let mut pause = PAUSE_MIN;
        loop {
            match self.ingest.seal(seal).await {
                Ok(()) => return Ok(()),
                Err(error @ (IngestError::NoSpace | IngestError::Overloaded)) => {
                    tracing::warn!(%error, batch = seal.batch, "a batch could not be sealed yet");
                }
                Err(error) => return Err(error.into()),
            }
            self.pause(&mut pause).await;
        }
    }

    /// Waits, each time twice as long as the last.
    async fn pause(&self, pause: &mut Duration) {
        tokio::time::sleep(*pause).await;
        *pause = (*pause * 2).min(PAUSE_MAX);
    }

    /// Inserts a sealed batch into every table that does not have it.
    async fn insert(&mut self, seal: Seal, batch: Batch) -> Result<(), StoreError> {
        let begun = Instant::now();
        let ledger = self.ledger.clone();
        let _tables = ledger.tables().await;
        let mut entry = Entry::of(seal, &batch);
        let Batch {
            events,
            elements,
            heatmap,
            sessions,
            campaign_minutes,
            page_minutes,
            dead_letters,
            mut ingest_log,
        } = batch;
        if !self
            .offer("events", seal, &events, |marks| &mut marks.events)
            .await?
        {
            self.newest = seal;
            self.ledger.refused(entry);
            return Ok(());
        }
        if !events.is_empty() {
            self.refused_in_a_row = 0;
        }
        let described = self
            .offer("elements", seal, &elements, |marks| &mut marks.elements)
            .await?;
        self.put("heatmap", seal, &heatmap, |marks| &mut marks.heatmap)
            .await?;
        self.put("sessions", seal, &sessions, |marks| &mut marks.sessions)
            .await?;
        self.put("campaign_minutes", seal, &campaign_minutes, |marks| {
            &mut marks.campaign_minutes
        })
        .await?;
        self.put("page_minutes", seal, &page_minutes, |marks| {
            &mut marks.page_minutes
        })
        .await?;
        let told = self
            .offer("dead_letters", seal, &dead_letters, |marks| {
                &mut marks.dead_letters
            })
            .await?;
        for row in &mut ingest_log {
            row.elements *= u64::from(described);
            row.dead_letters *= u64::from(told);
        }
        entry.dead_letters *= u64::from(told);
        // The last: a batch that is told here is in every table.
        self.put("ingest_log", seal, &ingest_log, |marks| {
            &mut marks.ingest_log
        })
        .await?;
        self.newest = seal;
        self.ledger.stored(entry);
        counter!("upriver_writer_rows_total").increment(events.len() as u64);
        histogram!("upriver_writer_batch_seconds").record(begun.elapsed().as_secs_f64());
        gauge!("upriver_writer_batch").set(seal.batch as f64);
        Ok(())
    }

    /// Inserts rows into one table, or keeps them apart when they are refused for good. Says whether the
    /// table has them.
    async fn offer<T>(
        &mut self,
        table: &str,
        seal: Seal,
        rows: &[T],
        mark: impl Fn(&mut Watermarks) -> &mut u64,
    ) -> Result<bool, StoreError>
    where
        T: RowOwned + RowWrite,
    {
        if self.quarantine.has(seal, table) {
            return Ok(false);
        }
        let Some(reason) = self.put(table, seal, rows, mark).await? else {
            return Ok(true);
        };
        let refused = Refused {
            batch: seal.batch,
            from: seal.from,
            to: seal.to,
            table: table.to_owned(),
            rows: rows.len() as u64,
            reason,
            at_ms: now_ms(),
        };
        self.keep_apart(seal, &refused).await?;
        Ok(false)
    }

    async fn keep_apart(&mut self, seal: Seal, refused: &Refused) -> Result<(), StoreError> {
        let groups = batch::groups(&mut self.reader, seal)?;
        let mut pause = PAUSE_MIN;
        loop {
            match self.quarantine.keep(refused, &groups) {
                Ok(path) => {
                    tracing::error!(?refused, path = %path.display(), "a batch is kept apart");
                    break;
                }
                Err(error) => {
                    tracing::error!(%error, ?refused, "a batch cannot be kept apart yet");
                    self.pause(&mut pause).await;
                }
            }
        }
        self.refused_in_a_row += 1;
        if refused.table == "dead_letters" {
            return Ok(());
        }
        let letter = quarantine::letter(refused, &groups);
        if let Err(error) = self.ingest.dead_letter(letter).await {
            tracing::warn!(%error, "no dead letter tells of it");
        }
        Ok(())
    }

    /// Inserts rows into one table, trying until they are in, or refused so often and for such a reason
    /// that they never will be: then it says which. Waits while ClickHouse is away.
    async fn put<T>(
        &mut self,
        table: &str,
        seal: Seal,
        rows: &[T],
        mark: impl Fn(&mut Watermarks) -> &mut u64,
    ) -> Result<Option<String>, StoreError>
    where
        T: RowOwned + RowWrite,
    {
        if rows.is_empty() || *mark(&mut self.watermarks) >= seal.batch {
            return Ok(None);
        }
        let mut refusals = 0;
        let mut pause = PAUSE_MIN;
        let mut attempt = 0_u32;
        loop {
            let client = self.client().await?;
            let query_id = query_id(table, seal.batch);
            let result = async {
                if attempt > 0 {
                    settled(&client, &query_id).await?;
                    if watermark(&client, table).await? >= seal.batch {
                        return Ok(());
                    }
                }
                insert_rows(&client, table, &query_id, rows).await
            };
            // Whatever hangs is given up like whatever fails: the next attempt asks first.
            let result = tokio::time::timeout(ATTEMPT_TIMEOUT, result).await;
            match result.unwrap_or_else(|_| Err(clickhouse::error::Error::TimedOut.into())) {
                Ok(()) => break,
                Err(error) => {
                    attempt += 1;
                    counter!("upriver_writer_retries_total", "table" => table.to_owned())
                        .increment(1);
                    tracing::warn!(%error, table, batch = seal.batch, attempt, "insert failed");
                    refusals += u32::from(quarantine::is_final(&error));
                    let enough = refusals >= REFUSALS && quarantine::is_final(&error);
                    let alone = self.refused_in_a_row < REFUSED_IN_A_ROW_MAX;
                    if enough && alone && quarantine::KEPT_OF.contains(&table) {
                        return Ok(Some(error.to_string()));
                    }
                    self.pause(&mut pause).await;
                }
            }
        }
        *mark(&mut self.watermarks) = seal.batch;
        Ok(None)
    }

    /// The client, as soon as there is one.
    async fn client(&mut self) -> Result<Client, StoreError> {
        let client = self.client.wait_for(Option::is_some).await;
        match client.ok().and_then(|client| client.clone()) {
            Some(client) => Ok(client),
            None => Err(IngestError::Stopping.into()),
        }
    }
}

fn query_id(table: &str, batch: u64) -> String {
    format!("upriver-{table}-{LANE}-{batch}")
}

/// Sends rows as one block.
async fn insert_rows<T: RowOwned + RowWrite>(
    client: &Client,
    table: &str,
    query_id: &str,
    rows: &[T],
) -> Result<(), StoreError> {
    let mut insert = client
        .insert::<T>(table)
        .await?
        .with_setting("query_id", query_id)
        .with_setting("async_insert", "0")
        .with_setting("wait_end_of_query", "1")
        .with_setting("max_insert_block_size", "1000000")
        .with_setting("max_partitions_per_insert_block", "1")
        .with_timeouts(Some(INSERT_TIMEOUT), Some(INSERT_TIMEOUT));
    for row in rows {
        insert.write(row).await?;
    }
    insert.end().await?;
    Ok(())
}

/// Fails as long as inserts that an earlier process began are still running.
///
/// # Errors
/// They are, or ClickHouse cannot be reached.
pub async fn settled_all(client: &Client) -> Result<(), StoreError> {
    let sql = "SELECT count() FROM system.processes WHERE startsWith(query_id, 'upriver-') \
               AND query_kind = 'Insert' AND current_database = currentDatabase()";
    match client.query(sql).fetch_one::<u64>().await? {
        0 => Ok(()),
        running => {
            let what = format!("{running} inserts of an earlier process are still running");
            Err(clickhouse::error::Error::Custom(what).into())
        }
    }
}

/// Fails as long as the insert of that id may still be running.
async fn settled(client: &Client, query_id: &str) -> Result<(), StoreError> {
    let sql = "SELECT count() FROM system.processes WHERE query_id = ?";
    match client.query(sql).bind(query_id).fetch_one::<u64>().await? {
        0 => Ok(()),
        _ => Err(
            clickhouse::error::Error::Custom(format!("insert {query_id} is still running")).into(),
        ),
    }
}
