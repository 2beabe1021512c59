//! Which alerts were told, so that a restart, or a history that came late, tells none twice.
//!
//! Matches what was found with what was told; a small file keeps it. Knows no network.

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::path::Path;
use upriver_wire::live::AlertRow;

/// Site and id to the alert as it was last told, as JSON.
const TOLD: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("told");
/// Alerts of a site that are remembered; the oldest that are over go first.
pub(super) const TOLD_MAX: usize = 500;
/// An alert of the same thing that opens so soon after another is the same.
const SAME_MS: u64 = 24 * 3_600_000;
const CACHE_BYTES: usize = 1024 * 1024;

/// Why the file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the file of told alerts failed: {0}")]
pub struct ToldError(#[from] Box<redb::Error>);

fn failed(error: impl Into<redb::Error>) -> ToldError {
    ToldError(Box::new(error.into()))
}

/// The file.
#[derive(Debug)]
pub struct Told {
    database: Database,
}

/// What is to be told of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Opened,
    Closed,
}

impl Told {
    /// Opens it, making it if need be.
    ///
    /// # Errors
    /// It cannot be opened, or another process has it open.
    pub fn open(path: &Path) -> Result<Self, ToldError> {
        let mut builder = Database::builder();
        let database = builder.set_cache_size(CACHE_BYTES).create(path);
        let database = database.map_err(failed)?;
        let write = database.begin_write().map_err(failed)?;
        write.open_table(TOLD).map_err(failed)?;
        write.commit().map_err(failed)?;
        Ok(Self { database })
    }

    /// What was told of a site.
    pub(super) fn of(&self, site: &str) -> Result<Vec<AlertRow>, ToldError> {
        let read = self.database.begin_read().map_err(failed)?;
        let table = read.open_table(TOLD).map_err(failed)?;
        let mut rows = Vec::new();
        for entry in table.iter().map_err(failed)? {
            let (key, bytes) = entry.map_err(failed)?;
            if key.value().0 == site {
                rows.extend(serde_json::from_slice::<AlertRow>(bytes.value()));
            }
        }
        Ok(rows)
    }

    /// Remembers this as all that was told of a site.
    pub(super) fn keep(&self, site: &str, rows: &[AlertRow]) -> Result<(), ToldError> {
        let mut write = self.database.begin_write().map_err(failed)?;
        write.set_quick_repair(true);
        {
            let mut table = write.open_table(TOLD).map_err(failed)?;
            table
                .retain(|(known, _), _| known != site)
                .map_err(failed)?;
            for row in rows {
                let bytes = serde_json::to_vec(row).unwrap_or_default();
                table
                    .insert((site, row.id.as_str()), bytes.as_slice())
                    .map_err(failed)?;
            }
        }
        write.commit().map_err(failed)
    }
}

/// Brings what was told up to what was found now. Returns the alerts to show, open ones first, and
/// what is to be told of which.
pub(super) fn reconcile(
    told: &mut Vec<AlertRow>,
    found: &[AlertRow],
    now_ms: u64,
) -> (Vec<AlertRow>, Vec<(AlertRow, News)>) {
    let (mut shown, mut news, mut matched) = (Vec::new(), Vec::new(), Vec::new());
    // The newest of a thing first: what is open is open still, not what was before.
    let mut found: Vec<&AlertRow> = found.iter().collect();
    found.sort_by_key(|row| std::cmp::Reverse(row.opened_ms));
    for row in found {
        let same = |(at, known): &(usize, &AlertRow)| {
            let near = known.open || row.opened_ms.abs_diff(known.opened_ms) <= SAME_MS;
            !matched.contains(at) && subject(known) == subject(row) && near
        };
        let known = told.iter().enumerate().find(same).map(|(at, _)| at);
        let mut row = row.clone();
        if let Some(at) = known {
            matched.push(at);
            row.id.clone_from(&told[at].id);
            row.opened_ms = told[at].opened_ms;
            match (told[at].open, row.open) {
                (true, false) => news.push((row.clone(), News::Closed)),
                // It was over, and what came late says that it was not.
                (false, true) => news.push((row.clone(), News::Opened)),
                _ => {}
            }
            told[at] = row.clone();
        } else if row.open {
            news.push((row.clone(), News::Opened));
            matched.push(told.len());
            told.push(row.clone());
        }
        shown.push(row);
    }
    for (at, row) in told.iter_mut().enumerate() {
        if matched.contains(&at) {
            continue;
        }
        if row.open {
            // Events that came late explain it, or it is not watched any more.
            (row.open, row.closed_ms) = (false, now_ms);
            news.push((row.clone(), News::Closed));
        }
        shown.push(row.clone());
    }
    let newest = |row: &AlertRow| std::cmp::Reverse((row.open, row.opened_ms));
    shown.sort_by_key(newest);
    told.sort_by_key(newest);
    told.truncate(TOLD_MAX);
    (shown, news)
}

/// What an alert is about.
fn subject(row: &AlertRow) -> impl PartialEq + use<'_> {
    (
        row.kind,
        &row.funnel,
        &row.step,
        &row.next,
        &row.campaign,
        &row.page,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, open: bool, opened_ms: u64) -> AlertRow {
        AlertRow {
            id: id.into(),
            open,
            opened_ms,
            ..AlertRow::default()
        }
    }

    fn told_of(told: &mut Vec<AlertRow>, found: &[AlertRow]) -> Vec<(String, News)> {
        let (_, news) = reconcile(told, found, 9);
        news.into_iter().map(|(row, news)| (row.id, news)).collect()
    }

    #[test]
    fn an_alert_is_told_when_it_opens_and_when_it_closes_and_never_twice() {
        let mut told = Vec::new();
        let news = told_of(&mut told, &[row("a", true, 10)]);
        assert_eq!(news, [("a".into(), News::Opened)]);
        // Computed again after a restart it may have opened a little earlier, under another id.
        assert_eq!(told_of(&mut told, &[row("b", true, 7)]), []);
        let news = told_of(&mut told, &[row("b", false, 7)]);
        assert_eq!(news, [("a".into(), News::Closed)]);
        assert_eq!(told_of(&mut told, &[row("b", false, 7)]), []);
        // Long after it is another.
        let later = row("c", true, 10 + SAME_MS + 1);
        let news = told_of(&mut told, &[row("b", false, 7), later]);
        assert_eq!(news, [("c".into(), News::Opened)]);
        // What nothing speaks for any more is over.
        assert_eq!(told_of(&mut told, &[]), [("c".into(), News::Closed)]);
    }

    #[test]
    fn what_was_over_before_it_could_be_told_is_shown_only() {
        let mut told = Vec::new();
        let (shown, news) = reconcile(&mut told, &[row("a", false, 10)], 9);
        assert_eq!((shown.len(), news.len(), told.len()), (1, 0, 0));
    }

    #[test]
    fn the_file_keeps_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.redb");
        let rows = [row("a", true, 1), row("b", false, 2)];
        Told::open(&path).unwrap().keep("shop", &rows).unwrap();
        let told = Told::open(&path).unwrap();
        told.keep("blog", &rows[..1]).unwrap();
        assert_eq!(told.of("shop").unwrap(), rows);
        assert_eq!(told.of("blog").unwrap().len(), 1);
    }
}
