//! Numbered migrations: each runs once, in order; which ones ran is written down in ClickHouse.

use super::StoreError;
use clickhouse::Client;

/// Every migration, oldest first; a number may be left out. Never edited once released; a change is a new
/// one.
const MIGRATIONS: &[(u32, &str, &str)] = &[
    (1, "first", include_str!("../../migrations/0001_first.sql")),
    (
        2,
        "all_kinds",
        include_str!("../../migrations/0002_all_kinds.sql"),
    ),
    (
        3,
        "sender",
        include_str!("../../migrations/0003_sender.sql"),
    ),
    (
        4,
        "roll_ups",
        include_str!("../../migrations/0004_roll_ups.sql"),
    ),
    (
        5,
        "ingest_log",
        include_str!("../../migrations/0005_ingest_log.sql"),
    ),
    (
        6,
        "origin",
        include_str!("../../migrations/0006_origin.sql"),
    ),
    (
        7,
        "definitions",
        include_str!("../../migrations/0007_definitions.sql"),
    ),
    (
        8,
        "erased",
        include_str!("../../migrations/0008_erased.sql"),
    ),
    (10, "views", include_str!("../../migrations/0010_views.sql")),
    (
        11,
        "visitor_index",
        include_str!("../../migrations/0011_visitor_index.sql"),
    ),
];

/// The version of the newest migration.
pub const NEWEST: u32 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// The table in which it is written down which ran.
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS migrations (version UInt32, name String, \
    applied_at DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY version \
    SETTINGS fsync_after_insert = 1, fsync_part_directory = 1";

/// Every migration: version, name, statements.
pub(super) fn all() -> impl Iterator<Item = (u32, &'static str, Vec<String>)> {
    let all = MIGRATIONS.iter();
    all.map(|(version, name, sql)| (*version, *name, statements(sql).collect()))
}

/// Brings the database up to date. `client` must already name it.
///
/// A statement that failed half-way through a migration is run again at the next start; `CREATE`
/// is therefore made to pass over what is there already, every `ALTER` is written so that it can be
/// repeated, and a table that is filled is emptied before. So nobody may write meanwhile.
///
/// # Errors
/// ClickHouse refused, or cannot be reached.
pub async fn migrate(client: &Client, database: &str) -> Result<u32, StoreError> {
    let admin = client.clone().with_database("default");
    admin
        .query("CREATE DATABASE IF NOT EXISTS ?")
        .bind(clickhouse::sql::Identifier(database))
        .execute()
        .await?;
    client.query(TABLE).execute().await?;
    let applied: Vec<u32> = client
        .query("SELECT DISTINCT version FROM migrations")
        .fetch_all::<u32>()
        .await?;
    for (version, name, sql) in MIGRATIONS
        .iter()
        .filter(|(version, _, _)| !applied.contains(version))
    {
        for statement in statements(sql) {
            client
                // A question mark is a parameter to the client; the schema has none, but comments may.
                .query(&statement.replace('?', "??").replacen(
                    "CREATE TABLE ",
                    "CREATE TABLE IF NOT EXISTS ",
                    1,
                ))
                .execute()
                .await?;
        }
        client
            .query("INSERT INTO migrations (version, name) VALUES (?, ?)")
            .bind(version)
            .bind(name)
            .execute()
            .await?;
        tracing::info!(version, name, "migration applied");
    }
    Ok(applied.into_iter().max().unwrap_or(0).max(NEWEST))
}

/// Splits a migration into statements: each ends with `;` at the end of a line.
fn statements(sql: &str) -> impl Iterator<Item = String> + '_ {
    sql.split(";\n").filter_map(|statement| {
        let lines = statement
            .lines()
            .filter(|line| !line.trim_start().starts_with("--"));
        let text = lines.collect::<Vec<_>>().join("\n").trim().to_owned();
        (!text.is_empty()).then_some(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_is_numbered_and_creates_something() {
        let versions: Vec<u32> = all().map(|(version, _, _)| version).collect();
        assert!(versions[0] == 1 && versions.is_sorted_by(|one, next| one < next));
        for (_, _, sql) in MIGRATIONS {
            assert!(statements(sql).count() > 0);
            for statement in statements(sql) {
                let view = "CREATE VIEW IF NOT EXISTS ";
                let starts = [
                    view,
                    "CREATE TABLE ",
                    "ALTER ",
                    "TRUNCATE TABLE ",
                    "INSERT INTO ",
                ];
                assert!(starts.iter().any(|start| statement.starts_with(start)));
            }
        }
    }

    /// The columns of a table after all migrations, in order, as the statements say.
    fn columns(table: &str) -> Vec<String> {
        let mut columns: Vec<String> = Vec::new();
        for (_, _, sql) in MIGRATIONS {
            if let Some(create) = sql.split(&format!("CREATE TABLE {table}\n(\n")).nth(1) {
                let body = create.split("\n)\n").next().unwrap();
                let names = body
                    .lines()
                    .map(|line| line.split_whitespace().next().unwrap());
                columns = names.map(str::to_owned).collect();
            }
            for alter in sql.split(&format!("ALTER TABLE {table}\n")).skip(1) {
                let body = alter.split(";\n").next().unwrap();
                for line in body.lines() {
                    let words: Vec<&str> = line.trim_end_matches(',').split_whitespace().collect();
                    let [
                        "ADD",
                        "COLUMN",
                        "IF",
                        "NOT",
                        "EXISTS",
                        name,
                        ..,
                        "AFTER",
                        after,
                    ] = words[..]
                    else {
                        continue;
                    };
                    let place = columns.iter().position(|known| known == after).unwrap();
                    columns.insert(place + 1, name.to_owned());
                }
            }
        }
        columns
    }

    /// The row is inserted by position as well as by name, so both must agree with the table.
    #[test]
    fn rows_have_the_columns_of_their_tables() {
        use clickhouse::Row;
        assert_eq!(columns("events"), crate::row::EventRow::COLUMN_NAMES);
        assert_eq!(columns("elements"), crate::row::ElementRow::COLUMN_NAMES);
        assert_eq!(
            columns("heatmap"),
            super::super::rollup::HeatRow::COLUMN_NAMES
        );
        use super::super::rollup::{CampaignMinute, PageMinute, SessionRow};
        let log = super::super::batch::IngestRow::COLUMN_NAMES;
        assert_eq!(columns("ingest_log"), log);
        assert_eq!(columns("sessions"), SessionRow::COLUMN_NAMES);
        assert_eq!(columns("campaign_minutes"), CampaignMinute::COLUMN_NAMES);
        assert_eq!(columns("page_minutes"), PageMinute::COLUMN_NAMES);
        assert_eq!(
            columns("dead_letters"),
            super::super::batch::DeadRow::COLUMN_NAMES
        );
    }

    /// A migration that stopped half-way is run again from its first statement.
    #[test]
    fn what_is_altered_can_be_altered_again() {
        for (_, name, sql) in MIGRATIONS {
            let statements: Vec<String> = statements(sql).collect();
            for (place, statement) in statements.iter().enumerate() {
                if let Some(rest) = statement.strip_prefix("INSERT INTO ") {
                    let table = rest.split_whitespace().next().unwrap();
                    let before = place
                        .checked_sub(1)
                        .map(|before| statements[before].as_str());
                    let emptied = format!("TRUNCATE TABLE {table}");
                    assert_eq!(before, Some(emptied.as_str()), "{name}: {table}");
                }
            }
        }
        let all = MIGRATIONS.iter().flat_map(|(_, _, sql)| statements(sql));
        for statement in all.filter(|statement| statement.starts_with("ALTER ")) {
            let repeatable = ["ADD COLUMN IF NOT EXISTS ", "MODIFY "];
            for command in statement.split("\n    ").skip(1) {
                let ok = repeatable.iter().any(|start| command.starts_with(start));
                assert!(ok, "{command}");
            }
        }
    }
}
