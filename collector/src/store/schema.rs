//! The schema as text, for whoever makes the tables by hand: as the migrations have it, or replicated
//! on every server of a cluster. Runs nothing.

use super::{migrate, retention};
use crate::config::Retention;

/// Longest name of a cluster or database.
const NAME_BYTES_MAX: usize = 64;

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is no name for a cluster or database: 1 to {NAME_BYTES_MAX} letters, digits, - or _"
)]
pub struct NameError(String);

/// The statements that make the newest schema in an empty database, each ended by `;` and a line end,
/// and that write down which migrations they stand for, so that a collector with the same retention
/// finds nothing to do.
///
/// # Errors
/// A name is not one.
pub fn text(
    database: &str,
    cluster: Option<&str>,
    retention: Retention,
) -> Result<String, NameError> {
    for name in [Some(database), cluster].into_iter().flatten() {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(plain) {
            return Err(NameError(name.to_owned()));
        }
    }
    let form = Form { database, cluster };
    let mut all = vec![format!(
        "CREATE DATABASE IF NOT EXISTS `{database}`{}",
        form.on_cluster()
    )];
    all.push(form.written(migrate::TABLE));
    for (version, name, statements) in migrate::all() {
        all.extend(statements.iter().filter_map(|text| form.statement(text)));
        all.push(format!(
            "INSERT INTO `{database}`.migrations (version, name) SELECT {version}, '{name}'"
        ));
    }
    all.extend(retention::statements(retention).map(|text| form.written(&text)));
    Ok(all.into_iter().map(|text| text + ";\n\n").collect())
}

struct Form<'a> {
    database: &'a str,
    cluster: Option<&'a str>,
}

impl Form<'_> {
    fn on_cluster(&self) -> String {
        let cluster = self.cluster.map(|name| format!(" ON CLUSTER `{name}`"));
        cluster.unwrap_or_default()
    }

    /// A statement of a migration. Tables are empty, so what fills one from another is left out.
    fn statement(&self, text: &str) -> Option<String> {
        let fills = text.starts_with("TRUNCATE ") || text.starts_with("INSERT ");
        match text.strip_prefix("CREATE VIEW IF NOT EXISTS ") {
            Some(view) => Some(self.view(view)),
            None => (!fills).then(|| self.written(text)),
        }
    }

    /// `name AS SELECT …`: the view in this database, of the tables of this database.
    fn view(&self, text: &str) -> String {
        let (name, query) = text.split_once(' ').unwrap_or((text, ""));
        let mut parts = query.split("FROM ");
        let mut whole = format!(
            "CREATE VIEW IF NOT EXISTS `{}`.{name}{} {}",
            self.database,
            self.on_cluster(),
            parts.next().unwrap_or_default()
        );
        for part in parts {
            // What is asked is a table, or another question in brackets.
            let named = part.starts_with(|c: char| c.is_ascii_lowercase());
            let place = match named {
                true => format!("FROM `{}`.", self.database),
                false => "FROM ".to_owned(),
            };
            whole.push_str(&place);
            whole.push_str(part);
        }
        whole
    }

    /// `CREATE TABLE name …` or `ALTER TABLE name …` of this database, on this cluster.
    fn written(&self, text: &str) -> String {
        let Some((verb, rest)) = text.split_once(" TABLE ") else {
            return text.to_owned();
        };
        let rest = rest.strip_prefix("IF NOT EXISTS ").unwrap_or(rest);
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (table, rest) = rest.split_at(end);
        let absent = if verb == "CREATE" {
            "IF NOT EXISTS "
        } else {
            ""
        };
        let whole = format!(
            "{verb} TABLE {absent}`{}`.{table}{}{rest}",
            self.database,
            self.on_cluster()
        );
        match self.cluster {
            Some(_) => self.replicated(&whole, table),
            None => whole,
        }
    }

    /// The same table with its engine's replicated form.
    fn replicated(&self, text: &str, table: &str) -> String {
        let Some((before, engine)) = text.split_once("ENGINE = ") else {
            return text.to_owned();
        };
        let end = engine
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(engine.len());
        let (name, rest) = engine.split_at(end);
        let place = format!(
            "'/clickhouse/tables/{{shard}}/{}/{table}', '{{replica}}'",
            self.database
        );
        match rest.strip_prefix('(') {
            Some(arguments) => format!("{before}ENGINE = Replicated{name}({place}, {arguments}"),
            None => format!("{before}ENGINE = Replicated{name}({place}){rest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_replicated_and_every_statement_is_on_the_cluster() {
        let retention = Retention {
            events_days: Some(90),
            ..Retention::default()
        };
        let text = text("up-river", Some("main"), retention).unwrap();
        let statements: Vec<&str> = text.split(";\n").map(str::trim).collect();
        let creates = |s: &&&str| s.starts_with("CREATE TABLE ");
        assert!(statements.iter().filter(creates).count() > 8);
        for statement in statements.iter().filter(creates) {
            assert!(statement.contains("ENGINE = Replicated"), "{statement}");
            assert!(
                statement.contains("IF NOT EXISTS `up-river`."),
                "{statement}"
            );
        }
        let inserts = |s: &&&str| !s.starts_with("INSERT ") && !s.is_empty();
        for statement in statements.iter().filter(inserts) {
            assert!(statement.contains("ON CLUSTER `main`"), "{statement}");
        }
        let elements = "ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/up-river/elements', \
                        '{replica}', received_at)";
        assert!(text.contains(elements));
        let ttl = "ALTER TABLE `up-river`.events ON CLUSTER `main` MODIFY TTL \
                   toStartOfDay(received_at) + toIntervalDay(90);\n";
        assert!(text.contains(ttl), "{text}");
        assert_eq!(text.matches("TTL").count(), 1);
        assert!(!text.contains("TRUNCATE") && !text.contains("FROM events"));
        let view =
            "CREATE VIEW IF NOT EXISTS `up-river`.campaign_results ON CLUSTER `main` AS\nSELECT";
        assert!(text.contains(view) && text.contains("FROM `up-river`.events\n"));
    }

    #[test]
    fn without_a_cluster_nothing_is_replicated_and_names_are_checked() {
        let text = |database, cluster| text(database, cluster, Retention::default());
        let plain = text("upriver", None).unwrap();
        assert!(!plain.contains("CLUSTER") && !plain.contains("Replicated"));
        assert!(text("upriver", Some("a` b")).is_err());
        assert!(text("", None).is_err());
    }
}
