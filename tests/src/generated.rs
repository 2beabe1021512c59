//! Millions of rows as a busy collector would have stored them, made inside ClickHouse from nothing but
//! numbers: several sites, visitors that come back, visits of many pages, a shop's steps.
//!
//! Owns what the rows look like. What is asked of them is the caller's. They do not come through a
//! collector: nothing here says that one takes or stores anything.

use anyhow::{Context, Result, ensure};
use clickhouse::Client;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::task::JoinSet;

/// Makes the events of some visits.
const EVENTS: &str = include_str!("generated/events.sql");
/// Describes the elements of all events.
const ELEMENTS: &str = include_str!("generated/elements.sql");
/// Rolls the presses of all events up.
const HEAT_MAP: &str = include_str!("generated/heatmap.sql");
/// Holds the statements that roll visits, campaigns and pages up.
const ROLL_UPS: &str = include_str!("../../collector/migrations/0004_roll_ups.sql");

/// Sites, the largest first: it has two visitors in five.
pub const SITES: [&str; 5] = ["shop", "tea", "books", "garden", "news"];
/// Whole days between the last of them and now: what is counted live has nothing to do with them.
const DAYS_AGO: u64 = 2;
/// Seconds of a day.
pub const DAY_S: u64 = 24 * 3_600;
/// Events of a visit, on average; a few less, so that there are never fewer rows than were asked for.
const VISIT_EVENTS: f64 = 20.8;
/// Visits of a visitor, on average.
const VISITOR_VISITS: u64 = 2;
/// Visits of one insert: less than the 200,000 rows that the writer's batches have at most.
const BATCH_VISITS: u64 = 9_000;
/// Inserts at a time.
const AT_ONCE: usize = 2;

/// Rows that are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Generated {
    visits: u64,
    /// Days of receipt that the rows are spread over.
    pub days: u64,
    /// Unix seconds: where the last day ends.
    pub until_s: u64,
}

impl Generated {
    /// About so many events, a little more, over so many days.
    ///
    /// # Errors
    /// The clock stands before 1970.
    pub fn events(rows: u64, days: u64) -> Result<Self> {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        Ok(Self {
            visits: (rows as f64 / VISIT_EVENTS) as u64 + days,
            days,
            until_s: (now_s / DAY_S - DAYS_AGO) * DAY_S,
        })
    }

    /// Unix seconds: where the first day begins.
    pub fn from_s(&self) -> u64 {
        self.until_s - self.days * DAY_S
    }

    /// Fills the tables of a database that has the schema and no rows: events in batches, each of one
    /// day and as large as the writer's largest, then what is made of them.
    ///
    /// # Errors
    /// ClickHouse refuses, or a roll-up does not add up.
    pub async fn fill(&self, client: &Client) -> Result<()> {
        let per_day = self.visits.div_ceil(self.days);
        let stretches = (0..self.days).flat_map(|day| {
            let (first, last) = (day * per_day, (day + 1) * per_day);
            let stretches = (first..last).step_by(BATCH_VISITS as usize);
            stretches.map(move |first| (day, first, BATCH_VISITS.min(last - first)))
        });
        let mut inserts = JoinSet::new();
        for (batch, (day, first, visits)) in (1_u64..).zip(stretches) {
            if inserts.len() >= AT_ONCE
                && let Some(done) = inserts.join_next().await
            {
                done??;
            }
            let query = client
                .query_raw(EVENTS)
                .param("first_visit", first)
                .param("visits", visits)
                .param("day", self.from_s() + day * DAY_S)
                .param("visitors", (self.visits / VISITOR_VISITS).max(1))
                .param("batch", batch);
            inserts.spawn(query.execute());
        }
        while let Some(done) = inserts.join_next().await {
            done?.context("events are not generated")?;
        }
        let rolled_up = ROLL_UPS.split(";\n").filter_map(|statement| {
            let insert = statement.find("INSERT INTO ")?;
            Some(&statement[insert..])
        });
        for statement in rolled_up.chain([HEAT_MAP, ELEMENTS]) {
            let made = client.query_raw(statement).execute().await;
            made.with_context(|| statement.lines().next().unwrap_or_default().to_owned())?;
        }
        let one = async |sql: &str| client.query(sql).fetch_one::<u64>().await;
        let events = one("SELECT count() FROM events").await?;
        let visited = one("SELECT sum(events) FROM sessions").await?;
        let presses = one("SELECT countIf(kind = 'press') FROM events").await?;
        let mapped = one("SELECT sum(presses) FROM heatmap").await?;
        ensure!(
            events == visited && presses == mapped,
            "void: {events} events and {visited} in visits, {presses} presses and {mapped} in heat maps"
        );
        Ok(())
    }
}
