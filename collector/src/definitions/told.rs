//! What passes between the book and ClickHouse, in its own time: versions that it is told, versions
//! that only it still has, and the past of funnels that are new.
//!
//! Owns the table `definitions` and the order of these. Whatever fails is tried again, and nothing of
//! it holds up a change.

use super::book::{Book, BookError, Key, Version};
use super::kind::Kind;
use super::{Definitions, Recount};
use crate::clock::now_ms;
use crate::live;
use crate::log::Position;
use crate::row::EventRow;
use crate::store::ledger::Ledger;
use clickhouse::{Client, Row};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Versions told at once.
const VERSIONS_MAX: usize = 500;
/// Events given to the live engine at once.
const CHUNK_ROWS: usize = 10_000;
/// Pause after ClickHouse could not be used.
const PAUSE: Duration = Duration::from_secs(1);

/// Why something was not done; it is tried again.
#[derive(Debug, thiserror::Error)]
enum TellError {
    #[error("clickhouse: {0}")]
    ClickHouse(#[from] clickhouse::error::Error),
    #[error(transparent)]
    Book(#[from] BookError),
    #[error(transparent)]
    Live(#[from] live::LiveError),
    #[error("the process stops")]
    Stopping,
}

/// A row of `definitions`.
#[derive(Clone, Debug, Row, Serialize, Deserialize)]
struct Told {
    site: String,
    kind: String,
    id: String,
    version: u64,
    /// Unix milliseconds.
    at: i64,
    removed: bool,
    body: String,
}

/// Speaks with ClickHouse of definitions, for as long as the process runs.
pub struct Teller {
    definitions: Definitions,
    recounts: mpsc::Receiver<Recount>,
}

/// What it needs besides.
pub struct Surroundings {
    /// ClickHouse, when it is there.
    pub client: watch::Receiver<Option<Client>>,
    /// Whether its tables were brought up to date.
    pub tables: watch::Receiver<bool>,
    /// What the tables have.
    pub ledger: Arc<Ledger>,
    /// What is on disk.
    pub durable: watch::Receiver<Position>,
}

impl Teller {
    pub(super) fn new(definitions: Definitions, recounts: mpsc::Receiver<Recount>) -> Self {
        Self {
            definitions,
            recounts,
        }
    }

    /// Runs until everybody who could define something is gone, or it is dropped.
    pub async fn run(mut self, surroundings: Surroundings) {
        let book = self.definitions.book.clone();
        let mut changes = book.changes();
        while let Err(error) = self.learn(&surroundings).await {
            tracing::warn!(%error, "definitions in clickhouse could not be read; trying again");
            tokio::time::sleep(PAUSE).await;
        }
        let tell = async {
            loop {
                while let Err(error) = tell(&book, &surroundings).await {
                    tracing::warn!(%error, "clickhouse could not be told of definitions; trying again");
                    tokio::time::sleep(PAUSE).await;
                }
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        let definitions = &self.definitions;
        let recount = async {
            while let Some(recount) = self.recounts.recv().await {
                while let Err(error) = read_past(definitions, &recount, &surroundings).await {
                    tracing::warn!(%error, funnel = recount.id, "the past of a funnel could not be read; trying again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        };
        tokio::join!(tell, recount);
    }

    /// Takes up what ClickHouse has and the file does not.
    async fn learn(&self, surroundings: &Surroundings) -> Result<(), TellError> {
        let client = there(surroundings).await?;
        let sql = "SELECT ?fields FROM definitions FINAL ORDER BY site, kind, id, version";
        let rows = client.query(sql).fetch_all::<Told>().await?;
        let known = rows.into_iter().filter_map(|row| {
            let key = Key {
                site: row.site,
                // A later version of the collector may have more kinds.
                kind: Kind::by_name(&row.kind)?,
                id: row.id,
            };
            let body = if row.removed {
                None
            } else {
                Some(serde_json::from_str(&row.body).ok()?)
            };
            let (version, at_ms) = (row.version, u64::try_from(row.at).unwrap_or(0));
            Some((
                key,
                Version {
                    version,
                    at_ms,
                    body,
                },
            ))
        });
        let _order = self.definitions.order.lock().await;
        for (key, version) in self.definitions.book.learn(known.collect())? {
            self.definitions.apply(&key, &version).await?;
        }
        Ok(())
    }
}

/// ClickHouse, when its tables are there.
async fn there(surroundings: &Surroundings) -> Result<Client, TellError> {
    let (mut client, mut tables) = (surroundings.client.clone(), surroundings.tables.clone());
    let made = tables.wait_for(|made| *made).await;
    made.map_err(|_| TellError::Stopping)?;
    let found = client
        .wait_for(Option::is_some)
        .await
        .map_err(|_| TellError::Stopping)?;
    found.clone().ok_or(TellError::Stopping)
}

/// Tells all that waits.
async fn tell(book: &Book, surroundings: &Surroundings) -> Result<(), TellError> {
    loop {
        let waiting = book.waiting(VERSIONS_MAX)?;
        if waiting.is_empty() {
            return Ok(());
        }
        let client = there(surroundings).await?;
        let mut insert = client.insert::<Told>("definitions").await?;
        for (key, version) in &waiting {
            insert.write(&row(key, version)).await?;
        }
        insert.end().await?;
        book.stored(&waiting)?;
    }
}

fn row(key: &Key, version: &Version) -> Told {
    Told {
        site: key.site.clone(),
        kind: key.kind.name().into(),
        id: key.id.clone(),
        version: version.version,
        at: i64::try_from(version.at_ms).unwrap_or(i64::MAX),
        removed: version.body.is_none(),
        body: version
            .body
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
    }
}

/// Gives a funnel what was before it: all that ClickHouse has of its kinds, once ClickHouse has all that
/// was taken until now. What came meanwhile the engine has met already, and passes over; so it may also be
/// read again after half of it.
async fn read_past(
    definitions: &Definitions,
    recount: &Recount,
    surroundings: &Surroundings,
) -> Result<(), TellError> {
    let until = *surroundings.durable.borrow();
    surroundings.ledger.reaches(until).await;
    let client = there(surroundings).await?;
    let from_ms = live::history_from_ms(now_ms());
    let query = client
        .query(
            "SELECT ?fields FROM events WHERE site = ? AND kind IN ? \
             AND time >= fromUnixTimestamp64Milli(?)",
        )
        .bind(&*recount.site)
        .bind(&recount.kinds)
        .bind(i64::try_from(from_ms).unwrap_or(i64::MAX));
    let mut rows = query.fetch::<EventRow>()?;
    loop {
        let mut chunk = Vec::new();
        while chunk.len() < CHUNK_ROWS
            && let Some(row) = rows.next().await?
        {
            chunk.push(row);
        }
        let last = chunk.len() < CHUNK_ROWS;
        let (site, generation) = (recount.site.clone(), recount.generation);
        definitions
            .live
            .recount(site, generation, chunk, last)
            .await?;
        if last {
            return Ok(());
        }
    }
}
