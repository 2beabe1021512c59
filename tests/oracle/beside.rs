//! The SQL that stands beside each live answer, run on a ClickHouse that holds the same rows.

use super::faults::Fault;
use super::numbers::{Numbers, Place};
use anyhow::{Context, Result};
use clickhouse::Client;
use serde_json::Value;
use upriver_collector::live::{Beyond, Resource};
use upriver_collector::row::EventRow;
use upriver_collector::store::migrate;
use upriver_collector::store::rollup::{self, HeatRow};

/// Database of the oracle's own rows, beside the collector's.
const DATABASE: &str = "oracle";
/// Rows that gather before they are inserted together.
const ROWS_MAX: usize = 100_000;

/// Rows and the answers whose SQL is to be run over them.
pub struct Beside {
    client: Client,
    rows: Vec<EventRow>,
    waiting: Vec<Waiting>,
    /// Answers whose SQL was run.
    pub answers: u64,
    /// Numbers that SQL gave.
    pub numbers: u64,
    /// Rows inserted.
    pub inserted: u64,
}

struct Waiting {
    case: String,
    answers: Vec<(Place, Resource)>,
    /// What SQL alone answers, and what it should.
    beyond: (Vec<(Place, Beyond)>, Numbers),
    fault: Option<Fault>,
    windows_ms: Vec<u64>,
}

/// What a case was found to differ in.
pub(super) type Differences = Vec<(String, Vec<String>)>;

impl Beside {
    /// Makes the tables.
    ///
    /// # Errors
    /// ClickHouse refuses.
    pub async fn new(client: Client) -> Result<Self> {
        let client = client.with_database(DATABASE);
        migrate::migrate(&client, DATABASE).await?;
        Ok(Self {
            client,
            rows: Vec::new(),
            waiting: Vec::new(),
            answers: 0,
            numbers: 0,
            inserted: 0,
        })
    }

    /// Takes rows, of which no answer was asked for yet.
    pub fn insert(&mut self, rows: Vec<EventRow>) {
        self.rows.extend(rows);
    }

    /// Takes a case's answers. No row of its site may be inserted before the next [`Beside::run`].
    pub(super) fn expect(
        &mut self,
        case: &str,
        answers: Vec<(Place, Resource)>,
        beyond: (Vec<(Place, Beyond)>, Numbers),
        windows_ms: &[u64],
        fault: Option<Fault>,
    ) {
        self.waiting.push(Waiting {
            case: case.to_owned(),
            answers,
            beyond,
            fault,
            windows_ms: windows_ms.to_vec(),
        });
    }

    /// Whether so much waits that it should be run.
    pub fn is_full(&self) -> bool {
        self.rows.len() > ROWS_MAX
    }

    /// Inserts what waits and runs the SQL of every answer that waits.
    ///
    /// # Errors
    /// ClickHouse refuses, or answers in another shape.
    pub async fn run(&mut self) -> Result<Differences> {
        for rows in self.rows.chunks(ROWS_MAX) {
            let mut insert = self.client.insert::<EventRow>("events").await?;
            for row in rows {
                insert.write(row).await?;
            }
            insert.end().await?;
            let mut insert = self.client.insert::<HeatRow>("heatmap").await?;
            for row in rollup::heatmap(rows) {
                insert.write(&row).await?;
            }
            insert.end().await?;
            self.inserted += rows.len() as u64;
        }
        self.rows.clear();
        let mut found = Vec::new();
        for waiting in std::mem::take(&mut self.waiting) {
            let (mut live, mut sql) = (Numbers::default(), Numbers::default());
            let mut beyond = Numbers::default();
            for (place, answer) in &waiting.answers {
                live.take(place, answer);
                let text = &basis(answer).context("an answer without its SQL")?.sql;
                let text = match waiting.fault {
                    Some(fault) => fault.plant(text, &waiting.windows_ms),
                    None => text.clone(),
                };
                sql.take_sql(place, answer, &rows(&self.client, &text).await?)?;
                self.answers += 1;
            }
            for (place, asked) in &waiting.beyond.0 {
                let found = rows(&self.client, asked.sql()).await?;
                live_of_sql(place, asked, &found, &mut beyond);
                self.answers += 1;
            }
            self.numbers += sql.len() as u64 + beyond.len() as u64;
            let differences = waiting.beyond.1.differences(&beyond);
            if !differences.is_empty() {
                found.push((format!("{}, recount and SQL", waiting.case), differences));
            }
            let differences = live.differences(&sql);
            if !differences.is_empty() {
                found.push((format!("{}, live and SQL", waiting.case), differences));
            }
        }
        Ok(found)
    }
}

/// The rows a query gives, one JSON object each.
///
/// # Errors
/// ClickHouse refuses.
pub async fn rows(client: &Client, sql: &str) -> Result<Vec<Value>> {
    // The query is text that may hold a question mark, which would be a parameter to the client.
    let query = client.query_raw(sql);
    let query = query.with_setting("output_format_json_quote_64bit_integers", "0");
    let bytes = query
        .fetch_bytes("JSONEachRow")?
        .collect()
        .await
        .with_context(|| sql.to_owned())?;
    let lines = bytes.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    lines
        .map(|line| Ok(serde_json::from_slice(line)?))
        .collect()
}

/// The answer that SQL alone gives, taken in.
fn live_of_sql(place: &Place, asked: &Beyond, rows: &[Value], numbers: &mut Numbers) {
    numbers.take(place, &asked.answer(rows, &[]));
}

fn basis(answer: &Resource) -> Option<&upriver_wire::live::Basis> {
    match answer {
        Resource::Overview(data) => data.basis.as_ref(),
        Resource::HeatMap(data) => data.basis.as_ref(),
        Resource::Board(data) => data.basis.as_ref(),
        Resource::Funnel(data) => data.basis.as_ref(),
        Resource::FunnelVisitors(data) => data.basis.as_ref(),
        Resource::Campaigns(data) => data.basis.as_ref(),
        Resource::Presence(data) => data.basis.as_ref(),
        Resource::Experiments(data) => data.basis.as_ref(),
        Resource::PresentVisitors(data) => data.basis.as_ref(),
        Resource::Errors(data) => data.basis.as_ref(),
        Resource::Sources(data) => data.basis.as_ref(),
        Resource::Releases(data) => data.basis.as_ref(),
        Resource::Pages(data) => data.basis.as_ref(),
        Resource::Activity(data) => data.basis.as_ref(),
        Resource::Alerts(data) => data.basis.as_ref(),
    }
}
