//! Numbered migrations: each runs once, in order; which ones ran is written down in ClickHouse.

use super::StoreError;
use clickhouse::Client;

/// Every migration, oldest first. Never edited once released; a change is a new one.
const MIGRATIONS: &[(u32, &str, &str)] =
    &[(1, "first", include_str!("../../migrations/0001_first.sql"))];

/// Brings the database up to date. `client` must already name it.
///
/// A statement that failed half-way through a migration is run again at the next start; `CREATE`
/// is therefore made to pass over what is there already.
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
    client
        .query(
            "CREATE TABLE IF NOT EXISTS migrations (version UInt32, name String, \
             applied_at DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY version \
             SETTINGS fsync_after_insert = 1, fsync_part_directory = 1",
        )
        .execute()
        .await?;
    let applied: u32 = client
        .query("SELECT max(version) FROM migrations")
        .fetch_one::<u32>()
        .await?;
    for (version, name, sql) in MIGRATIONS
        .iter()
        .filter(|(version, _, _)| *version > applied)
    {
        for statement in statements(sql) {
            client
                .query(&statement.replacen("CREATE TABLE ", "CREATE TABLE IF NOT EXISTS ", 1))
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
    Ok(applied.max(MIGRATIONS.len() as u32))
}

/// Splits a migration into statements: each ends with `;` at the end of a line.
fn statements(sql: &str) -> impl Iterator<Item = String> + '_ {
    sql.split(";\n").filter_map(|statement| {
        let lines = statement
            .lines()
            .filter(|line| !line.trim_start().starts_with("--"));
        // A question mark is a parameter to the client; the schema has none, but comments may.
        let text = lines
            .collect::<Vec<_>>()
            .join("\n")
            .trim()
            .replace('?', "??");
        (!text.is_empty()).then_some(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_is_numbered_and_creates_something() {
        for (place, (version, _, sql)) in MIGRATIONS.iter().enumerate() {
            assert_eq!(*version as usize, place + 1);
            assert!(statements(sql).count() > 0);
            for statement in statements(sql) {
                assert!(statement.starts_with("CREATE TABLE ") || statement.starts_with("ALTER "));
            }
        }
    }

    /// The row is inserted by position as well as by name, so both must agree with the table.
    #[test]
    fn rows_have_the_columns_of_their_tables() {
        use clickhouse::Row;
        let columns = |table: &str| -> Vec<String> {
            let sql = MIGRATIONS[0].2;
            let create = sql
                .split(&format!("CREATE TABLE {table}\n(\n"))
                .nth(1)
                .unwrap();
            let body = create.split("\n)\n").next().unwrap();
            body.lines()
                .map(|line| line.split_whitespace().next().unwrap().to_owned())
                .collect()
        };
        assert_eq!(columns("events"), crate::row::EventRow::COLUMN_NAMES);
        assert_eq!(columns("elements"), crate::row::ElementRow::COLUMN_NAMES);
        assert_eq!(
            columns("heatmap"),
            super::super::rollup::HeatRow::COLUMN_NAMES
        );
        assert_eq!(
            columns("dead_letters"),
            super::super::batch::DeadRow::COLUMN_NAMES
        );
    }
}
