//! The collector's own way from a batch's bytes to a live number, in this process: decoding, checks,
//! deduplication, the log's sequencing, rows, engine. Only the disk is left out.

use super::faults::Fault;
use super::numbers::{NARROWED, Numbers, Place, board_key, heat_key};
use super::walk::Send;
use super::world::World;
use anyhow::{Context, Result, ensure};
use futures_util::future::join_all;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::mpsc;
use upriver_collector::ingest::erased::{Erased, Namer};
use upriver_collector::ingest::record::{Agent, BatchRecord};
use upriver_collector::ingest::{Arrival, Committed, Ingest, Quota, imported, recovery, rows};
use upriver_collector::live::limits::Bounds;
use upriver_collector::live::{Engine, Filter, Naming, Query, Resource};
use upriver_collector::log::Options;
use upriver_collector::log::storage::{Storage, StorageFile};
use upriver_collector::row::EventRow;
use upriver_wire::envelope;

/// Batches that wait for the sequencer at a time. Each may become a group of its own, and ingest
/// holds 256 groups for the live engine; past that it would wait for us while we wait for it.
const WAITING_MAX: usize = 200;
/// Bytes after which the log begins a new segment; nothing reads them here.
const SEGMENT_BYTES: u64 = 1 << 40;

/// A pipeline with one site.
pub(super) struct Pipeline {
    ingest: Option<Ingest>,
    feed: mpsc::Receiver<Committed>,
    sequencer: Option<JoinHandle<()>>,
    /// The live engine.
    pub engine: Engine,
    site: Arc<str>,
    queries: Vec<(Place, Query)>,
    fault: Option<Fault>,
    /// Highest number seen of each stream, for [`Fault::LateLost`].
    highest: std::collections::HashMap<u128, u64>,
}

/// Nothing is imported here.
fn nothing_known() -> imported::Known {
    Box::new(|keys| Ok(vec![false; keys.len()]))
}

/// Nor erased.
fn nobody_erased() -> Erased {
    Erased::new(Namer::new(b"oracle"), [])
}

impl Pipeline {
    /// Starts one at a time in Unix milliseconds.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub(super) fn start(world: &World, now_ms: u64, fault: Option<Fault>) -> Result<Self> {
        let remembered = recovery::Remembered::default();
        let recovered = recovery::recover(Nowhere, Options::new(SEGMENT_BYTES), remembered)?;
        let quota = Quota {
            soft: u64::MAX,
            hard: u64::MAX,
        };
        let (ingest, feed, sequencer) =
            upriver_collector::ingest::start(recovered, quota, nothing_known(), nobody_erased())?;
        let mut engine = Engine::new(std::slice::from_ref(&world.site), Bounds::default(), now_ms);
        engine.history_complete();
        Ok(Self {
            ingest: Some(ingest),
            feed,
            sequencer: Some(sequencer),
            engine,
            site: world.site.id.as_str().into(),
            queries: queries(world),
            fault,
            highest: Default::default(),
        })
    }

    /// Takes batches, each with its time of receipt, and returns the rows they became.
    ///
    /// # Errors
    /// One was refused.
    pub(super) async fn take(&mut self, sends: &[(&Send, u64)]) -> Result<Vec<EventRow>> {
        let mut all = Vec::new();
        for sends in sends.chunks(WAITING_MAX) {
            let ingest = self.ingest.as_ref().context("stopped")?;
            let accepting = sends.iter().map(async |(send, received_ms)| {
                // The page's clock when it sent this: the skew is what it is wrong by.
                let sent_ms = received_ms.saturating_add_signed(-send.tab.skew_ms);
                let bytes = envelope::encode(&send.batch(), sent_ms);
                let (batch, sent_ms) = envelope::decode(&bytes).map_err(|e| e.to_string())?;
                ingest
                    .accept(
                        &self.site,
                        batch,
                        Arrival {
                            sent_at_ms: sent_ms,
                            received_ms: *received_ms,
                            size: bytes.len(),
                            agent: Agent {
                                robot: send.tab.robot,
                                ..Agent::default()
                            },
                            ..Arrival::default()
                        },
                    )
                    .await
                    .map_err(|error| error.to_string())
            });
            for accepted in join_all(accepting).await {
                accepted.map_err(anyhow::Error::msg)?;
            }
            while let Ok(group) = self.feed.try_recv() {
                let rows: Vec<_> = group
                    .records
                    .iter()
                    .flat_map(|record| self.rows(record))
                    .collect();
                self.engine.apply(&rows);
                all.extend(rows);
            }
        }
        if let Some((_, received_ms)) = sends.last() {
            self.engine.advance(*received_ms);
        }
        Ok(all)
    }

    /// The rows of a record, with the fault that was planted.
    fn rows(&mut self, record: &BatchRecord) -> Vec<EventRow> {
        match self.fault {
            Some(Fault::DedupOff) => {
                let mut record = record.clone();
                record.accepted = vec![(0, record.batch.events.len() as u16)];
                rows::event_rows(&record)
            }
            Some(Fault::LateLost) => {
                let high = self.highest.entry(record.batch.stream.0).or_default();
                let mut rows = rows::event_rows(record);
                rows.retain(|row| row.seq >= *high);
                *high = (*high).max(record.batch.first_seq + record.batch.events.len() as u64);
                rows
            }
            _ => rows::event_rows(record),
        }
    }

    /// The live answers, each with its place.
    ///
    /// # Errors
    /// The engine does not know the site.
    pub(super) fn answers(&self) -> Result<Vec<(Place, Resource)>> {
        let mut answers = Vec::new();
        for (place, query) in &self.queries {
            let answer = self.engine.answer(&self.site, query).context("no answer")?;
            answers.push((place.clone(), answer));
        }
        Ok(answers)
    }

    /// The live numbers.
    ///
    /// # Errors
    /// As [`Pipeline::answers`].
    pub(super) fn numbers(&self) -> Result<Numbers> {
        let mut numbers = Numbers::default();
        for (place, answer) in &self.answers()? {
            numbers.take(place, answer);
        }
        Ok(numbers)
    }

    /// Stops its thread.
    ///
    /// # Errors
    /// The thread had panicked.
    pub(super) fn stop(mut self) -> Result<()> {
        self.ingest = None;
        self.feed.close();
        let ended = self.sequencer.take().map(JoinHandle::join);
        ensure!(!matches!(ended, Some(Err(_))), "the sequencer panicked");
        Ok(())
    }
}

/// Everything that is compared, each with its place.
pub(super) fn queries(world: &World) -> Vec<(Place, Query)> {
    let heat_maps = world.heat_maps.iter().enumerate();
    let heat_maps = heat_maps.map(|(place, (kind, filter))| {
        let key = heat_key(place, filter.window);
        (key, Query::HeatMap(*kind, filter.clone()))
    });
    let funnels = world.site.funnels.iter();
    let funnels = funnels.map(|funnel| Query::Funnel(funnel.id.clone(), Filter::default()));
    let narrowed = world.site.funnels.iter().zip(&world.narrowed);
    let narrowed = narrowed.flat_map(|(funnel, (filter, step, state))| {
        let (id, filter) = (funnel.id.clone(), filter.clone());
        let list = Query::FunnelVisitors(id.clone(), filter.clone(), *step, *state);
        [Query::Funnel(id, filter), list].map(|query| (NARROWED.to_owned(), query))
    });
    let boards = world.boards.iter().enumerate();
    let boards =
        boards.map(|(place, (filter, by))| (board_key(place), Query::Board(filter.clone(), *by)));
    let feeds = world.feeds.iter().enumerate();
    let feeds = feeds.map(|(place, wanted)| {
        (
            format!("{place}/"),
            Query::Activity(wanted.clone(), Naming::Named),
        )
    });
    let others = funnels.chain([
        Query::Overview,
        Query::Campaigns,
        Query::Experiments,
        Query::Sources,
        Query::Errors,
        Query::Presence,
        Query::Present,
        Query::Releases(world.release_minutes, None),
        Query::Pages,
    ]);
    heat_maps
        .chain(boards)
        .chain(narrowed)
        .chain(feeds)
        .chain(others.map(|query| (Place::new(), query)))
        .collect()
}

/// What SQL alone answers, each with its place.
pub(super) fn beyond(world: &World) -> Vec<(Place, Query)> {
    let maps = world.beyond.iter().enumerate();
    let maps = maps.map(|(place, (kind, filter))| {
        let key = heat_key(place, filter.window);
        (key, Query::HeatMap(*kind, filter.clone()))
    });
    let boards = world.boards_beyond.iter().enumerate();
    let boards =
        boards.map(|(place, (filter, by))| (board_key(place), Query::Board(filter.clone(), *by)));
    let releases = Query::Releases(world.release_minutes, Some(world.releases_beyond));
    maps.chain(boards)
        .chain([(Place::new(), releases)])
        .collect()
}

/// A disk that keeps nothing: what survives a crash is not what is compared here.
struct Nowhere;

/// A file of it: only its length is known.
struct Length(u64);

impl Storage for Nowhere {
    type File = Length;

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }
    fn create(&self, _: &str) -> io::Result<Length> {
        Ok(Length(0))
    }
    fn open(&self, _: &str) -> io::Result<Length> {
        Ok(Length(0))
    }
    fn read(&self, _: &str, _: u64, _: usize) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }
    fn len(&self, _: &str) -> io::Result<u64> {
        Ok(0)
    }
    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        Ok(())
    }
    fn remove(&self, _: &str) -> io::Result<()> {
        Ok(())
    }
    fn sync_dir(&self) -> io::Result<()> {
        Ok(())
    }
}

impl StorageFile for Length {
    fn reserve(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.0 = len;
        Ok(())
    }
}
