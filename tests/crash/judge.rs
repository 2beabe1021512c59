//! What is in the tables and what is said live, held against what the client wrote down: sets of
//! events, not counts. Knows no process and no fault.

use super::house::Clock;
use super::journal::{Identity, Sent};
use super::rolled;
use crate::oracle::{World, live_differences};
use anyhow::{Context, Result};
use clickhouse::Client;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use upriver_collector::row::EventRow;

/// How long what is missing may still come, once everything is said to be stored.
const LATE: Duration = Duration::from_secs(2);
/// How long live numbers may take to follow.
const LIVE_WAIT: Duration = Duration::from_secs(20);
/// Findings that are kept word by word.
const FINDINGS_MAX: usize = 8;

/// What came of one run.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Verdict {
    /// Events in batches that were acknowledged.
    pub acked: u64,
    /// Events that were not acknowledged and are stored all the same, once: allowed.
    pub unacked_stored: u64,
    /// Events that were acknowledged and are not stored, for no reason.
    pub lost: u64,
    /// The same of those whose place in the log was spoilt.
    pub excused: u64,
    /// Rows beyond the first of an event.
    pub doubled: u64,
    /// What is wrong otherwise: rows that nobody sent or that say something else, roll-ups and live
    /// numbers that are not what the rows say.
    pub wrong: Vec<String>,
    /// The events that are lost or doubled, by name.
    pub named: Vec<String>,
}

impl Verdict {
    /// Whether every promise was kept.
    pub(super) fn holds(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.wrong.is_empty()
    }
}

/// What is looked at.
pub(super) struct Scene<'a> {
    /// The tables.
    pub client: &'a Client,
    /// The collector.
    pub url: &'a str,
    /// Its site.
    pub world: &'a World,
    /// For asking it.
    pub http: &'a reqwest::Client,
    /// Its clock.
    pub clock: Clock,
}

impl Scene<'_> {
    /// Compares.
    ///
    /// # Errors
    /// ClickHouse or the collector does not answer.
    pub(super) async fn judge(
        &self,
        sent: &BTreeMap<Identity, Sent>,
        excused: &BTreeSet<Identity>,
    ) -> Result<Verdict> {
        let deadline = Instant::now() + LATE;
        let (rows, mut verdict) = loop {
            let rows = self.rows().await?;
            let verdict = compare(sent, excused, &rows);
            if verdict.lost == 0 || Instant::now() > deadline {
                break (rows, verdict);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        let mut wrong = rolled::differences(self.client, &rows).await?;
        wrong.extend(self.live(sent, &rows).await?);
        verdict.wrong.extend(wrong.into_iter().take(FINDINGS_MAX));
        Ok(verdict)
    }

    async fn rows(&self) -> Result<Vec<EventRow>> {
        let query = self.client.query("SELECT ?fields FROM events");
        query.fetch_all().await.context("rows cannot be read")
    }

    async fn live(
        &self,
        sent: &BTreeMap<Identity, Sent>,
        rows: &[EventRow],
    ) -> Result<Vec<String>> {
        let known = |row: &EventRow| sent.get(&(row.stream.as_u128(), row.seq));
        let stored = rows.iter().filter_map(|row| Some((&known(row)?.told, row)));
        let stored: Vec<_> = stored.collect();
        // Where its clock went back, live numbers stay where they were; after a restart, where the
        // newest row was received.
        let newest_ms = rows.iter().map(|row| row.received_at).max();
        let newest_ms = newest_ms.map_or(0, i64::unsigned_abs);
        let deadline = Instant::now() + LIVE_WAIT;
        loop {
            let mut times = vec![self.clock.now_ms().max(newest_ms), self.clock.latest_ms()];
            times.dedup();
            let mut found = Vec::new();
            for now_ms in times {
                let (http, url) = (self.http, self.url);
                found = live_differences(http, url, self.world, &stored, now_ms).await?;
                if found.is_empty() {
                    break;
                }
            }
            if found.is_empty() || Instant::now() > deadline {
                return Ok(found
                    .into_iter()
                    .map(|found| format!("live: {found}"))
                    .collect());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn compare(
    sent: &BTreeMap<Identity, Sent>,
    excused: &BTreeSet<Identity>,
    rows: &[EventRow],
) -> Verdict {
    let mut verdict = Verdict::default();
    let mut stored: BTreeMap<Identity, u64> = BTreeMap::new();
    let mut name = |what: &str, (stream, seq): Identity| {
        if verdict.named.len() < FINDINGS_MAX {
            verdict
                .named
                .push(format!("{what}: stream {stream:032x}, event {seq}"));
        }
    };
    for row in rows {
        let identity = (row.stream.as_u128(), row.seq);
        let times = stored.entry(identity).or_default();
        *times += 1;
        if *times > 1 {
            name("doubled", identity);
        }
    }
    let missing =
        |(identity, event): &(&Identity, &Sent)| event.acked && !stored.contains_key(identity);
    for (identity, _) in sent.iter().filter(missing) {
        if !excused.contains(identity) {
            name("lost", *identity);
        }
    }
    verdict.doubled = stored.values().map(|times| times - 1).sum();
    for (identity, event) in sent {
        let there = stored.contains_key(identity);
        verdict.acked += u64::from(event.acked);
        let spoilt = excused.contains(identity);
        verdict.lost += u64::from(event.acked && !there && !spoilt);
        verdict.excused += u64::from(event.acked && !there && spoilt);
        verdict.unacked_stored += u64::from(!event.acked && there);
    }
    for row in rows {
        let identity = (row.stream.as_u128(), row.seq);
        match sent.get(&identity) {
            None => verdict
                .wrong
                .push(format!("a row that nobody sent: {identity:x?}")),
            Some(event) => {
                if let Some(differs) = event.told.differs(row) {
                    let what = format!("a row that says something else than was sent: {differs}");
                    verdict.wrong.push(what);
                }
            }
        }
    }
    verdict.wrong.truncate(FINDINGS_MAX);
    verdict
}
