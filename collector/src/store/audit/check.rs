//! What follows from what the audit was told. Pure: no clock, no ClickHouse, no log.

#[cfg(test)]
mod tests;

use crate::row::Kind;
use crate::store::ledger::Entry;
use serde::Serialize;

/// Differences told one by one in a check; the rest are only counted.
const TOLD_MAX: usize = 5;

/// The outcome of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Not as it should be.
    Wrong,
    /// It could not be made this time; the detail says why.
    NotChecked,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name: `duplicates`, `places`, `batches`, `roll_up`, `accounts`, `live`.
    pub name: &'static str,
    /// The outcome.
    pub verdict: Verdict,
    /// Rows, presses or counts that are too many or too few, all added up; 0 when all is well.
    pub difference: u64,
    /// What was compared, or what is wrong.
    pub detail: String,
}

/// The rows of one batch in one table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The batch.
    pub batch: u64,
    /// Rows.
    pub rows: u64,
    /// Distinct `idx` among them.
    pub places: u64,
    /// Highest `idx`.
    pub last: u32,
}

/// How many rows of one batch were erased with their visitors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// The batch.
    pub batch: u64,
    /// Rows that were in `events`.
    pub events: u64,
    /// Rows that were in `dead_letters`.
    pub dead_letters: u64,
}

/// What `ingest_log` says of one batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The batch.
    pub batch: u64,
    /// Its rows there: one.
    pub rows: u64,
    /// Rows it says are in `events`.
    pub events: u64,
    /// Rows it says are in `dead_letters`.
    pub dead_letters: u64,
}

/// One sum of one roll-up, of what was received on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// The roll-up's table.
    pub table: &'static str,
    /// Its column.
    pub what: &'static str,
    /// Days since 1970.
    pub day: u32,
    /// The sum over the rows of `events`.
    pub rows: i128,
    /// The sum over the roll-up.
    pub rolled_up: i128,
}

/// Where every event is that was taken since the checkpoint that the process started from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// Taken by the sequencer, up to a position of the log.
    pub taken: u64,
    /// Handed to ClickHouse by the writer.
    pub written: u64,
    /// Refused by ClickHouse for good and kept apart.
    pub quarantined: u64,
    /// In the log between what was written and that position.
    pub in_log: u64,
}

/// The whole of a site in a few numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Distinct visitors.
    pub visitors: u64,
    /// Events by kind, in the order of [`Kind::ALL`].
    pub kinds: [u64; Kind::ALL.len()],
}

/// A site as the live engine counts it and as SQL does, both up to the same event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// The site.
    pub site: String,
    /// Live.
    pub live: Counts,
    /// In the tables.
    pub sql: Counts,
}

/// What the audit was told.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The newest batch that all tables have.
    pub batch: u64,
    /// What the writer says of the newest batches.
    pub ledger: Vec<Entry>,
    /// The newest batches in `events`.
    pub events: Vec<Places>,
    /// The newest batches in `dead_letters`.
    pub dead_letters: Vec<Places>,
    /// What of the newest batches was erased.
    pub gone: Vec<Gone>,
    /// What `ingest_log` says of the newest batches.
    pub told: Vec<Told>,
    /// Rows in those of `events` whose (site, stream, seq) is there already.
    pub doubled: u64,
    /// The sums of every roll-up.
    pub sums: Vec<Sum>,
    /// Where everything is, or why that could not be found out.
    pub accounts: Result<Accounts, String>,
    /// Each site live and in SQL, or why they could not be compared.
    pub live: Result<Vec<Compared>, String>,
}

/// Every check.
pub fn check(facts: &Facts) -> Vec<Check> {
    vec![
        duplicates(facts),
        places(facts),
        batches(facts),
        roll_up(facts),
        accounts(facts),
        live(facts),
    ]
}

/// Every check, none of them made.
pub fn none(reason: &str) -> Vec<Check> {
    let names = [
        "duplicates",
        "places",
        "batches",
        "roll_up",
        "accounts",
        "live",
    ];
    names.map(|name| not_checked(name, reason)).into()
}

fn duplicates(facts: &Facts) -> Check {
    let rows: u64 = facts.events.iter().map(|batch| batch.rows).sum();
    let batches = facts.events.len();
    if facts.doubled == 0 {
        let detail = format!("{rows} rows of {batches} batches, each (site, stream, seq) once");
        return verdict("duplicates", 0, detail);
    }
    let detail = format!(
        "{} of {rows} rows of the newest {batches} batches of events repeat a (site, stream, seq)",
        facts.doubled
    );
    verdict("duplicates", facts.doubled, detail)
}

/// Within each batch `idx` counts from 0 without a gap and without a repetition.
fn places(facts: &Facts) -> Check {
    let mut wrong = Differences::default();
    for (table, batches) in tables(facts) {
        for found in batches {
            let missing = (u64::from(found.last) + 1).saturating_sub(found.places);
            // How many are missing in all is seen by `batches`.
            let missing = missing.saturating_sub(gone(facts, table, found.batch));
            let repeated = found.rows.saturating_sub(found.places);
            if missing + repeated > 0 {
                wrong.tell(missing + repeated, || {
                    format!(
                        "{table} batch {}: {missing} places empty, {repeated} taken twice",
                        found.batch
                    )
                });
            }
        }
    }
    wrong.into_check("places", || {
        let batches = facts.events.len() + facts.dead_letters.len();
        format!("idx has no gap and no repetition in {batches} batches")
    })
}

/// Each batch has as many rows as the writer put into it and as `ingest_log` says, and no batch is
/// missing.
fn batches(facts: &Facts) -> Check {
    let mut wrong = Differences::default();
    for entry in &facts.ledger {
        for (table, batches) in tables(facts) {
            let wanted = if table == "events" {
                entry.events
            } else {
                entry.dead_letters
            };
            let found = batches.iter().find(|found| found.batch == entry.seal.batch);
            let found = found.map_or(0, |found| found.rows);
            let found = found + gone(facts, table, entry.seal.batch);
            if found != wanted {
                wrong.tell(found.abs_diff(wanted), || {
                    format!(
                        "{table} batch {}: {found} rows, {wanted} were written",
                        entry.seal.batch
                    )
                });
            }
        }
        let said = facts.told.iter().find(|t| t.batch == entry.seal.batch);
        let said = said.map(|t| (t.rows, t.events, t.dead_letters));
        let wanted = (!entry.refused).then_some((1, entry.events, entry.dead_letters));
        if said != wanted {
            wrong.tell(1, || {
                format!("ingest_log batch {}: {said:?}", entry.seal.batch)
            });
        }
    }
    for pair in facts.ledger.windows(2) {
        if pair[1].seal.batch != pair[0].seal.batch + 1 {
            wrong.tell(1, || {
                format!(
                    "after batch {} came {}",
                    pair[0].seal.batch, pair[1].seal.batch
                )
            });
        }
    }
    wrong.into_check("batches", || {
        format!(
            "{} batches, each as large as it was written",
            facts.ledger.len()
        )
    })
}

fn roll_up(facts: &Facts) -> Check {
    let mut wrong = Differences::default();
    for sum in facts.sums.iter().filter(|sum| sum.rows != sum.rolled_up) {
        let difference = sum.rows.abs_diff(sum.rolled_up);
        wrong.tell(u64::try_from(difference).unwrap_or(u64::MAX), || {
            format!(
                "day {} since 1970, {}: {} in events, {} in {}",
                sum.day, sum.what, sum.rows, sum.rolled_up, sum.table
            )
        });
    }
    wrong.into_check("roll_up", || {
        let mut tables: Vec<_> = facts.sums.iter().map(|sum| sum.table).collect();
        tables.dedup();
        format!(
            "{} sums in {} are those of events",
            facts.sums.len(),
            tables.join(", ")
        )
    })
}

/// Taken = stored + in the log + in quarantine. Stored is what the writer wrote, corrected by what the tables have
/// of its newest batches.
fn accounts(facts: &Facts) -> Check {
    let accounts = match &facts.accounts {
        Ok(accounts) => accounts,
        Err(reason) => return not_checked("accounts", reason),
    };
    let written: u64 = facts.ledger.iter().map(|entry| entry.events).sum();
    let first = facts
        .ledger
        .first()
        .map_or(u64::MAX, |entry| entry.seal.batch);
    let recent = facts.events.iter().filter(|found| found.batch >= first);
    let there: u64 = recent.map(|found| found.rows).sum();
    let erased = facts.gone.iter().filter(|gone| gone.batch >= first);
    let there = there + erased.map(|gone| gone.events).sum::<u64>();
    let stored = (accounts.written + there).saturating_sub(written);
    let kept = stored + accounts.in_log + accounts.quarantined;
    let difference = kept.abs_diff(accounts.taken);
    let sign = if difference == 0 { "=" } else { "≠" };
    let mut detail = format!(
        "{} taken {sign} {stored} stored + {} in the log",
        accounts.taken, accounts.in_log
    );
    if accounts.quarantined > 0 {
        detail.push_str(&format!(" + {} in quarantine", accounts.quarantined));
    }
    verdict("accounts", difference, detail)
}

/// The live number equals the SQL number.
fn live(facts: &Facts) -> Check {
    let sites = match &facts.live {
        Ok(sites) => sites,
        Err(reason) => return not_checked("live", reason),
    };
    let mut wrong = Differences::default();
    for Compared { site, live, sql } in sites {
        let visitors = ("visitors", live.visitors, sql.visitors);
        let kinds = Kind::ALL.iter().zip(live.kinds.iter().zip(sql.kinds));
        let kinds = kinds.map(|(kind, (live, sql))| (kind.name(), *live, sql));
        for (what, live, sql) in std::iter::once(visitors).chain(kinds) {
            if live != sql {
                wrong.tell(live.abs_diff(sql), || {
                    format!("site {site}, {what}: {live} live, {sql} in sql")
                });
            }
        }
    }
    wrong.into_check("live", || {
        let events: u64 = sites.iter().flat_map(|site| site.sql.kinds).sum();
        format!("{} sites, {events} events: live and sql agree", sites.len())
    })
}

/// Rows of a batch that were erased from a table.
fn gone(facts: &Facts, table: &str, batch: u64) -> u64 {
    let gone = facts.gone.iter().find(|gone| gone.batch == batch);
    gone.map_or(0, |gone| match table {
        "events" => gone.events,
        _ => gone.dead_letters,
    })
}

fn tables(facts: &Facts) -> [(&'static str, &[Places]); 2] {
    [
        ("events", &facts.events),
        ("dead_letters", &facts.dead_letters),
    ]
}

fn verdict(name: &'static str, difference: u64, detail: String) -> Check {
    let verdict = match difference {
        0 => Verdict::Ok,
        _ => Verdict::Wrong,
    };
    Check {
        name,
        verdict,
        difference,
        detail,
    }
}

fn not_checked(name: &'static str, reason: &str) -> Check {
    Check {
        name,
        verdict: Verdict::NotChecked,
        difference: 0,
        detail: reason.to_owned(),
    }
}

/// Differences found, the first few in words.
#[derive(Default)]
struct Differences {
    difference: u64,
    count: usize,
    words: Vec<String>,
}

impl Differences {
    fn tell(&mut self, difference: u64, words: impl FnOnce() -> String) {
        self.difference = self.difference.saturating_add(difference);
        self.count += 1;
        if self.words.len() < TOLD_MAX {
            self.words.push(words());
        }
    }

    fn into_check(self, name: &'static str, well: impl FnOnce() -> String) -> Check {
        if self.count == 0 {
            return verdict(name, 0, well());
        }
        let mut detail = self.words.join("; ");
        if self.count > TOLD_MAX {
            detail.push_str(&format!("; and {} more", self.count - TOLD_MAX));
        }
        verdict(name, self.difference, detail)
    }
}
