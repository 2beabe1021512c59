//! Taking one visitor out of every table, so that what is left is what there would be without them.
//!
//! Owns the statements. Knows no log, no live number and no HTTP. Whoever calls it has the turn to
//! change the tables, and calls it again until it succeeds; each time it begins from the start.
//!
//! First the places of the visitor's rows are written into `erased`. Every statement after that names
//! rows by their places only, so that no file of ClickHouse is left that names the visitor. Roll-ups are
//! computed anew wherever one of those rows is counted; the rows themselves go last, so that it can
//! always be seen what is to be computed anew.

use super::quarantine::{self, Held};
use super::{LANE, StoreError};
use crate::config::RULE_PREFIX;
use crate::ingest::record::Record;
use crate::ingest::rows;
use crate::row::{EventRow, Kind};
use clickhouse::Client;
use clickhouse::query::Query;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;
use upriver_wire::VisitorId;
use uuid::Uuid;

/// How long one statement may take.
const STATEMENT_TIMEOUT_S: &str = "3600";
/// How often it is looked whether old files are gone.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Tables that may name a visitor, by id, by path or in words.
const NAMING: [&str; 7] = [
    "events",
    "elements",
    "dead_letters",
    "heatmap",
    "sessions",
    "campaign_minutes",
    "page_minutes",
];

/// An id that no partition has: those have a day's.
const NO_PARTITION: &str = "none";

/// Whose rows, and which.
#[derive(Clone, Debug)]
pub struct Target {
    /// The order's number.
    pub erasure: Uuid,
    /// The site.
    pub site: String,
    /// The visitor.
    pub visitor: VisitorId,
    /// What happened or was received up to this, Unix ms.
    pub until_ms: u64,
}

impl Target {
    /// Whether a record of the log is theirs, or is refused input that names them.
    pub fn is_of(&self, record: &Record) -> bool {
        match record {
            Record::Batch(record) => {
                let theirs = record.site == self.site && record.batch.visitor == self.visitor;
                let old = || {
                    record.received_ms <= self.until_ms
                        || rows::times(record).any(|(time_ms, ..)| time_ms <= self.until_ms)
                };
                theirs && (old() || rows::event_rows(record).iter().any(is_firing))
            }
            Record::DeadLetter(letter) => {
                letter.site == self.site
                    && letter.received_ms <= self.until_ms
                    && names(&letter.body, self.visitor)
            }
            Record::Seal(_) => false,
        }
    }
}

/// Whether a row says that a rule fired. It may have done so a moment after the order, because of what
/// was before.
fn is_firing(row: &EventRow) -> bool {
    row.imported && row.kind == Kind::Exposure && row.name.starts_with(RULE_PREFIX)
}

/// The same as [`names`], of the column `body`. [`bind_names`] must follow in its place.
pub(super) const NAMES_A_VISITOR: &str = "(positionCaseInsensitive(body, ?) > 0 OR position(body, unhex(?)) > 0 \
     OR positionCaseInsensitive(replaceAll(body, '-', ''), ?) > 0)";

/// Says which visitor [`NAMES_A_VISITOR`] is about.
pub(super) fn bind_names(query: Query, VisitorId(visitor): VisitorId) -> Query {
    let query = query.bind(format!("\"{visitor:x}\""));
    let query = query.bind(hex::encode(visitor.to_le_bytes()));
    query.bind(format!("{visitor:032x}"))
}

/// Whether refused input holds a visitor's name, as text or as bytes.
fn names(body: &[u8], VisitorId(visitor): VisitorId) -> bool {
    let has = |text: &[u8], part: &[u8]| text.windows(part.len()).any(|found| found == part);
    let lower = body.to_ascii_lowercase();
    let plain: Vec<u8> = lower.iter().copied().filter(|byte| *byte != b'-').collect();
    has(body, &visitor.to_le_bytes())
        || has(&lower, format!("\"{visitor:x}\"").as_bytes())
        || has(&plain, format!("{visitor:032x}").as_bytes())
}

/// A roll-up: its name, what of its key says where to compute anew, the same over the rows of
/// `events`, and how its rows are made of them. The columns come in the order of the table.
struct RollUp {
    table: &'static str,
    place: &'static str,
    place_in_events: &'static str,
    select: &'static str,
    kind: &'static str,
    group: &'static str,
}

const ROLL_UPS: [RollUp; 4] = [
    RollUp {
        table: "heatmap",
        place: "path, hour",
        place_in_events: "path, toStartOfHour(time, 'UTC')",
        select: "site, path, toStartOfHour(time, 'UTC') AS begun, element, device, width_bucket, \
            utm_campaign, variants, cell, count(), toDate(received_at, 'UTC') AS day, lane, max(batch)",
        kind: " AND kind = 'press'",
        group: "site, path, begun, element, device, width_bucket, utm_campaign, variants, cell, day, lane",
    },
    RollUp {
        table: "sessions",
        place: "visitor",
        place_in_events: "visitor",
        select: "site, visitor, session, device, min(time), max(time), min((ord, path)), \
            max((ord, path)), min((ord, toString(utm_source), toString(utm_medium), \
            toString(utm_campaign))), count(), countIf(kind = 'page_view'), countIf(kind = 'press'), \
            countIf(kind = 'conversion'), toDate(received_at, 'UTC') AS day, lane, max(batch)",
        kind: "",
        group: "site, visitor, session, device, day, lane",
    },
    RollUp {
        table: "campaign_minutes",
        place: "minute",
        place_in_events: "toStartOfMinute(time, 'UTC')",
        select: "site, toStartOfMinute(time, 'UTC') AS begun, utm_source, utm_medium, utm_campaign, \
            currency, count(), countIf(kind = 'page_view'), countIf(kind = 'press'), \
            countIf(kind = 'conversion'), sum(value), toDate(received_at, 'UTC') AS day, lane, max(batch)",
        kind: "",
        group: "site, begun, utm_source, utm_medium, utm_campaign, currency, day, lane",
    },
    RollUp {
        table: "page_minutes",
        place: "path, minute",
        place_in_events: "path, toStartOfMinute(time, 'UTC')",
        select: "site, path, toStartOfMinute(time, 'UTC') AS begun, device, count(), \
            countIf(kind = 'page_view'), countIf(kind = 'press'), countIf(kind = 'conversion'), \
            countIf(kind = 'rage'), countIf(kind = 'dead'), countIf(kind = 'fault'), sum(visible_ms), \
            sum(active_ms), toDate(received_at, 'UTC') AS day, lane, max(batch)",
        kind: "",
        group: "site, path, begun, device, day, lane",
    },
];

/// Takes the visitor out of every table. Returns how many rows of each are or were theirs; so many
/// events as are kept apart, in `held`, are only noted.
///
/// # Errors
/// ClickHouse refused, or was lost on the way. What was begun may still be running there.
pub async fn erase(
    client: &Client,
    target: &Target,
    held: &[Held],
) -> Result<BTreeMap<String, u64>, StoreError> {
    let statements = Statements {
        client: &client
            .clone()
            .with_setting("mutations_sync", "2")
            // The places of a table that nothing else writes meanwhile.
            .with_setting("allow_nondeterministic_mutations", "1")
            .with_setting("max_execution_time", STATEMENT_TIMEOUT_S)
            // Nor may what is asked be written down.
            .with_setting("log_queries", "0"),
        target,
    };
    statements.settled().await?;
    statements.note_events().await?;
    statements.note_letters(held).await?;
    statements.note_held(held).await?;
    let days = statements.days().await?;
    for day in &days {
        for roll_up in &ROLL_UPS {
            statements.compute_anew(roll_up, day).await?;
        }
    }
    statements.delete_visits().await?;
    // After the heat map was computed anew: what others pressed stays, also when that is long ago.
    statements.note_elements().await?;
    let rows = statements.noted().await?;
    statements.delete("elements", None).await?;
    for day in &days {
        statements.delete("dead_letters", Some(day)).await?;
    }
    for day in &days {
        statements.delete("events", Some(day)).await?;
    }
    Ok(rows)
}

/// Waits until no file is left of what was deleted or replaced up to now in the tables that may name a
/// visitor. The others let go of theirs later, and name nobody.
///
/// # Errors
/// ClickHouse refused, or was lost.
pub async fn gone_from_disk(client: &Client) -> Result<(), StoreError> {
    let now: u32 = client
        .query("SELECT toUnixTimestamp(now())")
        .fetch_one()
        .await?;
    loop {
        let sql = "SELECT DISTINCT table FROM system.parts WHERE database = currentDatabase() \
                   AND NOT active AND toUnixTimestamp(remove_time) <= ? AND table IN ?";
        let query = client.query(sql).bind(now).bind(NAMING);
        let left = query.fetch_all::<String>().await?;
        if left.is_empty() {
            return Ok(());
        }
        for table in left {
            // A table that nothing is written into looks for old files every five minutes only. This
            // drops nothing, as there is no such partition, and has it look at once. Where it is
            // refused they go all the same, later.
            let sql = format!("ALTER TABLE {table} DROP PARTITION ID '{NO_PARTITION}'");
            if let Err(error) = client.query(&sql).execute().await {
                tracing::debug!(%error, table, "old files are not looked for at once");
            }
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

struct Statements<'a> {
    client: &'a Client,
    target: &'a Target,
}

impl Statements<'_> {
    /// The rows of a table that were noted, as a condition on it.
    fn noted_in(&self, source: &str) -> String {
        format!(
            "(lane, batch, idx) IN (SELECT lane, batch, idx FROM erased \
             WHERE erasure = '{}' AND source = '{source}')",
            self.target.erasure
        )
    }

    /// A statement under the number of the order, so that it can be seen whether it still runs.
    fn query(&self, sql: &str) -> Query {
        let id = format!("{}-{}", self.running(), Uuid::from_u128(random()));
        self.client.query(sql).with_setting("query_id", id)
    }

    fn running(&self) -> String {
        format!("upriver-erase-{}", self.target.erasure)
    }

    /// Fails as long as a statement of an earlier attempt may still be running.
    async fn settled(&self) -> Result<(), StoreError> {
        let sql = "SELECT count() FROM system.processes WHERE startsWith(query_id, ?)";
        let query = self.client.query(sql).bind(self.running());
        let sql = "SELECT count() FROM system.mutations WHERE database = currentDatabase() \
                   AND NOT is_done AND position(command, ?) > 0";
        let mutations = self.client.query(sql).bind(self.target.erasure.to_string());
        let running = query.fetch_one::<u64>().await? + mutations.fetch_one::<u64>().await?;
        match running {
            0 => Ok(()),
            _ => Err(clickhouse::error::Error::Custom(
                "statements of an earlier attempt are still running".into(),
            )
            .into()),
        }
    }

    async fn note_events(&self) -> Result<(), StoreError> {
        let sql = "INSERT INTO erased SELECT ?, now64(3), 'events', toDate(received_at, 'UTC'), lane, batch, idx \
             FROM events WHERE site = ? AND visitor = ? AND lane = ? \
             AND (received_at <= fromUnixTimestamp64Milli(?) OR time <= fromUnixTimestamp64Milli(?) \
               OR (imported AND kind = 'exposure' AND startsWith(name, ?)))";
        let until = i64::try_from(self.target.until_ms).unwrap_or(i64::MAX);
        let query = self.query(sql).bind(self.target.erasure.to_string());
        let query = query.bind(&self.target.site).bind(self.uuid().to_string());
        let query = query.bind(LANE).bind(until).bind(until);
        Ok(query.bind(RULE_PREFIX).execute().await?)
    }

    /// Refused input that holds the visitor's name, as text or as bytes. And what was said of batches that are kept apart and hold anything of theirs: it may quote them.
    async fn note_letters(&self, held: &[Held]) -> Result<(), StoreError> {
        let sql = format!(
            "INSERT INTO erased SELECT ?, now64(3), 'dead_letters', toDate(received_at, 'UTC'), lane, \
             batch, idx FROM dead_letters WHERE lane = ? AND (site = ? \
             AND received_at <= fromUnixTimestamp64Milli(?) \
             AND {NAMES_A_VISITOR} \
             OR code = 'quarantined' AND arrayExists(begins -> startsWith(reason, begins), \
               CAST(?, 'Array(String)')))"
        );
        let until = i64::try_from(self.target.until_ms).unwrap_or(i64::MAX);
        let query = self.query(&sql).bind(self.target.erasure.to_string());
        let query = query.bind(LANE).bind(&self.target.site).bind(until);
        let query = bind_names(query, self.target.visitor);
        let batches = held.iter().map(|held| quarantine::of_batch(held.batch));
        let query = query.bind(batches.collect::<Vec<_>>());
        Ok(query.execute().await?)
    }

    /// Events that are kept apart: no table has them, but the receipt counts them, however often this
    /// is begun.
    async fn note_held(&self, held: &[Held]) -> Result<(), StoreError> {
        let sql = "INSERT INTO erased SELECT ?, now64(3), 'quarantine', toDate(now('UTC')), ?, ?, \
                   arrayJoin(CAST(?, 'Array(UInt32)'))";
        for Held { batch, events } in held {
            let query = self.query(sql).bind(self.target.erasure.to_string());
            let query = query.bind(LANE).bind(batch).bind(events);
            query.execute().await?;
        }
        Ok(())
    }

    /// Elements that nobody else did anything with.
    async fn note_elements(&self) -> Result<(), StoreError> {
        let sql = format!(
            "INSERT INTO erased SELECT ?, now64(3), 'elements', toDate(received_at, 'UTC'), lane, batch, idx \
             FROM elements WHERE site = ? AND lane = ? \
             AND element IN (SELECT arrayJoin([element, field]) FROM events WHERE site = ? AND {noted}) \
             AND element NOT IN (SELECT arrayJoin([element, field]) FROM events \
               WHERE site = ? AND NOT {noted}) \
             AND element NOT IN (SELECT element FROM heatmap WHERE site = ?)",
            noted = self.noted_in("events")
        );
        let site = &self.target.site;
        let query = self.query(&sql).bind(self.target.erasure.to_string());
        let query = query.bind(site).bind(LANE).bind(site).bind(site).bind(site);
        Ok(query.execute().await?)
    }

    /// Deletes visits of days whose events are not kept any more: nothing but the visit itself says whose
    /// it was. The statement stays on disk for a while, so it names them by a hash.
    async fn delete_visits(&self) -> Result<(), StoreError> {
        let sql = "SELECT DISTINCT toString(toYYYYMMDD(received_on)) AS day FROM sessions \
             WHERE site = ? AND visitor = ? AND lane = ? \
             AND received_on <= toDate(fromUnixTimestamp64Milli(?), 'UTC') \
             AND received_on NOT IN (SELECT toDate(received_at, 'UTC') FROM events \
               WHERE site = ? AND visitor = ?)";
        let until = i64::try_from(self.target.until_ms).unwrap_or(i64::MAX);
        let (site, visitor) = (&self.target.site, self.uuid().to_string());
        let query = self.query(sql).bind(site).bind(&visitor).bind(LANE);
        let query = query.bind(until).bind(site).bind(&visitor);
        let erasure = self.target.erasure;
        let hash = hex::encode_upper(Sha256::digest(format!("{erasure}{visitor}")));
        for day in query.fetch_all::<String>().await? {
            let sql = format!(
                "ALTER TABLE sessions DELETE IN PARTITION ID '{day}' WHERE lane = {LANE} \
                 AND site = ? AND hex(SHA256(concat('{erasure}', toString(visitor)))) = '{hash}'"
            );
            self.query(&sql).bind(site).execute().await?;
        }
        Ok(())
    }

    /// How many rows were noted, by table.
    async fn noted(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let erasure = self.target.erasure.to_string();
        let sql = "SELECT source, count() FROM erased FINAL WHERE erasure = ? GROUP BY source";
        let rows = self.client.query(sql).bind(&erasure);
        let rows = rows.fetch_all::<(String, u64)>().await?;
        let none = ["events", "elements", "dead_letters", "quarantine"];
        let none = none.map(|table| (table.to_owned(), 0));
        Ok(none.into_iter().chain(rows).collect())
    }

    /// The days that noted rows were received on, `YYYYMMDD`.
    async fn days(&self) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT toString(toYYYYMMDD(received_on)) AS day FROM erased \
                   WHERE erasure = ? AND source IN ('events', 'dead_letters') ORDER BY day";
        let days = self.client.query(sql).bind(self.target.erasure.to_string());
        Ok(days.fetch_all::<String>().await?)
    }

    /// Computes a roll-up anew where it counts a noted row of that day.
    async fn compute_anew(&self, roll_up: &RollUp, day: &str) -> Result<(), StoreError> {
        let RollUp {
            table,
            place,
            place_in_events,
            select,
            kind,
            group,
        } = roll_up;
        let noted = self.noted_in("events");
        let places = format!(
            "(SELECT {place_in_events} FROM events \
             WHERE site = ? AND _partition_id = '{day}' AND {noted})"
        );
        let site = &self.target.site;
        let sql = format!(
            "ALTER TABLE {table} DELETE IN PARTITION ID '{day}' \
             WHERE site = ? AND lane = {LANE} AND ({place}) IN {places}"
        );
        self.query(&sql).bind(site).bind(site).execute().await?;
        let sql = format!(
            "INSERT INTO {table} SELECT {select} FROM events \
             WHERE site = ? AND lane = {LANE} AND _partition_id = '{day}'{kind} \
             AND ({place_in_events}) IN {places} AND NOT {noted} GROUP BY {group}"
        );
        Ok(self.query(&sql).bind(site).bind(site).execute().await?)
    }

    /// Deletes the noted rows of a table, of one day where it has days.
    async fn delete(&self, table: &str, day: Option<&str>) -> Result<(), StoreError> {
        let day = day.map(|day| format!(" IN PARTITION ID '{day}'"));
        let sql = format!(
            "ALTER TABLE {table} DELETE{} WHERE {}",
            day.unwrap_or_default(),
            self.noted_in(table)
        );
        Ok(self.query(&sql).execute().await?)
    }

    fn uuid(&self) -> Uuid {
        Uuid::from_u128(self.target.visitor.0)
    }
}

/// Tells one attempt from another.
fn random() -> u128 {
    let mut bytes = [0; 16];
    // Without randomness two attempts have one number, and the second is refused.
    let _ = getrandom::fill(&mut bytes);
    u128::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::record::{BatchRecord, DeadLetter, Seal};
    use upriver_wire::batch::{Batch, Body, Event};

    fn target() -> Target {
        Target {
            erasure: Uuid::nil(),
            site: "shop".into(),
            visitor: VisitorId(0xcaf0_0001),
            until_ms: 1_000_000,
        }
    }

    #[test]
    fn a_record_is_of_a_visitor_on_their_site_up_to_the_order() {
        let record = |site: &str, visitor, received_ms, first_ms| {
            let body = Body::PageView(Default::default());
            Record::Batch(BatchRecord {
                site: site.into(),
                received_ms,
                batch: Batch {
                    visitor: VisitorId(visitor),
                    first_ms,
                    events: vec![Event { delta_ms: 0, body }],
                    ..Batch::default()
                },
                ..BatchRecord::default()
            })
        };
        let is = |record: Record| target().is_of(&record);
        assert!(is(record("shop", 0xcaf0_0001, 1_000_000, 2_000_000)));
        assert!(is(record("shop", 0xcaf0_0001, 2_000_000, 1_000_000)));
        assert!(!is(record("shop", 0xcaf0_0001, 2_000_000, 1_000_001)));
        assert!(!is(record("shop", 0xcaf0_0002, 1_000_000, 1_000_000)));
        assert!(!is(record("other", 0xcaf0_0001, 1_000_000, 1_000_000)));
        assert!(!is(Record::Seal(Seal::default())));
    }

    #[test]
    fn refused_input_names_a_visitor_however_it_writes_them() {
        let is = |body: &[u8]| {
            target().is_of(&Record::DeadLetter(DeadLetter {
                site: "shop".into(),
                received_ms: 1,
                body: body.to_vec(),
                ..DeadLetter::default()
            }))
        };
        assert!(is(b"{\"visitor\":\"caf00001\""));
        assert!(is(b"x 000000000000000000000000CAF00001 y"));
        assert!(is(b"00000000-0000-0000-0000-0000caf00001"));
        assert!(is(&0xcaf0_0001_u128.to_le_bytes()));
        assert!(!is(b"{\"visitor\":\"caf000012\"") && !is(b""));
    }
}
