//! For how long the tables keep rows: tells each table once, at a start, and only where it differs.
//!
//! A day of receipt goes as a whole. Tables are partitioned by it, so ClickHouse drops files instead of
//! writing them anew, a batch is there whole or not at all, and rows and what is added up from them go at
//! the same moment. A TTL that somebody else gave a table stays, unless one is asked for here.

use super::{StoreError, audit};
use crate::config::{RETENTION_DAYS_MIN, Retention};
use clickhouse::{Client, Row};
use metrics::gauge;
use serde::Deserialize;
use std::time::Duration;
use tokio::sync::watch;

// What the audit holds against one another must all be there, midnight or not.
const _: () = assert!(RETENTION_DAYS_MIN as i64 > audit::DAYS);

/// Pause after the tables could not be told.
const PAUSE: Duration = Duration::from_secs(60);

/// Given before a TTL is: only whole parts are dropped, and an `ALTER` writes no rows anew.
const SETTINGS: &str = "ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1";

/// A table whose rows are kept for a time.
struct Kept {
    table: &'static str,
    /// Midnight (UTC) before the receipt, as ClickHouse prints it.
    midnight: &'static str,
    days: Option<u32>,
}

/// Every table whose rows may go, and for how long they are kept. Descriptions of elements are not
/// among them: they are told once, and rows of any age need them. Nor are definitions.
fn tables(retention: Retention) -> [Kept; 7] {
    let kept = |table, midnight, days| Kept {
        table,
        midnight,
        days,
    };
    let received_at = "toStartOfDay(received_at)";
    let received_on = "toDateTime(received_on, 'UTC')";
    let Retention {
        events_days,
        roll_ups_days,
        dead_letters_days,
    } = retention;
    [
        kept("events", received_at, events_days),
        kept("dead_letters", received_at, dead_letters_days),
        kept("heatmap", received_on, roll_ups_days),
        kept("sessions", received_on, roll_ups_days),
        kept("campaign_minutes", received_on, roll_ups_days),
        kept("page_minutes", received_on, roll_ups_days),
        kept("ingest_log", "toStartOfDay(received_from)", roll_ups_days),
    ]
}

impl Kept {
    /// The TTL, as ClickHouse prints it; empty for ever.
    fn ttl(&self) -> String {
        let ttl = |days| format!("{} + toIntervalDay({days})", self.midnight);
        self.days.map(ttl).unwrap_or_default()
    }

    /// Whether a TTL may be one that a collector gave.
    fn gave(&self, ttl: &str) -> bool {
        let rest = ttl.strip_prefix(self.midnight);
        let days = rest.and_then(|rest| rest.strip_prefix(" + toIntervalDay("));
        let days = days.and_then(|days| days.strip_suffix(')'));
        days.is_some_and(|days| days.bytes().all(|b| b.is_ascii_digit()))
    }

    /// What makes a table that has this TTL (empty for none) keep its rows for as long as it should.
    fn changes(&self, found: &str) -> Vec<String> {
        let (table, wanted) = (self.table, self.ttl());
        if found == wanted || (wanted.is_empty() && !self.gave(found)) {
            return Vec::new();
        }
        if wanted.is_empty() {
            return vec![format!("ALTER TABLE {table} REMOVE TTL")];
        }
        vec![
            format!("ALTER TABLE {table} MODIFY SETTING {SETTINGS}"),
            format!("ALTER TABLE {table} MODIFY TTL {wanted}"),
        ]
    }
}

/// The statements that tell fresh tables.
pub(super) fn statements(retention: Retention) -> impl Iterator<Item = String> {
    tables(retention)
        .into_iter()
        .flat_map(|kept| kept.changes(""))
}

/// Tells the tables, as soon as they are there, and tries again each minute when they cannot be told.
/// Rows are written meanwhile: kept for too long they can go later, not taken they could not.
pub async fn tell(
    retention: Retention,
    mut client: watch::Receiver<Option<Client>>,
    mut made: watch::Receiver<bool>,
) {
    if made.wait_for(|made| *made).await.is_err() {
        return;
    }
    loop {
        let found = client.wait_for(Option::is_some).await;
        let Some(found) = found.ok().and_then(|found| found.clone()) else {
            return;
        };
        match apply(&found, retention).await {
            Ok(()) => break,
            Err(error) => {
                gauge!("upriver_retention_failed").set(1.0);
                tracing::error!(%error, "the tables could not be told how long to keep rows");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    gauge!("upriver_retention_failed").set(0.0);
}

/// Alters the tables that keep their rows for another time.
///
/// # Errors
/// ClickHouse refused, or cannot be reached. What was altered by then stays so.
pub async fn apply(client: &Client, retention: Retention) -> Result<(), StoreError> {
    #[derive(Row, Deserialize)]
    struct Table {
        name: String,
        engine_full: String,
    }
    let sql = "SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()";
    let found = client.query(sql).fetch_all::<Table>().await?;
    for kept in tables(retention) {
        let Some(table) = found.iter().find(|table| table.name == kept.table) else {
            continue;
        };
        let had = ttl_of(&table.engine_full);
        let changes = kept.changes(had);
        if changes.is_empty() {
            continue;
        }
        for change in &changes {
            client.query(change).execute().await?;
        }
        let (table, has) = (kept.table, kept.ttl());
        if had.is_empty() || kept.gave(had) {
            tracing::info!(
                table,
                had,
                has,
                "rows are kept for another time than before"
            );
        } else {
            tracing::warn!(
                table,
                had,
                has,
                "the table had a TTL that no collector gave it; it is replaced"
            );
        }
    }
    Ok(())
}

/// The TTL in a table's `engine_full`; empty for none.
fn ttl_of(engine: &str) -> &str {
    let Some((_, ttl)) = engine.split_once(" TTL ") else {
        return "";
    };
    ttl.split_once(" SETTINGS ").map_or(ttl, |(ttl, _)| ttl)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_altered_and_what_others_gave_stays() {
        let check = |days: Option<u32>, found: &str, wanted: &[&str]| {
            let kept = &tables(Retention {
                events_days: days,
                ..Retention::default()
            })[0];
            assert_eq!(kept.changes(found), wanted, "{found}");
        };
        let (ninety, other) = (
            "toStartOfDay(received_at) + toIntervalDay(90)",
            "toDateTime(received_at) + toIntervalDay(7) TO DISK 'cold'",
        );
        let settings = format!("ALTER TABLE events MODIFY SETTING {SETTINGS}");
        let ttl = format!("ALTER TABLE events MODIFY TTL {ninety}");
        let both = [settings.as_str(), ttl.as_str()];
        check(None, "", &[]);
        check(Some(90), "", &both);
        check(Some(90), ninety, &[]);
        check(Some(90), &ninety.replace("90", "30"), &both);
        check(Some(90), other, &both);
        check(None, ninety, &["ALTER TABLE events REMOVE TTL"]);
        check(None, other, &[]);
        check(None, &format!("{ninety} TO DISK 'cold'"), &[]);
    }

    #[test]
    fn a_ttl_is_found_in_what_clickhouse_says_of_a_table() {
        let engine = "MergeTree PARTITION BY toYYYYMMDD(received_at) ORDER BY site TTL a + toIntervalDay(3) \
                      SETTINGS fsync_after_insert = 1";
        assert_eq!(ttl_of(engine), "a + toIntervalDay(3)");
        assert_eq!(
            ttl_of("MergeTree ORDER BY site SETTINGS index_granularity = 8192"),
            ""
        );
    }
}
