//! What a spoilt log does not tell any more and the tables do: seals, the rows of a batch whose
//! roll-ups are missing, and which events were taken.
//!
//! Asks and decides; changes nothing. Used at a start, before anything is written or taken.

use super::batch::{self, Batch, DeadRow};
use super::{LANE, StoreError};
use crate::ingest::record::{Record, Seal};
use crate::ingest::{Ingest, Stored};
use crate::log::storage::Storage;
use crate::log::{LogError, Position, Reader};
use crate::row::EventRow;
use clickhouse::{Client, Row};
use serde::Deserialize;
use std::collections::HashSet;

/// Seals missing in a row that are looked for; where there are more, an earlier log had them.
const MISSING_MAX: u64 = 1_000;
/// Events handed over at once.
const CHUNK_ROWS: usize = 10_000;

/// (stream, number) of an event.
type Identity = (u128, u64);

/// All batches after the checkpoint, in order: those whose seals were found in the log, and those
/// that the tables have and whose seals are gone. `highest` is the highest batch in any table.
///
/// # Errors
/// ClickHouse refused, or the log cannot be read.
pub async fn seals<S: Storage>(
    client: &Client,
    reader: &Reader<S>,
    (checkpoint, found): (Seal, &[Seal]),
    highest: u64,
) -> Result<Vec<Seal>, StoreError> {
    let mut all = Vec::new();
    let mut before = checkpoint;
    let beyond = Seal {
        batch: highest + 1,
        from: Position::MAX,
        to: Position::MAX,
    };
    for next in found.iter().copied().chain([beyond]) {
        let missing = before.batch + 1..next.batch;
        let few = next.batch.saturating_sub(before.batch) <= MISSING_MAX;
        for batch in missing.filter(|_| few || next == beyond) {
            let Some(seal) = lost_seal(client, reader, batch, before, next).await? else {
                // An earlier log had them; what is sealed next is numbered above.
                break;
            };
            tracing::warn!(
                ?seal,
                "the seal of a batch is gone; the tables say what it was"
            );
            all.push(seal);
            before = seal;
        }
        if next != beyond {
            all.push(next);
            before = next;
        }
    }
    Ok(all)
}

/// The seal of a batch that lies between two others, by what the tables have of it.
async fn lost_seal<S: Storage>(
    client: &Client,
    reader: &Reader<S>,
    batch: u64,
    before: Seal,
    next: Seal,
) -> Result<Option<Seal>, StoreError> {
    let sql = "SELECT stream, seq FROM events WHERE lane = ? AND batch = ?";
    let query = client.query(sql).bind(LANE).bind(batch);
    let rows = query.fetch_all::<Name>().await?;
    let rows: HashSet<Identity> = rows.iter().map(|n| (n.stream.as_u128(), n.seq)).collect();
    let sql = "SELECT max(bytes) FROM ingest_log WHERE lane = ? AND batch = ?";
    let query = client.query(sql).bind(LANE).bind(batch);
    let bytes = query.fetch_one::<u64>().await?;
    let from = before.to;
    let Some(to) = extent(&mut reader.clone(), &rows, (from, next.from))? else {
        return Ok(None);
    };
    let to = match next.batch == batch + 1 && next.from != Position::MAX {
        true => next.from,
        // Both are where it ends, or a little before, past which no event of it lies.
        false => to.max(from + bytes).min(next.from),
    };
    Ok(Some(Seal { batch, from, to }))
}

#[derive(Row, Deserialize)]
struct Name {
    #[serde(with = "clickhouse::serde::uuid")]
    stream: uuid::Uuid,
    seq: u64,
}

/// Where the last group ends that holds any of these events, when they begin in the first group with
/// events at or after `from`. A group lies in one batch as a whole.
fn extent<S: Storage>(
    reader: &mut Reader<S>,
    rows: &HashSet<Identity>,
    (from, until): (Position, Position),
) -> Result<Option<Position>, LogError> {
    let (mut position, mut to) = (from, None);
    while position < until {
        let Some(group) = reader.read(position)? else {
            break;
        };
        position = group.next;
        let records = group.records.iter();
        let mut events = records.flat_map(|bytes| identities(bytes)).peekable();
        if group.position >= until || events.peek().is_none() {
            continue;
        }
        if !events.any(|event| rows.contains(&event)) {
            break;
        }
        to = Some(group.next);
    }
    Ok(to)
}

/// The events that a record took.
fn identities(bytes: &[u8]) -> Vec<Identity> {
    let Ok(Record::Batch(record)) = Record::decode(bytes) else {
        return Vec::new();
    };
    let (stream, first) = (record.batch.stream.0, record.batch.first_seq);
    let ranges = record.accepted.iter();
    let places = ranges.flat_map(|&(start, end)| u64::from(start)..u64::from(end));
    places.map(|place| (stream, first + place)).collect()
}

/// A batch that `events` has, and of which the log has only a part: with the rows that are there, and
/// the roll-ups of those.
///
/// # Errors
/// ClickHouse refused, or was lost on the way.
pub async fn as_stored(client: &Client, seal: Seal, part: &Batch) -> Result<Batch, StoreError> {
    let sql = "SELECT ?fields FROM events WHERE lane = ? AND batch = ? ORDER BY idx";
    let query = client.query(sql).bind(LANE).bind(seal.batch);
    let events = query.fetch_all::<EventRow>().await?;
    let sql = "SELECT ?fields FROM dead_letters WHERE lane = ? AND batch = ? ORDER BY idx";
    let query = client.query(sql).bind(LANE).bind(seal.batch);
    let letters = query.fetch_all::<DeadRow>().await?;
    let dead_letters = match letters.is_empty() {
        true => part.dead_letters.clone(),
        false => letters,
    };
    let batch = Batch {
        events,
        elements: part.elements.clone(),
        dead_letters,
        ..Batch::default()
    };
    Ok(batch.sealed(seal))
}

/// Has ingest learn every event that the tables have in batches after the checkpoint.
///
/// # Errors
/// ClickHouse refused, was lost on the way, or ingest has stopped.
pub async fn learn(client: &Client, checkpoint: Seal, ingest: &Ingest) -> Result<(), StoreError> {
    let sql = "SELECT ?fields FROM events WHERE lane = ? AND batch > ? ORDER BY batch, idx";
    let query = client.query(sql).bind(LANE).bind(checkpoint.batch);
    let mut cursor = query.fetch::<Stored>()?;
    let mut chunk = Vec::new();
    while let Some(row) = cursor.next().await? {
        chunk.push(row);
        if chunk.len() == CHUNK_ROWS {
            ingest.learn(std::mem::take(&mut chunk)).await?;
        }
    }
    Ok(ingest.learn(chunk).await?)
}

/// Events that `events` has in these batches and no group of the log after `marked` tells: before it
/// they were counted when the streams were remembered.
///
/// # Errors
/// ClickHouse refused, or the log cannot be read.
pub async fn untold<S: Storage>(
    client: &Client,
    reader: &Reader<S>,
    seals: &[Seal],
    marked: Position,
) -> Result<u64, StoreError> {
    let mut untold = 0;
    for seal in seals {
        if !reader.damages().touch(seal.from.max(marked), seal.to) {
            continue;
        }
        let sql = "SELECT count() FROM events WHERE lane = ? AND batch = ?";
        let query = client.query(sql).bind(LANE).bind(seal.batch);
        let stored = query.fetch_one::<u64>().await?;
        let told = batch::read(&mut reader.clone(), *seal)?.events.len() as u64;
        untold += stored.saturating_sub(told);
    }
    Ok(untold)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::record::BatchRecord;
    use crate::log;
    use crate::log::tests::disk::Simulated;
    use upriver_wire::StreamId;
    use upriver_wire::batch::{Batch as Sent, Body, Event};

    fn group(first: u64, events: u16) -> Vec<Vec<u8>> {
        let event = || Event {
            delta_ms: 0,
            body: Body::PageView(Default::default()),
        };
        let record = BatchRecord {
            accepted: vec![(0, events)],
            batch: Sent {
                stream: StreamId(1),
                first_seq: first,
                events: (0..events).map(|_| event()).collect(),
                ..Sent::default()
            },
            ..BatchRecord::default()
        };
        vec![Record::Batch(record).encode()]
    }

    #[test]
    fn a_batch_ends_with_the_last_group_that_has_any_of_its_events() {
        let options = log::Options {
            ahead: log::Ahead::Inline,
            ..log::Options::new(1 << 20)
        };
        let (mut log, reader, _) = log::open(Simulated::new(1, None), options).unwrap();
        let mut ends = Vec::new();
        let seal = || vec![Record::Seal(Seal::default()).encode()];
        for records in [seal(), group(0, 3), group(3, 2), seal(), group(5, 4)] {
            ends.push(log.commit(records.iter().map(Vec::as_slice), 0).unwrap());
        }
        let of = |numbers: std::ops::Range<u64>| -> HashSet<Identity> {
            numbers.map(|number| (1, number)).collect()
        };
        let extent = |rows: &HashSet<Identity>, from| {
            let until = Position::MAX;
            extent(&mut reader.clone(), rows, (from, until)).unwrap()
        };
        assert_eq!(extent(&of(0..5), 0), Some(ends[2]));
        assert_eq!(extent(&of(0..3), 0), Some(ends[1]));
        assert_eq!(extent(&of(5..9), ends[2]), Some(ends[4]));
        // It does not begin there, so an earlier log had it.
        assert_eq!(extent(&of(3..5), 0), None);
        assert_eq!(extent(&HashSet::new(), 0), None);
    }
}
