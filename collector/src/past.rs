//! Answers of live resources beyond what memory holds: runs the SQL that stands beside the number
//! and gives the same answer as the live engine would.
//!
//! Knows ClickHouse and the shape of answers; nothing of HTTP. The definitions are the live
//! engine's: this only runs their SQL. It sees an event as soon as ClickHouse holds it.

use crate::live::{Beyond, Live, Published, Query, Subscription};
use crate::row::ElementRow;
use clickhouse::Client;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};

/// Queries that run at a time; others wait.
const AT_ONCE_MAX: usize = 4;
/// Subscriptions at a time.
const SUBSCRIPTIONS_MAX: usize = 200;
/// Seconds that a query may run.
const QUERY_S_MAX: u32 = 20;
/// How long a request waits for its turn and its answer.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Rows of an answer.
const ROWS_MAX: u32 = 1_000_000;
/// How often a subscription asks again.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// ClickHouse is not there yet, or gone. Try again.
    #[error("it is beyond what is kept in memory, and clickhouse is away; try again")]
    Away,
    /// Too many ask at the same time. Try again.
    #[error("it is beyond what is kept in memory, and too many ask for such at a time; try again")]
    Busy,
    /// ClickHouse refused. Said for the log; the query may be too heavy.
    #[error("clickhouse did not answer: {0}; ask for less time or fewer pages")]
    Refused(String),
}

/// Asks ClickHouse. Cheap to clone.
#[derive(Clone)]
pub struct Past {
    client: watch::Receiver<Option<Client>>,
    live: Live,
    turns: Arc<Semaphore>,
    subscriptions: Arc<Semaphore>,
}

impl Past {
    /// With a client that comes and goes, and the engine that knows what is defined.
    pub fn new(client: watch::Receiver<Option<Client>>, live: Live) -> Self {
        Self {
            client,
            live,
            turns: Arc::new(Semaphore::new(AT_ONCE_MAX)),
            subscriptions: Arc::new(Semaphore::new(SUBSCRIPTIONS_MAX)),
        }
    }

    /// The answer as it is in ClickHouse now.
    ///
    /// # Errors
    /// ClickHouse is away, busy, or refuses.
    pub async fn snapshot(&self, site: &str, query: &Query) -> Result<Published, PastError> {
        let now_ms = crate::clock::now_ms();
        let releases = self.live.index(site).map(|index| index.releases);
        let releases = releases.unwrap_or_default();
        let asked = query.beyond(site, &releases, now_ms);
        let asked = asked.ok_or(PastError::Away)?;
        let answer = tokio::time::timeout(ANSWER_MAX, self.ask(site, &asked)).await;
        let (rows, known) = answer.map_err(|_| PastError::Busy)??;
        let answer = asked.answer(&rows, &known);
        Ok(Published::snapshot(now_ms, &answer))
    }

    /// The answer as soon as there is one, and a new one whenever another look finds it changed.
    ///
    /// # Errors
    /// Too many subscriptions.
    pub fn subscribe(&self, site: Arc<str>, query: Query) -> Result<Subscription, PastError> {
        let place = self.subscriptions.clone().try_acquire_owned();
        let place = place.map_err(|_| PastError::Busy)?;
        let (sender, receiver) = mpsc::channel(1);
        let past = self.clone();
        tokio::spawn(async move {
            let _place = place;
            let mut said = String::new();
            loop {
                match past.snapshot(&site, &query).await {
                    Ok(published) if data(&published) != said => {
                        said = data(&published).to_owned();
                        if sender.send(published).await.is_err() {
                            return;
                        }
                    }
                    Ok(_) => (),
                    Err(error) => tracing::debug!(%error, "a range beyond memory is not answered"),
                }
                tokio::select! {
                    () = sender.closed() => return,
                    () = tokio::time::sleep(AGAIN_AFTER) => (),
                }
            }
        });
        Ok(receiver)
    }

    async fn ask(&self, site: &str, asked: &Beyond) -> Result<Found, PastError> {
        let turn = self.turns.acquire().await;
        let _turn = turn.map_err(|_| PastError::Busy)?;
        let client = self.client.borrow().clone().ok_or(PastError::Away)?;
        let refused = |error: clickhouse::error::Error| PastError::Refused(error.to_string());
        let rows = rows(&client, asked.sql()).await?;
        let mut elements: Vec<u64> = rows.iter().filter_map(element).collect();
        elements.sort_unstable();
        elements.dedup();
        let sql = "SELECT ?fields FROM elements FINAL WHERE site = ? AND element IN ?";
        let known = client.query(sql).bind(site).bind(&elements);
        let known = match elements.is_empty() {
            true => Vec::new(),
            false => known.fetch_all::<ElementRow>().await.map_err(refused)?,
        };
        Ok((rows, known))
    }
}

type Found = (Vec<Value>, Vec<ElementRow>);

/// Rows of a query, one JSON object each.
pub(crate) async fn rows(client: &Client, sql: &str) -> Result<Vec<Value>, PastError> {
    let refused = |error: clickhouse::error::Error| PastError::Refused(error.to_string());
    let query = client.query_raw(sql);
    let query = query
        .with_setting("output_format_json_quote_64bit_integers", "0")
        .with_setting("max_execution_time", QUERY_S_MAX.to_string())
        .with_setting("max_result_rows", ROWS_MAX.to_string());
    let mut bytes = query.fetch_bytes("JSONEachRow").map_err(refused)?;
    let bytes = bytes.collect().await;
    let bytes = bytes.map_err(|error| PastError::Refused(error.to_string()))?;
    let lines = bytes.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    let lines = lines.map(serde_json::from_slice);
    let rows: Result<_, _> = lines.collect();
    rows.map_err(|error| PastError::Refused(error.to_string()))
}

/// The element that a row is about.
pub(crate) fn element(row: &Value) -> Option<u64> {
    u64::from_str_radix(row.get("element_id")?.as_str()?, 16).ok()
}

/// What an answer says, without its version.
fn data(published: &Published) -> &str {
    let json = &published.json;
    json.split_once(',').map_or(json, |(_, data)| data)
}
