//! The database of an origin as `npm/persist.ts` uses it: writes that were committed outlive their
//! page, and everything else of a page that is gone is gone.
//!
//! Owns the rows and the locks of living pages.

use std::collections::BTreeMap;

/// How long a write takes until it is committed, at most, ms.
pub(crate) const COMMIT_MS_MAX: u64 = 4;
/// As in `persist.ts`.
pub(crate) const ADOPTED_MAX: usize = 16;

/// When it was written by the system's clock, the page, its number.
pub(crate) type Key = (u64, u128, u64);

#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) bytes: Vec<u8>,
    /// How far the clock of its events was ahead of the system's.
    pub(crate) ahead: f64,
    /// How often the system's clock had been set.
    pub(crate) settings: u32,
}

/// What a page asked for.
pub(crate) enum Change {
    Put(Key, Row),
    Delete(Key),
}

/// The rows of all pages.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) rows: BTreeMap<Key, Row>,
    /// Not committed: when it will be, whose it is.
    coming: Vec<(u64, u128, Change)>,
    /// Full, or refused: what is asked for is not done.
    pub(crate) fails: bool,
    /// Pages whose batches somebody sends, and who that is.
    pub(crate) claims: BTreeMap<u128, u128>,
}

impl Store {
    pub(crate) fn ask(&mut self, page: u128, at: u64, change: Change) {
        if !self.fails {
            self.coming.push((at, page, change));
        }
    }

    /// Commits what is due, in the order it was asked for.
    pub(crate) fn settle(&mut self, now: u64) {
        let mut rest = Vec::new();
        for (at, page, change) in self.coming.drain(..) {
            match change {
                _ if at > now => rest.push((at, page, change)),
                Change::Put(key, row) => {
                    self.rows.insert(key, row);
                }
                Change::Delete(key) => {
                    self.rows.remove(&key);
                }
            }
        }
        self.coming = rest;
    }

    /// A page is gone, and with it what it had asked for and is not committed.
    pub(crate) fn gone(&mut self, page: u128) {
        self.coming.retain(|(_, of, _)| *of != page);
        self.claims.retain(|_, by| *by != page);
    }
}
