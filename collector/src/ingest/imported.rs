//! Events that servers tell with a time and an id of their own: which of them were taken already.
//!
//! The identity of such an event is (site, UTC day of its time, id). It is remembered for as long as
//! a time is taken at all, so however late an event comes again it is a duplicate: the day is in the
//! key so that what is too old to come again can be forgotten a day at a time. Owns what is not yet
//! in the state file; what is there is asked for through [`Known`]. Knows no file and no clock.

use super::record::BatchRecord;
use super::validate;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use upriver_wire::batch::Batch;
use upriver_wire::{ElementId, StreamId, VisitorId};

const DAY_MS: u64 = 24 * 3600 * 1000;
/// Oldest time that is taken: this long before receipt.
pub const AGE_DAYS_MAX: u64 = 366;
/// Longest id, bytes.
pub const ID_BYTES_MAX: usize = 128;
/// Events in one request.
pub const EVENTS_MAX: usize = 1_000;
/// Ids taken that are not in the state file yet. Past it nothing is imported until it has them;
/// 32 bytes each.
pub const FRESH_MAX: usize = 1_000_000;
/// Numbers within a millisecond that an order has room for.
const NUMBERS: u16 = 1_024;

/// The identity of an imported event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventKey {
    /// Days since 1970 of its time, UTC.
    pub day: u32,
    /// Hash of the site's id.
    pub site: u64,
    /// Hash of site, day and the id its sender gave it.
    pub id: u128,
}

impl EventKey {
    /// Names the event of a record; none for one that was captured.
    pub fn of(record: &BatchRecord) -> Option<Self> {
        Some(Self {
            day: day(record.batch.first_ms),
            site: ElementId::of(&record.site).0,
            id: record.event_id?,
        })
    }
}

impl EventKey {
    /// Names the event of a row: a row has only as much of the id as its number in the stream keeps.
    pub fn of_row(site: u64, time_ms: u64, seq: u64) -> Self {
        Self {
            day: day(time_ms),
            site,
            id: u128::from(seq << 1),
        }
    }

    /// The same event as its row names it.
    fn as_row(self) -> Self {
        let id = u128::from(seq(self.id) << 1);
        Self { id, ..self }
    }
}

/// The number in its stream that an event with such an id has. Not all 64 bits, so that it stays a
/// number in every language that reads it.
fn seq(id: u128) -> u64 {
    (id as u64) >> 1
}

/// Days whose events are too old to be taken any more, by a time in Unix ms.
pub fn oldest_day(now_ms: u64) -> u32 {
    day(now_ms.saturating_sub((AGE_DAYS_MAX + 1) * DAY_MS))
}

fn day(ms: u64) -> u32 {
    u32::try_from(ms / DAY_MS).unwrap_or(u32::MAX)
}

/// The record of one event. Its batch has the one event at its time, and no stream yet: all that
/// servers tell of a visitor is one stream, and the event's number in it is made of its id. It was
/// received at `now_ms`, or later when it waited.
///
/// # Errors
/// It says something that cannot be; for the sender's developer.
pub fn record(site: &str, id: &str, mut batch: Batch, now_ms: u64) -> Result<BatchRecord, String> {
    if id.is_empty() || id.len() > ID_BYTES_MAX {
        return Err(format!("id must be 1 to {ID_BYTES_MAX} bytes"));
    }
    let time_ms = batch.first_ms;
    if time_ms < now_ms.saturating_sub(AGE_DAYS_MAX * DAY_MS) {
        return Err(format!("its time is more than {AGE_DAYS_MAX} days ago"));
    }
    if time_ms > now_ms + super::rows::FUTURE_MS_MAX {
        return Err("its time is more than 5 minutes ahead of the collector's clock".into());
    }
    batch.stream = stream(site, batch.visitor);
    batch.first_seq = 0;
    validate::batch(&batch)?;
    for event in &batch.events {
        validate::event(&batch, &event.body)?;
    }
    let event_id = hash(&[
        b"event",
        site.as_bytes(),
        &day(time_ms).to_le_bytes(),
        id.as_bytes(),
    ]);
    batch.first_seq = seq(event_id);
    Ok(BatchRecord {
        site: site.to_owned(),
        received_ms: now_ms,
        accepted: vec![(0, 1)],
        event_id: Some(event_id),
        batch,
        ..BatchRecord::default()
    })
}

/// Whether an event of that time would be kept for a while, by a collector that keeps events for so
/// many days after they are received. One that is older already than anything may become is not taken:
/// whoever keeps 90 days does not expect to find last year.
///
/// # Errors
/// It would not; for the sender's developer.
pub fn kept(time_ms: u64, now_ms: u64, days: Option<u32>) -> Result<(), String> {
    let ago_ms = now_ms.saturating_sub(time_ms);
    match days {
        Some(days) if ago_ms > u64::from(days) * DAY_MS => Err(format!(
            "its time is {} days ago, and this collector keeps events for {days} days: events_days of \
             its retention",
            ago_ms / DAY_MS
        )),
        _ => Ok(()),
    }
}

fn stream(site: &str, visitor: VisitorId) -> StreamId {
    StreamId(hash(&[b"stream", site.as_bytes(), &visitor.0.to_le_bytes()]).max(1))
}

/// 128 bits of SHA-256 over parts that cannot run into one another.
fn hash(parts: &[&[u8]]) -> u128 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    digest[..16]
        .iter()
        .fold(0, |id, byte| id << 8 | u128::from(*byte))
}

/// Gives the events of one request that one visitor has at the same millisecond numbers within it, in
/// the order they stand in. They begin at a number of the first's own, so that events of other
/// requests rarely have the same.
pub fn number(records: &mut [BatchRecord]) {
    let place = |record: &BatchRecord| (record.batch.stream, record.batch.first_ms);
    let mut order: Vec<usize> = (0..records.len()).collect();
    order.sort_by_key(|&index| (place(&records[index]), index));
    let same = |a: &usize, b: &usize| place(&records[*a]) == place(&records[*b]);
    let mut numbers = vec![0; records.len()];
    for group in order.chunk_by(same) {
        let room = u64::from(NUMBERS).saturating_sub(group.len() as u64).max(1);
        let first = (records[group[0]].batch.first_seq % room) as u16;
        for (number, &index) in (first..).zip(group) {
            numbers[index] = number;
        }
    }
    for (record, number) in records.iter_mut().zip(numbers) {
        // What follows the number before it is given this one.
        record.floor = number
            .checked_sub(1)
            .map(|before| (record.batch.first_ms, before));
    }
}

/// Tells which of these events are in the state file.
pub type Known = Box<dyn Fn(&[EventKey]) -> Result<Vec<bool>, String> + Send>;

/// The imported events that were taken.
pub struct Imported {
    known: Known,
    fresh: HashSet<EventKey>,
    /// On their way into the state file; there for certain when the next ones are handed over.
    handed: HashSet<EventKey>,
}

impl Imported {
    /// With what the log holds beyond the state file.
    pub fn new(known: Known, fresh: HashSet<EventKey>) -> Self {
        Self {
            known,
            fresh,
            handed: HashSet::new(),
        }
    }

    /// Which of these were taken, none of them twice in the list.
    ///
    /// # Errors
    /// The state file cannot be read.
    pub fn taken(&self, keys: &[EventKey]) -> Result<Vec<bool>, String> {
        // An event that was learned again from its row is known by no more than that has.
        let rows: Vec<EventKey> = keys.iter().map(|key| key.as_row()).collect();
        let known = (self.known)(&[keys, &rows].concat())?;
        let taken = |key: &EventKey, known: bool| {
            known || self.fresh.contains(key) || self.handed.contains(key)
        };
        let (whole, short) = known.split_at(keys.len());
        let whole = keys.iter().zip(whole);
        let short = rows.iter().zip(short);
        let both = whole.zip(short);
        Ok(both
            .map(|((key, known), (row, known_row))| taken(key, *known) || taken(row, *known_row))
            .collect())
    }

    /// Takes an event. False when it was taken since the last time the state file was written.
    pub fn take(&mut self, key: EventKey) -> bool {
        self.fresh.insert(key)
    }

    /// Takes an event back that was taken since the state file was last written: it is not in the
    /// log.
    pub fn take_back(&mut self, key: EventKey) {
        self.fresh.remove(&key);
    }

    /// Whether no further event may be taken until the state file is written.
    pub fn is_full(&self) -> bool {
        self.fresh.len() >= FRESH_MAX
    }

    /// What is to be put into the state file. It must be there before this is called again.
    pub fn hand_over(&mut self) -> Vec<EventKey> {
        self.handed = std::mem::take(&mut self.fresh);
        self.handed.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::rows;
    use std::sync::{Arc, Mutex};
    use upriver_wire::batch::{Body, Custom, Event};

    const NOW_MS: u64 = 1_790_000_000_000;

    fn event(visitor: u128, time_ms: u64, id: &str) -> Result<BatchRecord, String> {
        let name = "paid".to_owned();
        let body = Body::Custom(Custom {
            name,
            props: vec![],
        });
        let batch = Batch {
            visitor: VisitorId(visitor),
            first_ms: time_ms,
            events: vec![Event { delta_ms: 0, body }],
            ..Batch::default()
        };
        record("shop", id, batch, NOW_MS)
    }

    #[test]
    fn times_within_a_year_and_a_little_ahead_are_taken() {
        let year = AGE_DAYS_MAX * DAY_MS;
        assert!(event(1, NOW_MS - year, "a").is_ok());
        let old = event(1, NOW_MS - year - 1, "a").unwrap_err();
        assert!(old.contains("366 days ago"), "{old}");
        assert!(event(1, NOW_MS + 300_000, "a").is_ok());
        assert!(event(1, NOW_MS + 300_001, "a").is_err());
        assert!(event(0, NOW_MS, "a").unwrap_err().contains("visitor"));
        assert!(event(1, NOW_MS, "").is_err());
        assert!(event(1, NOW_MS, &"a".repeat(ID_BYTES_MAX + 1)).is_err());
        // What may still come is not forgotten.
        assert!(oldest_day(NOW_MS) < day(NOW_MS - year));
    }

    #[test]
    fn what_is_older_than_anything_is_kept_is_refused_with_the_reason() {
        let kept = |ago_ms, days| kept(NOW_MS - ago_ms, NOW_MS, days);
        assert!(kept(90 * DAY_MS, Some(90)).is_ok() && kept(366 * DAY_MS, None).is_ok());
        let why = kept(200 * DAY_MS + 1, Some(90)).unwrap_err();
        assert!(
            why.contains("200 days ago") && why.contains("for 90 days"),
            "{why}"
        );
        assert!(kept(90 * DAY_MS + 1, Some(90)).is_err());
    }

    #[test]
    fn rows_have_the_given_time_and_the_order_of_the_request() {
        let mut records = vec![];
        for number in 0..50_u32 {
            let at = NOW_MS - DAY_MS * 300 - u64::from(number % 7 == 0);
            records.push(event(u128::from(number % 3 + 1), at, &format!("id{number}")).unwrap());
        }
        number(&mut records);
        let mut rows: Vec<_> = records.iter().flat_map(rows::event_rows).collect();
        assert_eq!(rows.len(), 50);
        for (row, record) in rows.iter().zip(&records) {
            assert_eq!(row.time as u64, record.batch.first_ms);
            assert!(row.imported && !row.clamped && row.skew_ms == 0);
        }
        let mut sorted = rows.clone();
        sorted.sort_by_key(|row| (row.visitor, row.ord));
        rows.sort_by_key(|row| (row.visitor, row.time));
        assert_eq!(rows, sorted);
        sorted.dedup_by_key(|row| (row.visitor, row.ord));
        assert_eq!(sorted.len(), 50);
    }

    #[test]
    fn an_event_is_the_same_again_and_another_on_another_day_or_site() {
        let key = |record: &BatchRecord| EventKey::of(record).unwrap();
        let one = event(1, NOW_MS, "a").unwrap();
        assert_eq!(key(&one), key(&event(1, NOW_MS - 1, "a").unwrap()));
        // The visitor is no part of it: whoever corrects a visitor gives a new id.
        assert_eq!(key(&one), key(&event(2, NOW_MS, "a").unwrap()));
        assert_ne!(key(&one), key(&event(1, NOW_MS - DAY_MS, "a").unwrap()));
        assert_ne!(key(&one), key(&event(1, NOW_MS, "b").unwrap()));
        let other = record("shop2", "a", one.batch.clone(), NOW_MS).unwrap();
        assert_ne!(key(&one), key(&other));
        assert_ne!(one.batch.stream, other.batch.stream);
    }

    #[test]
    fn what_is_on_its_way_to_the_file_is_known_meanwhile() {
        let file = Arc::new(Mutex::new(HashSet::new()));
        let known: Known = {
            let file = file.clone();
            Box::new(move |keys| {
                let file: std::sync::MutexGuard<'_, HashSet<EventKey>> = file.lock().unwrap();
                Ok(keys.iter().map(|key| file.contains(key)).collect())
            })
        };
        let mut imported = Imported::new(known, HashSet::new());
        let key = |id| EventKey {
            day: 1,
            site: 1,
            id,
        };
        assert!(imported.take(key(1)) && !imported.take(key(1)));
        let on_their_way = imported.hand_over();
        let both = [key(1), key(2)];
        assert_eq!(imported.taken(&both).unwrap(), [true, false]);
        file.lock().unwrap().extend(on_their_way);
        assert!(imported.hand_over().is_empty());
        assert_eq!(imported.taken(&both).unwrap(), [true, false]);
    }
}
