//! Learning again what was taken from the tables, when the part of the log that told it was spoilt.
//! Part of the sequencer. Knows no ClickHouse: it is told what the tables have.

use super::dedup::StreamKey;
use super::imported::EventKey;
use super::sequencer::Sequencer;
use crate::log::storage::Storage;
use clickhouse::Row;
use serde::{Deserialize, Serialize};
use upriver_wire::StreamId;
use uuid::Uuid;

/// An event that the tables have, as far as it takes to know it when it comes again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Row, Serialize, Deserialize)]
pub struct Stored {
    /// The site.
    pub site: String,
    /// Its stream.
    #[serde(with = "clickhouse::serde::uuid")]
    pub stream: Uuid,
    /// Its number in it.
    pub seq: u64,
    /// When it happened, Unix ms.
    pub time: i64,
    /// Its order; see [`crate::row::order`].
    pub ord: u64,
    /// When it was received, Unix ms.
    pub received_at: i64,
    /// Whether a server told it.
    pub imported: bool,
}

impl<S: Storage> Sequencer<S> {
    /// Remembers events as taken. The same ones may be told again.
    pub(super) fn learn(&mut self, stored: Vec<Stored>) {
        for event in stored {
            let key = StreamKey::new(&event.site, StreamId(event.stream.as_u128()));
            if event.imported {
                let time_ms = u64::try_from(event.time).unwrap_or(0);
                self.imported
                    .take(EventKey::of_row(key.site, time_ms, event.seq));
                continue;
            }
            let received_ms = u64::try_from(event.received_at).unwrap_or(0);
            self.dedup.take(key, received_ms, event.seq..event.seq + 1);
            let stream = self.dedup.stream(key, received_ms);
            if stream.high() == event.seq + 1 {
                stream.ends_with(event.ord >> 20, (event.ord & 0x3ff) as u16);
            }
        }
        self.dedup.make_room();
    }

    /// Takes batches again.
    pub(super) fn learned(&mut self, events: u64) {
        self.gap = false;
        self.status.relearn(events);
        self.status.set_log_gap(false);
    }
}
