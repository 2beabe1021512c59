//! One page: its recorder, its clock, what it will hear, and its use of the database, as
//! `npm/core.ts` and `npm/persist.ts` do it.

use crate::store::{ADOPTED_MAX, COMMIT_MS_MAX, Change, Key, Row, Store};
use crate::told;
use std::collections::{BTreeMap, BTreeSet};
use upriver_sdk::driver::Command;
use upriver_sdk::driver::{Input, Names, Recorder};
use upriver_wire::StreamId;
use upriver_wire::batch::{Custom, PageView};

/// What a page will hear.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    Opened,
    Frame(Vec<u8>),
    Closed,
    Posted(u64, u16, f64, Vec<u8>),
    /// The database is open.
    Look,
}

pub(crate) struct Page {
    pub(crate) name: u128,
    pub(crate) recorder: Recorder,
    /// How far its clock is ahead of the true time, for as long as it lives.
    pub(crate) ahead: f64,
    /// When, in which order, on which socket (0: not on one), what.
    pub(crate) coming: Vec<(u64, u64, u64, Told)>,
    /// Which socket is the one that counts.
    pub(crate) socket: u64,
    /// Markers, and when they were made.
    pub(crate) made: Vec<(String, u64)>,
    /// When everything was last cut because the page was hidden.
    pub(crate) left_ms: u64,
    /// The database did not take something of it.
    pub(crate) unkept: bool,
    /// Pages whose batches it took on after the system's clock had been set.
    pub(crate) tainted: BTreeSet<u128>,
    keys: BTreeMap<u64, Key>,
    adopted: usize,
    more: bool,
}

impl Page {
    pub(crate) fn new(name: u128, seed: u64, ahead: f64) -> Self {
        let names = Names {
            stream: StreamId(name),
            seed,
            ..Names::default()
        };
        Self {
            name,
            recorder: Recorder::new(names),
            ahead,
            coming: vec![],
            socket: 0,
            made: vec![],
            left_ms: 0,
            unkept: false,
            tainted: BTreeSet::new(),
            keys: BTreeMap::new(),
            adopted: 0,
            more: false,
        }
    }

    /// The page's clock at a true time.
    pub(crate) fn clock(&self, now: u64) -> f64 {
        now as f64 + self.ahead
    }

    pub(crate) fn step(&mut self, now: u64, input: Input<'_>) -> Vec<Command> {
        self.recorder.step(self.clock(now), input)
    }

    /// When its timer is due.
    pub(crate) fn due(&mut self) -> Option<u64> {
        let due = self.recorder.due_ms();
        let due = (due - self.ahead).ceil().max(0.0);
        due.is_finite().then_some(due as u64)
    }

    /// The page view.
    pub(crate) fn show(&mut self, now: u64) -> Vec<Command> {
        self.step(now, Input::View(told::shown(PageView::default()).view()))
    }

    /// Records an event; what it is called says which it is.
    pub(crate) fn mark(&mut self, now: u64, marker: String) -> Vec<Command> {
        let custom = Custom {
            name: marker.clone(),
            props: vec![],
        };
        self.made.push((marker, now));
        self.step(now, Input::Custom(&told::custom(custom)))
    }

    /// Batches that are not acknowledged.
    pub(crate) fn waiting(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn keep(
        &mut self,
        (now, system_ahead, settings): (u64, f64, u32),
        (number, bytes): (u64, Vec<u8>),
        (store, delay): (&mut Store, u64),
    ) {
        let key = ((now as f64 + system_ahead) as u64, self.name, number);
        let row = Row {
            bytes,
            ahead: self.ahead - system_ahead,
            settings,
        };
        self.unkept |= store.fails;
        self.keys.insert(number, key);
        let at = now + delay.min(COMMIT_MS_MAX);
        store.ask(self.name, at, Change::Put(key, row));
    }

    /// Forgets a batch; whether more are to be looked for.
    pub(crate) fn forget(&mut self, now: u64, number: u64, store: &mut Store) -> bool {
        let Some(key) = self.keys.remove(&number) else {
            return false;
        };
        store.ask(self.name, now, Change::Delete(key));
        if key.1 == self.name {
            return false;
        }
        self.adopted -= 1;
        self.adopted == 0 && self.more
    }

    /// Takes on what pages that are gone have left; how many batches that were.
    pub(crate) fn look(
        &mut self,
        (now, system_ahead, settings): (u64, f64, u32),
        store: &mut Store,
    ) -> u64 {
        store.settle(now);
        self.more = false;
        let mut taken = 0;
        let held: BTreeSet<Key> = self.keys.values().copied().collect();
        for (key, row) in &store.rows {
            let (time, page, number) = *key;
            if page == self.name || held.contains(key) {
                continue;
            }
            if self.adopted >= ADOPTED_MAX {
                self.more = true;
                break;
            }
            if *store.claims.entry(page).or_insert(self.name) != self.name {
                continue;
            }
            self.adopted += 1;
            taken += 1;
            if row.settings != settings {
                self.tainted.insert(page);
            }
            let system = now as f64 + system_ahead;
            let set_back = (time as f64 - system).max(0.0);
            let later = row.ahead - (self.ahead - system_ahead) + set_back;
            let own = self.recorder.adopt(&row.bytes, number, later);
            self.keys.insert(own, *key);
        }
        taken
    }
}
