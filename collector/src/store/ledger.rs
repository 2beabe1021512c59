//! What the writer says it has stored: the newest batches one by one, and the sum of all since the
//! process started. The audit holds this against the tables.
//!
//! Knows no ClickHouse: it is told what went in and repeats it.

use super::batch::Batch;
use crate::ingest::record::Seal;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use tokio::sync::{Mutex as Turn, MutexGuard as TurnGuard, watch};

/// Batches remembered one by one.
pub const BATCHES_MAX: usize = 1_000;

/// One batch that is in every table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its number and its stretch of the log.
    pub seal: Seal,
    /// When its first row was received, Unix ms.
    pub received_ms: i64,
    /// Rows in `events`.
    pub events: u64,
    /// Rows in `dead_letters`.
    pub dead_letters: u64,
    /// Whether ClickHouse refused it for good: no table has anything of it.
    pub refused: bool,
    /// Its events when it was refused for good.
    pub quarantined: u64,
}

/// What is known at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The newest batch that all tables have, and where in the log it ends.
    pub newest: Seal,
    /// Rows in `events` of all batches since the process started.
    pub events: u64,
    /// Events of batches that were refused for good, since the process started.
    pub quarantined: u64,
    /// The newest batches, oldest first.
    pub recent: Vec<Entry>,
    /// Batches sealed, or about to be, that not all tables have.
    pub sealed: Vec<Seal>,
}

/// The ledger. One writes, anybody reads.
#[derive(Debug, Default)]
pub struct Ledger {
    inner: Mutex<Inner>,
    to: watch::Sender<u64>,
    /// Where in the log the newest batch ends that the checkpoint on disk knows to be in all tables.
    kept: watch::Sender<u64>,
    /// Whose turn it is to change the tables: a batch is put into all of them in one turn.
    tables: Turn<()>,
    erasing: Mutex<Erasing>,
}

/// Whether rows are being erased, so that tables and live numbers need not agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erasing {
    /// Whether they are.
    pub now: bool,
    /// Counts beginnings and ends.
    pub turns: u64,
}

#[derive(Debug, Default)]
struct Inner {
    newest: Seal,
    events: u64,
    quarantined: u64,
    recent: VecDeque<Entry>,
    sealed: Vec<Seal>,
}

impl Ledger {
    /// Begins after a batch that all tables have, with those sealed after it.
    pub fn begin(&self, checkpoint: Seal, sealed: &[Seal]) {
        let mut inner = self.lock();
        inner.newest = checkpoint;
        inner.sealed = sealed.to_vec();
        drop(inner);
        self.to.send_replace(checkpoint.to);
        self.kept.send_replace(checkpoint.to);
    }

    /// The turn to change the tables; the writer's, batch by batch, unless something else has it.
    pub async fn tables(&self) -> TurnGuard<'_, ()> {
        self.tables.lock().await
    }

    /// The checkpoint on disk knows that all tables have everything before a position of the log.
    pub fn kept(&self, to: u64) {
        self.kept.send_replace(to);
    }

    /// Waits until the checkpoint on disk knows that all tables have everything before a position.
    pub async fn keeps(&self, to: u64) {
        // It cannot be closed: the sender is here.
        let _ = self.kept.subscribe().wait_for(|kept| *kept >= to).await;
    }

    /// Says that rows are being erased, or that it is done.
    pub fn set_erasing(&self, now: bool) {
        let mut erasing = self.erasing_lock();
        erasing.turns += 1;
        erasing.now = now;
    }

    /// Whether rows are being erased.
    pub fn erasing(&self) -> Erasing {
        *self.erasing_lock()
    }

    fn erasing_lock(&self) -> MutexGuard<'_, Erasing> {
        self.erasing
            .lock()
            .unwrap_or_else(|error| error.into_inner())
    }

    /// A batch is about to be sealed: from here on it holds this and nothing else.
    pub fn sealing(&self, seal: Seal) {
        self.lock().sealed.push(seal);
    }

    /// A batch was refused for good and is kept apart: as far as the tables go it is done.
    pub fn refused(&self, entry: Entry) {
        self.lock().quarantined += entry.events;
        self.stored(Entry {
            events: 0,
            dead_letters: 0,
            refused: true,
            quarantined: entry.events,
            ..entry
        });
    }

    /// A batch is in all tables.
    pub fn stored(&self, entry: Entry) {
        let mut inner = self.lock();
        inner.newest = entry.seal;
        inner.events += entry.events;
        inner.sealed.retain(|seal| seal.batch > entry.seal.batch);
        if inner.recent.len() == BATCHES_MAX {
            inner.recent.pop_front();
        }
        inner.recent.push_back(entry);
        drop(inner);
        self.to.send_replace(entry.seal.to);
    }

    /// A stretch of the log up to a position holds no rows.
    pub fn passed(&self, to: u64) {
        self.lock().newest.to = to;
        self.to.send_replace(to);
    }

    /// Waits until everything before a position of the log is in all tables.
    pub async fn reaches(&self, position: u64) {
        // It cannot be closed: the sender is here.
        let _ = self.to.subscribe().wait_for(|to| *to >= position).await;
    }

    /// What it says now.
    pub fn page(&self) -> Page {
        let inner = self.lock();
        Page {
            newest: inner.newest,
            events: inner.events,
            quarantined: inner.quarantined,
            recent: inner.recent.iter().copied().collect(),
            sealed: inner.sealed.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|error| error.into_inner())
    }
}

impl Page {
    /// The first row after so many events since the checkpoint: batch and place in it; none when it is
    /// too long ago. Rows are in log order, so it is found by adding up batches; the log itself may be
    /// gone by now.
    pub fn place(&self, taken: u64) -> Option<(u64, u64)> {
        let mut after = self.events + self.quarantined;
        for entry in self.recent.iter().rev() {
            let before = after.saturating_sub(entry.events + entry.quarantined);
            if taken >= after {
                return Some((entry.seal.batch + 1, 0));
            }
            if taken > before {
                return Some((entry.seal.batch, taken - before));
            }
            after = before;
        }
        // Nothing was stored since; or all that was, was stored after.
        let first = self.recent.first().map(|entry| entry.seal.batch);
        (taken >= after).then_some((first.unwrap_or(self.newest.batch + 1), 0))
    }
}

impl Entry {
    /// The entry of a batch that is about to go in.
    pub fn of(seal: Seal, batch: &Batch) -> Self {
        Self {
            seal,
            received_ms: batch.received().map_or(0, |(from, _)| from),
            events: batch.events.len() as u64,
            dead_letters: batch.dead_letters.len() as u64,
            refused: false,
            quarantined: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(first: u64, events: &[u64], sum: u64) -> Page {
        let entry = |(batch, events): (u64, &u64)| Entry {
            seal: Seal {
                batch,
                ..Seal::default()
            },
            events: *events,
            ..Entry::default()
        };
        let recent: Vec<_> = (first..).zip(events).map(entry).collect();
        Page {
            newest: recent.last().map_or(Seal::default(), |entry| entry.seal),
            events: sum,
            recent,
            ..Page::default()
        }
    }

    #[test]
    fn a_place_is_found_by_adding_up_batches() {
        let full = page(5, &[10, 0, 3], 13);
        assert_eq!(full.place(13), Some((8, 0)));
        assert_eq!(full.place(12), Some((7, 2)));
        assert_eq!(full.place(10), Some((7, 0)));
        assert_eq!(full.place(1), Some((5, 1)));
        assert_eq!(full.place(0), Some((5, 0)));
        // Nothing stored since the start.
        assert_eq!(page(5, &[], 0).place(0), Some((1, 0)));
        // One that was refused has no rows, but its events were taken.
        let mut refused = page(5, &[10, 0, 3], 13);
        refused.quarantined = 4;
        refused.recent[1].quarantined = 4;
        assert_eq!(refused.place(17), Some((8, 0)));
        assert_eq!(refused.place(15), Some((7, 1)));
        assert_eq!(refused.place(9), Some((5, 9)));
        // The batch of the place is no longer remembered.
        assert_eq!(page(5, &[10], 50).place(30), None);
    }

    #[test]
    fn old_batches_leave_the_list_and_stay_in_the_sum() {
        let ledger = Ledger::default();
        for batch in 1..=BATCHES_MAX as u64 + 5 {
            let seal = Seal {
                batch,
                from: batch * 10,
                to: batch * 10 + 10,
            };
            let entry = Entry {
                seal,
                events: 2,
                ..Entry::default()
            };
            ledger.stored(entry);
        }
        let page = ledger.page();
        assert_eq!(page.recent.len(), BATCHES_MAX);
        assert_eq!(page.recent[0].seal.batch, 6);
        assert_eq!(page.events, 2 * (BATCHES_MAX as u64 + 5));
        assert_eq!(page.newest.batch, BATCHES_MAX as u64 + 5);
        ledger.passed(99_999);
        assert_eq!(ledger.page().newest.to, 99_999);
    }
}
