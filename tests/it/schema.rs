//! `docs/schema.md` against the tables of a running collector: every column, its type, the order of
//! each table, and nothing that is not there.

use anyhow::{Context, Result, ensure};
use clickhouse::Row;
use serde::Deserialize;
use std::collections::BTreeMap;
use upriver_tests::{Collector, document, eventually};

/// Column to type, of each table.
type Tables = BTreeMap<String, BTreeMap<String, String>>;

#[derive(Row, Deserialize)]
struct Column {
    table: String,
    name: String,
    r#type: String,
}

/// The tables a document describes, and which columns it does not say everything about.
fn documented(text: &str) -> Result<Tables> {
    let mut tables = Tables::new();
    let mut table: Option<String> = None;
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            let name = heading.strip_prefix('`').and_then(|h| h.strip_suffix('`'));
            table = name.map(str::to_owned);
            continue;
        }
        let (Some(table), Some(row)) = (&table, line.strip_prefix("| `")) else {
            continue;
        };
        let cells: Vec<&str> = row
            .trim_end_matches('|')
            .split(" | ")
            .map(str::trim)
            .collect();
        let [name, r#type, holds, empty] = cells[..] else {
            anyhow::bail!("{table}: not four cells: {line}");
        };
        let (name, r#type) = (name.trim_end_matches('`'), r#type.trim_matches('`'));
        ensure!(
            holds.len() > 2 && !empty.is_empty(),
            "{table}.{name}: says nothing"
        );
        let columns = tables.entry(table.clone()).or_default();
        ensure!(
            columns.insert(name.into(), r#type.into()).is_none(),
            "{table}.{name} is there twice"
        );
    }
    Ok(tables)
}

/// What a document gets wrong about the tables; nothing when it is right.
fn differences(documented: &Tables, real: &Tables) -> Vec<String> {
    let mut found = Vec::new();
    for (table, columns) in real {
        for (name, r#type) in columns {
            match documented.get(table).and_then(|columns| columns.get(name)) {
                None => found.push(format!("{table}.{name} is not documented")),
                Some(said) if said != r#type => {
                    found.push(format!("{table}.{name} is {type}, not {said}"));
                }
                Some(_) => {}
            }
        }
    }
    for (table, columns) in documented {
        for name in columns.keys() {
            if !real.get(table).is_some_and(|real| real.contains_key(name)) {
                found.push(format!("{table}.{name} does not exist"));
            }
        }
    }
    found
}

#[tokio::test]
async fn every_column_is_documented_and_every_documented_one_exists() -> Result<()> {
    let collector = Collector::start().await?;
    collector.sql("SELECT count() FROM dead_letters").await?;
    let client = collector.clickhouse().await?;
    let sql = "SELECT table, name, type FROM system.columns WHERE database = 'upriver'";
    let mut real = Tables::new();
    for column in client.query(sql).fetch_all::<Column>().await? {
        let columns = real.entry(column.table).or_default();
        columns.insert(column.name, column.r#type);
    }
    ensure!(real.len() >= 5, "only {} tables", real.len());

    let text = document("schema.md")?;
    let documented = documented(&text)?;
    let found = differences(&documented, &real);
    ensure!(found.is_empty(), "docs/schema.md: {}", found.join("; "));

    // The comparison itself must notice each kind of mistake.
    let mut wrong = documented.clone();
    let events = wrong.get_mut("events").context("no events")?;
    events.remove("ord");
    events.insert("colour".into(), "String".into());
    events.insert("dx".into(), "Int64".into());
    let found = differences(&wrong, &real);
    assert_eq!(
        found,
        [
            "events.dx is Int32, not Int64",
            "events.ord is not documented",
            "events.colour does not exist"
        ]
    );
    orders_are_documented(&collector, &text).await
}

/// Sorting key and partition of each table stand in its section.
async fn orders_are_documented(collector: &Collector, text: &str) -> Result<()> {
    #[derive(Row, Deserialize)]
    struct Table {
        name: String,
        engine: String,
        sorting_key: String,
        partition_key: String,
    }
    let client = collector.clickhouse().await?;
    let sql = "SELECT name, engine, sorting_key, partition_key FROM system.tables \
               WHERE database = 'upriver'";
    let tables = eventually("the tables are listed", async || {
        Ok(client.query(sql).fetch_all::<Table>().await.ok())
    })
    .await?;
    for table in tables {
        let heading = format!("\n## `{}`\n", table.name);
        let section = text.split(&heading).nth(1).context(heading)?;
        let section = section.split("\n## ").next().unwrap_or_default();
        let flat = section.split_whitespace().collect::<Vec<_>>().join(" ");
        for said in [&table.engine, &table.sorting_key, &table.partition_key] {
            ensure!(
                flat.contains(said.as_str()),
                "docs/schema.md does not say of {}: {said}",
                table.name
            );
        }
    }
    Ok(())
}
