//! The live number against the SQL number, at the same event, while events keep coming.
//!
//! The live numbers are taken between two groups of the log, so they are those of everything before
//! one position. The tables reach that position a moment later, with a batch that may go on beyond
//! it; the rows of that batch are in log order, so "before the position" is a condition on `idx`.

use super::check::{Compared, Counts};
use super::{Auditor, LiveCounts};
use crate::log::storage::Storage;
use crate::row::Kind;
use crate::store::LANE;
use crate::store::ledger::Page;
use clickhouse::{Client, Row};
use serde::Deserialize;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long the tables may take to reach the position.
const REACH_TIMEOUT: Duration = Duration::from_secs(20);

/// Every site, or why they cannot be compared.
pub(super) async fn compare<S: Storage>(
    auditor: &Auditor<S>,
    client: &Client,
) -> Result<Vec<Compared>, String> {
    let quarantined = auditor.ledger.page().quarantined;
    if quarantined > 0 {
        return Err(format!(
            "{quarantined} events counted live were refused by clickhouse and are in quarantine"
        ));
    }
    let (ask, answer) = oneshot::channel();
    let stopped = "the live engine has stopped";
    auditor.cuts.send(ask).await.map_err(|_| stopped)?;
    let cut = answer.await.map_err(|_| stopped)?;
    if let Some(site) = cut.sites.iter().find(|site| !site.complete) {
        return Err(format!(
            "site {}: history is being read, or a bound left something out",
            site.site
        ));
    }
    let reached = auditor.ledger.reaches(cut.position);
    let reached = tokio::time::timeout(REACH_TIMEOUT, reached).await;
    reached.map_err(|_| format!("clickhouse is more than {REACH_TIMEOUT:?} behind"))?;
    let taken = cut.taken + auditor.ingest.status().relearned();
    let end = end(&auditor.ledger.page(), taken)?;
    let mut sites = Vec::new();
    for live in cut.sites {
        let sql = counts(client, &live, end).await;
        sites.push(Compared {
            sql: sql.map_err(|error| format!("clickhouse: {error}"))?,
            live: live.counts,
            site: live.site,
        });
    }
    Ok(sites)
}

/// The first row after so many events since the checkpoint: batch and place in it. Rows are in log
/// order, so it is found by adding up batches; the log itself may be gone by now.
fn end(page: &Page, taken: u64) -> Result<(u64, u64), String> {
    let mut after = page.events;
    for entry in page.recent.iter().rev() {
        let before = after.saturating_sub(entry.events);
        if taken >= after {
            return Ok((entry.seal.batch + 1, 0));
        }
        if taken > before {
            return Ok((entry.seal.batch, taken - before));
        }
        after = before;
    }
    if taken >= after {
        // Nothing was stored since; or all that was, was stored after.
        let first = page.recent.first().map(|entry| entry.seal.batch);
        return Ok((first.unwrap_or(page.newest.batch + 1), 0));
    }
    Err("the tables are too many batches ahead".to_owned())
}

async fn counts(
    client: &Client,
    live: &LiveCounts,
    (batch, idx): (u64, u64),
) -> Result<Counts, clickhouse::error::Error> {
    #[derive(Row, Deserialize)]
    struct Found {
        visitors: u64,
        kinds: Vec<u64>,
    }
    let kinds = Kind::ALL.iter();
    let kinds: Vec<_> = kinds
        .map(|kind| format!("countIf(kind = '{}')", kind.name()))
        .collect();
    let sql = format!(
        "SELECT uniqExact(visitor) AS visitors, [{}] AS kinds FROM events \
         WHERE site = ? AND time >= fromUnixTimestamp64Milli(?) \
         AND lane = ? AND (batch, idx) < (?, ?)",
        kinds.join(", ")
    );
    let from_ms = i64::try_from(live.from_ms).unwrap_or(i64::MAX);
    let query = client.query(&sql).bind(&live.site).bind(from_ms);
    let query = query.bind(LANE).bind(batch).bind(idx);
    let found = query.fetch_one::<Found>().await?;
    let mut counts = Counts {
        visitors: found.visitors,
        ..Counts::default()
    };
    for (count, found) in counts.kinds.iter_mut().zip(found.kinds) {
        *count = found;
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::end;
    use crate::ingest::record::Seal;
    use crate::store::ledger::{Entry, Page};

    fn page(first: u64, events: &[u64], sum: u64) -> Page {
        let entry = |(batch, events): (u64, &u64)| Entry {
            seal: Seal {
                batch,
                ..Seal::default()
            },
            events: *events,
            ..Entry::default()
        };
        let recent: Vec<_> = (first..).zip(events).map(entry).collect();
        Page {
            newest: recent.last().map_or(Seal::default(), |entry| entry.seal),
            events: sum,
            recent,
            ..Page::default()
        }
    }

    #[test]
    fn a_cut_is_found_by_adding_up_batches() {
        let full = page(5, &[10, 0, 3], 13);
        assert_eq!(end(&full, 13), Ok((8, 0)));
        assert_eq!(end(&full, 12), Ok((7, 2)));
        assert_eq!(end(&full, 10), Ok((7, 0)));
        assert_eq!(end(&full, 1), Ok((5, 1)));
        assert_eq!(end(&full, 0), Ok((5, 0)));
        // Nothing stored since the start.
        assert_eq!(end(&page(5, &[], 0), 0), Ok((1, 0)));
        // The batch of the cut is no longer remembered.
        assert!(end(&page(5, &[10], 50), 30).is_err());
    }
}
