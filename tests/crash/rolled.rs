//! The roll-ups again from the rows, in plain sums, and where the tables say something else. Shares
//! no code with the roll-ups.

use anyhow::{Context, Result};
use clickhouse::Client;
use serde_json::Value;
use std::collections::BTreeMap;
use upriver_collector::row::{EventRow, Kind};

/// Sums by key, both as text, so that tables of any shape are laid side by side.
type Sums = BTreeMap<String, Vec<i128>>;

/// A roll-up: its table, how SQL names its key, and its sums.
const TABLES: [(&str, &str, &str); 5] = [
    (
        "heatmap",
        "path, '|', toString(element), '|', toString(device), '|', utm_campaign, '|', toString(cell)",
        "sum(presses)",
    ),
    (
        "sessions",
        "toString(visitor), '|', toString(session), '|', toString(device)",
        "sum(events), sum(page_views), sum(presses), sum(conversions), \
         min(toUnixTimestamp64Milli(began)), max(toUnixTimestamp64Milli(ended))",
    ),
    (
        "campaign_minutes",
        "toString(toUnixTimestamp(minute)), '|', utm_source, '|', utm_campaign, '|', currency",
        "sum(events), sum(page_views), sum(presses), sum(conversions), \
         toInt128(sum(value) * 1000000)",
    ),
    (
        "page_minutes",
        "toString(toUnixTimestamp(minute)), '|', path, '|', toString(device)",
        "sum(events), sum(page_views), sum(presses), sum(conversions), sum(rages), \
         sum(dead_presses), sum(faults), sum(visible_ms), sum(active_ms)",
    ),
    ("ingest_log", "''", "sum(events)"),
];

/// Where a roll-up is not what the rows say, as `table, key: table's sums, sums of the rows`.
///
/// # Errors
/// ClickHouse does not answer.
pub(super) async fn differences(client: &Client, rows: &[EventRow]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (table, key, sums) in TABLES {
        let there = read(client, table, key, sums).await?;
        let again = recount(table, rows);
        for key in there
            .keys()
            .chain(again.keys().filter(|key| !there.contains_key(*key)))
        {
            let (there, again) = (there.get(key), again.get(key));
            if there != again {
                found.push(format!("{table}, {key}: {there:?}, rows give {again:?}"));
            }
        }
    }
    Ok(found)
}

async fn read(client: &Client, table: &str, key: &str, sums: &str) -> Result<Sums> {
    let sql = format!(
        "SELECT concat({key}, '') AS key, [{}] AS sums FROM {table} GROUP BY key",
        sums.split(", ")
            .map(|sum| format!("toString({sum})"))
            .collect::<Vec<_>>()
            .join(", ")
    );
    let rows = crate::oracle::rows(client, &sql).await?;
    let mut found = Sums::new();
    for row in rows {
        let key = row["key"].as_str().context("no key")?.to_owned();
        let sums = row["sums"].as_array().context("no sums")?;
        let sums = sums.iter().map(whole).collect::<Result<Vec<i128>>>()?;
        found.insert(key, sums);
    }
    Ok(found)
}

fn whole(value: &Value) -> Result<i128> {
    Ok(value.as_str().context("a sum is not text")?.parse()?)
}

fn recount(table: &str, rows: &[EventRow]) -> Sums {
    let mut sums = Sums::new();
    for row in rows {
        let is = |kind: Kind| i128::from(row.kind == kind);
        let counts = [1, is(Kind::PageView), is(Kind::Press), is(Kind::Conversion)];
        let minute = row.time.div_euclid(60_000) * 60;
        let device = row.device.name();
        let (key, mut values) = match table {
            "heatmap" if row.kind != Kind::Press => continue,
            "heatmap" => {
                let (path, element, cell) = (&row.path, row.element, row.cell);
                let key = format!("{path}|{element}|{device}|{}|{cell}", row.utm_campaign);
                (key, vec![1])
            }
            "sessions" => (
                format!("{}|{}|{device}", row.visitor, row.session),
                counts.to_vec(),
            ),
            "campaign_minutes" => {
                let (source, campaign) = (&row.utm_source, &row.utm_campaign);
                let key = format!("{minute}|{source}|{campaign}|{}", row.currency);
                (key, [&counts[..], &[i128::from(row.value)]].concat())
            }
            "page_minutes" => {
                let troubles = [is(Kind::Rage), is(Kind::Dead), is(Kind::Fault)];
                let times = [i128::from(row.visible_ms), i128::from(row.active_ms)];
                let key = format!("{minute}|{}|{device}", row.path);
                (key, [&counts[..], &troubles, &times].concat())
            }
            _ => (String::new(), vec![1]),
        };
        let known = sums.entry(key).or_insert_with(|| match table {
            "sessions" => [&[0; 4][..], &[i128::MAX, i128::MIN]].concat(),
            _ => vec![0; values.len()],
        });
        if table == "sessions" {
            let time = i128::from(row.time);
            values.truncate(4);
            (known[4], known[5]) = (known[4].min(time), known[5].max(time));
        }
        known
            .iter_mut()
            .zip(values)
            .for_each(|(sum, value)| *sum += value);
    }
    sums
}
