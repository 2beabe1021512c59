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
    let end = auditor.ledger.page().place(taken);
    let end = end.ok_or("the tables are too many batches ahead")?;
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
