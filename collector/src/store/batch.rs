//! One sealed batch: the rows of all tables that a stretch of the log stands for.
//!
//! Pure but for the log it reads: the same stretch gives the same rows, before a crash and after.

use super::rollup::{self, CampaignMinute, HeatRow, PageMinute, SessionRow};
use super::{LANE, StoreError};
use crate::ingest::record::{DeadLetter, Record, Seal};
use crate::ingest::rows;
use crate::log::storage::Storage;
use crate::log::{Position, Reader};
use crate::row::{ElementRow, EventRow, Kind};
use clickhouse::Row;
use serde::{Deserialize, Serialize};

/// Rows of one batch. Past it the batch is cut; one group of the log always fits in addition.
pub const BATCH_ROWS_MAX: usize = 50_000;

/// Row of the table `dead_letters`.
#[derive(Clone, Debug, Default, PartialEq, Row, Serialize, Deserialize)]
pub struct DeadRow {
    /// The site whose key it came with.
    pub site: String,
    /// When it was received, Unix milliseconds.
    pub received_at: i64,
    /// Where it came in.
    pub source: String,
    /// Short name of what was wrong.
    pub code: String,
    /// What was wrong.
    pub reason: String,
    /// Bytes of the whole body.
    pub body_bytes: u64,
    /// Its beginning.
    #[serde(with = "serde_bytes_as_text")]
    pub body: Vec<u8>,
    /// The writer's lane.
    pub lane: u16,
    /// The sealed batch.
    pub batch: u64,
    /// The row's place in it.
    pub idx: u32,
}

/// Row of the table `ingest_log`: one batch.
#[derive(Clone, Debug, Default, PartialEq, Row, Serialize, Deserialize)]
pub struct IngestRow {
    /// The writer's lane.
    pub lane: u16,
    /// The sealed batch.
    pub batch: u64,
    /// Receipt of its first row, Unix milliseconds.
    pub received_from: i64,
    /// Receipt of its last row, Unix milliseconds.
    pub received_to: i64,
    /// Rows in `events`.
    pub events: u64,
    /// Rows in `elements`.
    pub elements: u64,
    /// Rows in `dead_letters`.
    pub dead_letters: u64,
    /// Events by kind, kinds without one left out.
    pub kinds: Vec<(String, u64)>,
    /// Bytes of the log that it was made from.
    pub bytes: u64,
}

/// A ClickHouse `String` holds any bytes; serde's `Vec<u8>` would be an array.
mod serde_bytes_as_text {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        <&[u8]>::deserialize(deserializer).map(<[u8]>::to_vec)
    }
}

/// The rows of one batch.
#[derive(Debug, Default)]
pub struct Batch {
    /// The events.
    pub events: Vec<EventRow>,
    /// The elements described.
    pub elements: Vec<ElementRow>,
    /// Their presses by hour and cell.
    pub heatmap: Vec<HeatRow>,
    /// Their visits.
    pub sessions: Vec<SessionRow>,
    /// Their campaigns by minute.
    pub campaign_minutes: Vec<CampaignMinute>,
    /// Their pages by minute.
    pub page_minutes: Vec<PageMinute>,
    /// What was refused.
    pub dead_letters: Vec<DeadRow>,
    /// The batch itself, once it is sealed and has rows.
    pub ingest_log: Vec<IngestRow>,
}

impl Batch {
    /// Rows, those of the roll-ups left out.
    pub fn rows(&self) -> usize {
        self.events.len() + self.elements.len() + self.dead_letters.len()
    }

    /// When its first and its last row were received, Unix milliseconds. None without rows.
    pub fn received(&self) -> Option<(i64, i64)> {
        let events = self.events.iter().map(|row| row.received_at);
        let elements = self.elements.iter().map(|row| row.received_at);
        let letters = self.dead_letters.iter().map(|row| row.received_at);
        let all = events.chain(elements).chain(letters);
        all.fold(None, |range, at| match range {
            None => Some((at, at)),
            Some((from, to)) => Some((at.min(from), at.max(to))),
        })
    }

    /// Gives every row its place in the batch that a seal names, and computes the roll-ups.
    pub fn sealed(mut self, seal: Seal) -> Self {
        let number = seal.batch;
        for (idx, row) in (0..).zip(&mut self.events) {
            (row.lane, row.batch, row.idx) = (LANE, number, idx);
        }
        for (idx, row) in (0..).zip(&mut self.elements) {
            (row.lane, row.batch, row.idx) = (LANE, number, idx);
        }
        for (idx, row) in (0..).zip(&mut self.dead_letters) {
            (row.lane, row.batch, row.idx) = (LANE, number, idx);
        }
        self.heatmap = rollup::heatmap(&self.events);
        self.sessions = rollup::sessions(&self.events);
        self.campaign_minutes = rollup::campaign_minutes(&self.events);
        self.page_minutes = rollup::page_minutes(&self.events);
        self.ingest_log = self.log_row(seal).into_iter().collect();
        self
    }
}

impl Batch {
    fn log_row(&self, seal: Seal) -> Option<IngestRow> {
        let (received_from, received_to) = self.received()?;
        let mut kinds = [0; Kind::ALL.len()];
        for row in &self.events {
            kinds[row.kind as usize - 1] += 1;
        }
        let kinds = Kind::ALL.iter().zip(kinds).filter(|(_, count)| *count > 0);
        Some(IngestRow {
            lane: LANE,
            batch: seal.batch,
            received_from,
            received_to,
            events: self.events.len() as u64,
            elements: self.elements.len() as u64,
            dead_letters: self.dead_letters.len() as u64,
            kinds: kinds
                .map(|(kind, count)| (kind.name().to_owned(), count))
                .collect(),
            bytes: seal.to - seal.from,
        })
    }
}

/// Reads the batch that a seal names.
///
/// # Errors
/// The log cannot be read.
pub fn read<S: Storage>(reader: &mut Reader<S>, seal: Seal) -> Result<Batch, StoreError> {
    let (batch, _) = collect(reader, seal.from, seal.to, usize::MAX)?;
    Ok(batch.sealed(seal))
}

/// The records that the batch a seal names is made of, group by group.
///
/// # Errors
/// The log cannot be read.
pub fn groups<S: Storage>(
    reader: &mut Reader<S>,
    seal: Seal,
) -> Result<Vec<Vec<Vec<u8>>>, StoreError> {
    let (mut groups, mut position) = (Vec::new(), seal.from);
    while let Some(group) = reader.read(position)? {
        if group.position >= seal.to {
            break;
        }
        position = group.next;
        groups.push(group.records);
    }
    Ok(groups)
}

/// Reads the next batch that begins at `from`, and says where it ends: at `end`, when it is large
/// enough, or where the day of receipt changes. It has no number yet; see [`Batch::sealed`].
///
/// # Errors
/// The log cannot be read.
pub fn cut<S: Storage>(
    reader: &mut Reader<S>,
    from: Position,
    end: Position,
) -> Result<(Batch, Position), StoreError> {
    collect(reader, from, end, BATCH_ROWS_MAX)
}

fn collect<S: Storage>(
    reader: &mut Reader<S>,
    from: Position,
    end: Position,
    rows_max: usize,
) -> Result<(Batch, Position), StoreError> {
    let mut batch = Batch::default();
    let mut position = from;
    let mut received_on = None;
    while position < end && batch.rows() < rows_max {
        let Some(group) = reader.read(position)? else {
            break;
        };
        if group.position >= end {
            break;
        }
        let records: Vec<Record> = group
            .records
            .iter()
            .filter_map(|bytes| Record::decode(bytes).ok())
            .collect();
        // A batch lies in one partition, that is, in one day; a group never straddles two.
        let day = records
            .iter()
            .find_map(received)
            .map(|received| rollup::day(received as i64));
        match (received_on, day) {
            (Some(batch_day), Some(group_day)) if batch_day != group_day => break,
            (None, Some(_)) => received_on = day,
            _ => {}
        }
        for record in records {
            match record {
                Record::Batch(record) => {
                    batch.events.extend(rows::event_rows(&record));
                    batch.elements.extend(rows::element_rows(&record));
                }
                Record::DeadLetter(letter) => batch.dead_letters.push(dead_row(letter)),
                Record::Seal(_) => {}
            }
        }
        position = group.next;
    }
    Ok((batch, position))
}

fn received(record: &Record) -> Option<u64> {
    match record {
        Record::Batch(record) => Some(record.received_ms),
        Record::DeadLetter(letter) => Some(letter.received_ms),
        Record::Seal(_) => None,
    }
}

fn dead_row(letter: DeadLetter) -> DeadRow {
    DeadRow {
        site: letter.site,
        received_at: letter.received_ms as i64,
        source: letter.source,
        code: letter.code,
        reason: letter.reason,
        body_bytes: letter.body_bytes,
        body: letter.body,
        ..DeadRow::default()
    }
}
