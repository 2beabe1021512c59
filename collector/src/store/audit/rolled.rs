//! Each roll-up against the rows it was made from: every sum in it, day by day of receipt.

use super::check::Sum;
use super::facts::Scope;
use crate::store::LANE;
use crate::store::rollup;
use clickhouse::{Client, Row};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What a table sums up: its name, then each sum and the same over the rows of `events`.
type RollUp = (&'static str, &'static [(&'static str, &'static str)]);

const EVENTS: (&str, &str) = ("events", "count()");
const PAGE_VIEWS: (&str, &str) = ("page_views", "countIf(kind = 'page_view')");
const PRESSES: (&str, &str) = ("presses", "countIf(kind = 'press')");
const CONVERSIONS: (&str, &str) = ("conversions", "countIf(kind = 'conversion')");

const ROLL_UPS: [RollUp; 4] = [
    ("heatmap", &[PRESSES]),
    ("sessions", &[EVENTS, PAGE_VIEWS, PRESSES, CONVERSIONS]),
    (
        "campaign_minutes",
        &[
            EVENTS,
            PAGE_VIEWS,
            PRESSES,
            CONVERSIONS,
            ("value", "sum(toDecimal128(value, 6)) * 1000000"),
        ],
    ),
    (
        "page_minutes",
        &[
            EVENTS,
            PAGE_VIEWS,
            PRESSES,
            CONVERSIONS,
            ("rages", "countIf(kind = 'rage')"),
            ("dead_presses", "countIf(kind = 'dead')"),
            ("faults", "countIf(kind = 'fault')"),
            ("visible_ms", "sum(visible_ms)"),
            ("active_ms", "sum(active_ms)"),
        ],
    ),
];

#[derive(Row, Deserialize)]
struct RolledUp {
    day: u32,
    sums: Vec<i128>,
    batch: u64,
}

#[derive(Row, Deserialize)]
struct Rows {
    day: u32,
    sums: Vec<i128>,
}

/// Every sum of every roll-up.
pub(super) async fn sums(
    client: &Client,
    scope: Scope,
) -> Result<Vec<Sum>, clickhouse::error::Error> {
    let mut sums = Vec::new();
    for (table, measures) in ROLL_UPS {
        sums.extend(of(client, scope, table, measures).await?);
    }
    Ok(sums)
}

/// Rows of a roll-up are merged across batches, so it cannot be cut at a batch; but it says the
/// newest batch that is in it, and a batch is in `events` before it is there. So the roll-up is read
/// first, and the events up to the batch it has.
async fn of(
    client: &Client,
    scope: Scope,
    table: &'static str,
    measures: &'static [(&'static str, &'static str)],
) -> Result<Vec<Sum>, clickhouse::error::Error> {
    let list = |sums: Vec<String>| {
        let whole = sums.iter().map(|sum| format!("toInt128({sum})"));
        whole.collect::<Vec<_>>().join(", ")
    };
    let rolled_up = measures.iter().map(|(name, _)| match *name {
        "value" => "sum(value) * 1000000".to_owned(),
        name => format!("sum({name})"),
    });
    let sql = format!(
        "SELECT toUInt32(toUInt16(received_on)) AS day, [{}] AS sums, max({table}.batch) AS batch \
         FROM {table} WHERE lane = ? AND received_on >= toDate(?) GROUP BY received_on",
        list(rolled_up.collect())
    );
    let query = client
        .query(&sql)
        .bind(LANE)
        .bind(rollup::day(scope.since_ms));
    let rolled_up = query.fetch_all::<RolledUp>().await?;
    // A batch that nothing of was rolled up leaves no trace in the roll-up.
    let newest = rolled_up.iter().map(|found| found.batch);
    let newest = newest.fold(scope.newest, u64::max);

    let rows = measures.iter().map(|(_, rows)| (*rows).to_owned());
    let sql = format!(
        "SELECT toUInt32(toUInt16(toDate(received_at, 'UTC'))) AS day, [{}] AS sums FROM events \
         WHERE lane = ? AND batch <= ? AND received_at >= fromUnixTimestamp64Milli(?) GROUP BY day",
        list(rows.collect())
    );
    let query = client.query(&sql).bind(LANE).bind(newest);
    let rows = query.bind(scope.since_ms).fetch_all::<Rows>().await?;

    let mut days = BTreeMap::<u32, (Vec<i128>, Vec<i128>)>::new();
    for found in rolled_up {
        days.entry(found.day).or_default().1 = found.sums;
    }
    for found in rows {
        days.entry(found.day).or_default().0 = found.sums;
    }
    let mut sums = Vec::new();
    for (day, (rows, rolled_up)) in days {
        for (place, (what, _)) in measures.iter().enumerate() {
            let at = |sums: &[i128]| sums.get(place).copied().unwrap_or(0);
            sums.push(Sum {
                table,
                what,
                day,
                rows: at(&rows),
                rolled_up: at(&rolled_up),
            });
        }
    }
    Ok(sums)
}
