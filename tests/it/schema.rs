//! `docs/schema.md` against the tables of a running collector: every column, its type, the order of
//! each table, and nothing that is not there.

use anyhow::{Context, Result, ensure};
use clickhouse::Row;
use serde::Deserialize;
use std::collections::BTreeMap;
use upriver_collector::store::migrate;
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

/// A collector whose tables are all there.
async fn migrated() -> Result<Collector> {
    let collector = Collector::start().await?;
    let sql = "SELECT toUInt64(max(version)) FROM migrations";
    collector
        .sql_becomes(sql, u64::from(migrate::NEWEST))
        .await?;
    Ok(collector)
}

#[tokio::test]
async fn every_column_is_documented_and_every_documented_one_exists() -> Result<()> {
    let collector = migrated().await?;
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
               WHERE database = 'upriver' AND engine != 'View'";
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
    views_are_documented(&client, text).await
}

/// Each column of each view stands in its section, and no other.
async fn views_are_documented(client: &clickhouse::Client, text: &str) -> Result<()> {
    let sql = "SELECT name FROM system.tables WHERE database = 'upriver' AND engine = 'View'";
    let views = client.query(sql).fetch_all::<String>().await?;
    ensure!(views.len() >= 3, "only {views:?}");
    for view in views {
        let section = text.split(&format!("\n### `{view}(")).nth(1);
        let section = section.with_context(|| format!("docs/schema.md has no view {view}"))?;
        let parameters = section.split(")`").next().unwrap_or_default();
        let section = section.split("\n##").next().unwrap_or_default();
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
        let names = rows.filter_map(|row| row.split(" | ").next());
        let mut said: Vec<&str> = names.flat_map(|names| names.split(", ")).collect();
        said.iter_mut()
            .for_each(|name| *name = name.trim_matches('`'));
        let of = parameters.split(", ").map(|name| match name {
            "from" | "to" => format!("{name} = '2026-03-02 00:00:00'"),
            name => format!("{name} = 'x'"),
        });
        let of = of.collect::<Vec<_>>().join(", ");
        let sql = format!("SELECT * FROM {view}({of})");
        let mut answer = client
            .query_raw(&sql)
            .fetch_bytes("TabSeparatedWithNames")?;
        let answer = String::from_utf8(answer.collect().await?.to_vec())?;
        let real: Vec<&str> = answer
            .lines()
            .next()
            .unwrap_or_default()
            .split('\t')
            .collect();
        assert_eq!(real, said, "{view}");
    }
    Ok(())
}

/// The first schema, as a collector of that time would have made it.
const FIRST: &str = include_str!("../../collector/migrations/0001_first.sql");
/// A database beside the collector's.
const OLD: &str = "old";

/// Rows written before a migration are there after it, as they were, wherever it was interrupted.
#[tokio::test]
async fn rows_of_the_first_schema_are_kept_by_the_migrations_after_it() -> Result<()> {
    let collector = migrated().await?;
    let admin = collector.clickhouse().await?;
    admin.query("CREATE DATABASE old").execute().await?;
    let client = admin.with_database(OLD);
    for statement in FIRST.split(";\n").filter(|text| text.contains("CREATE")) {
        client.query_raw(statement).execute().await?;
    }
    let migrations = "CREATE TABLE migrations (version UInt32, name String, \
                      applied_at DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY version";
    client.query(migrations).execute().await?;
    let applied = "INSERT INTO migrations (version, name) VALUES (1, 'first')";
    client.query(applied).execute().await?;
    let rows = "INSERT INTO events (site, kind, time, received_at, path, page_x, page_y, props, batch, idx) \
                SELECT 'shop', if(number % 2 = 0, 'press', 'exposure'), now64(3), now64(3), '/a', \
                number, 3 * number, map('n', toString(number)), 9, number FROM numbers(1000)";
    client.query(rows).execute().await?;
    // As if the first start after the upgrade had been killed between two statements.
    let half = "ALTER TABLE events ADD COLUMN release LowCardinality(String) AFTER props";
    client.query(half).execute().await?;

    for _ in 0..2 {
        migrate::migrate(&client, OLD).await?;
        let sums = "SELECT toUInt64(sum(page_x)), toUInt64(sum(page_y)), countIf(kind = 'press'), \
                    uniqExact(props['n']), countIf(release = '' AND bands = [] AND NOT pressed \
                    AND form_step = 'none') FROM events";
        let found: (u64, u64, u64, u64, u64) = client.query(sums).fetch_one().await?;
        assert_eq!(found, (499_500, 1_498_500, 500, 1_000, 1_000));
        // What is rolled up now is so for rows from before, too.
        for table in ["sessions", "campaign_minutes", "page_minutes"] {
            let sql = format!("SELECT sum(events), sum(presses), max(batch) FROM {table}");
            let found: (u64, u64, u64) = client.query(&sql).fetch_one().await?;
            assert_eq!(found, (1_000, 500, 9), "{table}");
        }
    }
    let new = "INSERT INTO events (site, kind, time, received_at, page_x, bands) \
               VALUES ('shop', 'identify', now64(3), now64(3), -5, [1, 2])";
    client.query(new).execute().await?;
    let sql = "SELECT count() FROM events WHERE kind = 'identify' AND page_x = -5";
    assert_eq!(client.query(sql).fetch_one::<u64>().await?, 1);

    // The tables are then those of a fresh folder, column for column.
    let columns = "SELECT name, type, position FROM system.columns \
                   WHERE database = ? AND table = ? ORDER BY position";
    let names = "SELECT name FROM system.tables WHERE database = 'upriver' ORDER BY name";
    for table in client.query(names).fetch_all::<String>().await? {
        let of = async |database: &str| {
            let query = client.query(columns).bind(database).bind(&table);
            query.fetch_all::<(String, String, u64)>().await
        };
        assert_eq!(of("old").await?, of("upriver").await?, "{table}");
    }
    Ok(())
}

/// What `upriver schema` prints is read by ClickHouse's own parser, and names every table there is.
#[tokio::test]
async fn the_printed_schema_is_understood_with_and_without_a_cluster() -> Result<()> {
    let collector = migrated().await?;
    let client = collector.clickhouse().await?;
    let parse = async |statement: &str| {
        let query = client.query_raw(&format!("EXPLAIN AST {statement}"));
        query.fetch_bytes("TabSeparated")?.collect().await
    };
    let sql = "SELECT name, engine = 'View' FROM system.tables WHERE database = 'upriver'";
    let tables = client.query(sql).fetch_all::<(String, bool)>().await?;
    let kept = [
        "--events-days",
        "90",
        "--roll-ups-days",
        "400",
        "--dead-letters-days",
        "30",
    ];
    for arguments in [
        ["schema"].to_vec(),
        ["schema", "--cluster", "main"].to_vec(),
        [&["schema", "--cluster", "main"][..], &kept].concat(),
    ] {
        let output = Collector::command().args(&arguments).output()?;
        ensure!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout)?;
        for statement in text.split(";\n").filter(|text| !text.trim().is_empty()) {
            let tree = parse(statement).await;
            tree.with_context(|| format!("not understood: {statement}"))?;
        }
        for (table, is_view) in &tables {
            let what = if *is_view { "VIEW" } else { "TABLE" };
            let create = format!("CREATE {what} IF NOT EXISTS `upriver`.{table}");
            ensure!(text.contains(&create), "{arguments:?} has no {table}");
        }
        let told = text.matches(" ON CLUSTER `main` MODIFY TTL ").count();
        assert_eq!(told, if arguments.len() > 3 { 7 } else { 0 }, "{text}");
    }
    ensure!(
        parse("CREATE TABLE a ON CLUSTER `main` (b UInt8) ENGINE = ReplicatedMergeTree(")
            .await
            .is_err(),
        "the parser takes anything"
    );
    Ok(())
}
