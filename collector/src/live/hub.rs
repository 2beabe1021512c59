//! Who listens to what: versions, snapshots, deltas, and subscribers that are too slow.
//!
//! A query that many listen to is computed, compared and serialised once. A subscriber whose queue
//! is full misses messages and, as soon as there is room, gets a snapshot instead: never silence,
//! never more memory. Knows no clock and no transport.

use super::engine::Engine;
use super::limits::{
    RECENT_BYTES_MAX, RECENT_MAX, RECENT_TICKS, SUBSCRIBER_QUEUE_MAX, SUBSCRIBERS_MAX,
    SUBSCRIBERS_PER_SITE_MAX, TOPICS_PER_SITE_MAX,
};
use super::resource::{Change, Message, Query, Resource};
use crate::config::{Experiment, Funnel, Release};
use crate::row::EventRow;
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use upriver_wire::live::Extent;

/// A message to a subscriber, serialised.
#[derive(Clone, Debug)]
pub struct Published {
    /// Version of the resource.
    pub seq: u64,
    /// The same for those who come back: which process it was, and the version.
    pub cursor: Arc<str>,
    /// Everything, or what changed.
    pub extent: Extent,
    /// An `Update` as JSON.
    pub json: Arc<str>,
}

impl Published {
    /// All of a resource that is not counted here: nobody can go on from it, so it is of no process.
    pub(crate) fn snapshot(seq: u64, data: &Resource) -> Self {
        serialise(0, seq, Extent::Snapshot, data)
    }
}

/// Why something asked of the live engine is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LiveError {
    /// No such site.
    #[error("there is no such site")]
    UnknownSite,
    /// The site has no such funnel.
    #[error("the site has no such funnel")]
    UnknownFunnel,
    /// Too many subscribers, of the site or of all. Try again later.
    #[error("there are too many subscribers; try again later")]
    TooManySubscribers,
    /// Too many different queries of the site have subscribers. Try again later.
    #[error("too many different queries of this site have subscribers; try again later")]
    TooManyQueries,
    /// It lies outside of what memory holds; SQL can answer it.
    #[error("it lies outside of what is kept in memory")]
    NotInMemory,
    /// The engine has ended.
    #[error("the live engine has stopped")]
    Stopped,
}

/// One query of one site that someone listens to.
struct Topic {
    revision: u64,
    seq: u64,
    last: Resource,
    /// Start of the range and completeness: when these change, the numbers mean something else.
    epoch: (u64, bool),
    snapshot: Option<Published>,
    subscribers: Vec<Subscriber>,
    /// What was published last, without a gap, for those who come back.
    recent: VecDeque<Published>,
    recent_bytes: usize,
    /// Ticks since it has had no subscriber.
    idle: u32,
    instance: u64,
}

struct Subscriber {
    sender: mpsc::Sender<Published>,
    /// Missed a message: gets a snapshot next.
    behind: bool,
}

/// Engine and subscribers.
pub(crate) struct Hub {
    pub(crate) engine: Engine,
    /// Counts anew what the other counts, to take its place.
    pub(crate) anew: Option<Engine>,
    /// Funnels that were given all of their past meanwhile: site and generation.
    recounted: Vec<(Arc<str>, u64)>,
    topics: HashMap<(Arc<str>, Query), Topic>,
    /// Versions begin here, so that they grow over restarts too.
    first_seq: u64,
}

impl Hub {
    pub(crate) fn new(engine: Engine, first_seq: u64) -> Self {
        Self {
            engine,
            anew: None,
            recounted: Vec::new(),
            topics: HashMap::new(),
            first_seq,
        }
    }

    /// Begins to count anew beside what is counted.
    pub(crate) fn begin_anew(&mut self, now_ms: u64) {
        self.anew = Some(self.engine.emptied(now_ms));
        self.recounted.clear();
    }

    /// Defines a funnel in whatever counts.
    pub(crate) fn define(
        &mut self,
        site: &str,
        id: &str,
        funnel: Option<&Funnel>,
        generation: u64,
    ) {
        for engine in self.engines() {
            engine.define(site, id, funnel, generation);
        }
        self.drop_unknown();
    }

    /// Defines a release in whatever counts.
    pub(crate) fn define_release(&mut self, site: &str, id: &str, release: Option<&Release>) {
        for engine in self.engines() {
            engine.define_release(site, id, release.cloned());
        }
    }

    /// Plans an experiment in whatever counts.
    pub(crate) fn plan(&mut self, site: &str, id: &str, plan: Option<&Experiment>) {
        for engine in self.engines() {
            engine.plan(site, id, plan.cloned());
        }
    }

    /// Tells whatever counts when releases went out. What is told twice changes nothing.
    pub(crate) fn releases_seen(&mut self, seen: &[(String, String, u64)]) {
        for engine in self.engines() {
            engine.releases_seen(seen);
        }
    }

    /// Whatever counts.
    pub(crate) fn engines(&mut self) -> impl Iterator<Item = &mut Engine> {
        std::iter::once(&mut self.engine).chain(&mut self.anew)
    }

    /// Gives a funnel a part of its past; `last`: this was all of it.
    pub(crate) fn recount(
        &mut self,
        site: &Arc<str>,
        generation: u64,
        rows: &[EventRow],
        last: bool,
    ) {
        self.engine.recount(site, generation, rows, last);
        let Some(anew) = &mut self.anew else { return };
        // Its past also comes with everything else that is counted anew: until all of that is there,
        // it must know what it has met.
        anew.recount(site, generation, rows, false);
        if last {
            self.recounted.push((site.clone(), generation));
        }
    }

    /// Puts what was counted anew in the place of the other. Everybody gets a snapshot, and nothing of
    /// what was told before is kept.
    pub(crate) fn replace(&mut self, now_ms: u64) {
        let Some(mut engine) = self.anew.take() else {
            return;
        };
        for (site, generation) in self.recounted.drain(..) {
            engine.recount(&site, generation, &[], true);
        }
        engine.advance(now_ms);
        engine.history_complete();
        engine.continue_after(&self.engine);
        self.engine = engine;
        self.topics.values_mut().for_each(Topic::forget);
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, now_ms: u64) {
        for engine in self.engines() {
            engine.advance(now_ms);
        }
    }

    /// The resource as it is now.
    pub(crate) fn snapshot(
        &mut self,
        site: &Arc<str>,
        query: &Query,
    ) -> Result<Published, LiveError> {
        self.check(site, query)?;
        let key = (site.clone(), query.clone());
        if let Some(topic) = self.topics.get_mut(&key) {
            topic.publish(&self.engine, &key);
            return topic.snapshot(&self.engine, &key);
        }
        Topic::new(&self.engine, &key, self.first_seq)?.snapshot(&self.engine, &key)
    }

    /// Subscribes: a snapshot is in the queue at once, every change follows. Who has what a cursor
    /// stands for gets what changed since, as long as that is remembered.
    pub(crate) fn subscribe(
        &mut self,
        site: &Arc<str>,
        query: &Query,
        after: Option<&str>,
    ) -> Result<mpsc::Receiver<Published>, LiveError> {
        self.check(site, query)?;
        self.drop_closed();
        let key = (site.clone(), query.clone());
        let of_site = || {
            self.topics
                .iter()
                .filter(|((topic_site, _), _)| topic_site == site)
        };
        let count = |topic: &Topic| topic.subscribers.len();
        if self.topics.values().map(count).sum::<usize>() >= SUBSCRIBERS_MAX
            || of_site().map(|(_, topic)| count(topic)).sum::<usize>() >= SUBSCRIBERS_PER_SITE_MAX
        {
            return Err(LiveError::TooManySubscribers);
        }
        if !self.topics.contains_key(&key) {
            if of_site().count() >= TOPICS_PER_SITE_MAX {
                // Those that are only kept for who may come back make room for who is here.
                self.topics.retain(|_, topic| !topic.subscribers.is_empty());
                let left = self
                    .topics
                    .keys()
                    .filter(|(topic_site, _)| topic_site == site);
                if left.count() >= TOPICS_PER_SITE_MAX {
                    return Err(LiveError::TooManyQueries);
                }
            }
            let topic = Topic::new(&self.engine, &key, self.first_seq)?;
            self.topics.insert(key.clone(), topic);
        }
        let topic = self.topics.get_mut(&key).ok_or(LiveError::Stopped)?;
        // Those who are here already get what changed; the new one begins after it.
        topic.publish(&self.engine, &key);
        let missed = after.and_then(|after| topic.since(after));
        let first = match missed {
            Some(missed) => missed,
            None => vec![topic.snapshot(&self.engine, &key)?],
        };
        let (sender, receiver) = mpsc::channel(SUBSCRIBER_QUEUE_MAX);
        // What is remembered of a topic fits into a queue.
        let behind = first
            .into_iter()
            .any(|message| sender.try_send(message).is_err());
        topic.subscribers.push(Subscriber { sender, behind });
        Ok(receiver)
    }

    /// Ends the subscriptions to what is no longer there.
    pub(crate) fn drop_unknown(&mut self) {
        let engine = &self.engine;
        self.topics
            .retain(|(site, query), _| engine.revision(site, query).is_some());
    }

    /// Publishes what changed since the last tick to those who listen.
    pub(crate) fn publish(&mut self) {
        self.drop_closed();
        self.topics.retain(|_, topic| {
            topic.idle = if topic.subscribers.is_empty() {
                topic.idle + 1
            } else {
                0
            };
            topic.idle <= RECENT_TICKS
        });
        for (key, topic) in &mut self.topics {
            topic.publish(&self.engine, key);
            topic.catch_up(&self.engine, key);
        }
    }

    /// Subscribers now.
    pub(crate) fn subscribers(&self) -> usize {
        self.topics
            .values()
            .map(|topic| topic.subscribers.len())
            .sum()
    }

    fn drop_closed(&mut self) {
        for topic in self.topics.values_mut() {
            let subscribers = &mut topic.subscribers;
            subscribers.retain(|subscriber| !subscriber.sender.is_closed());
        }
    }

    fn check(&self, site: &str, query: &Query) -> Result<(), LiveError> {
        let state = self.engine.site(site).ok_or(LiveError::UnknownSite)?;
        state.revision(query).ok_or(LiveError::UnknownFunnel)?;
        if state.holds(query) {
            Ok(())
        } else {
            Err(LiveError::NotInMemory)
        }
    }
}

type Key = (Arc<str>, Query);

impl Topic {
    fn new(engine: &Engine, (site, query): &Key, first_seq: u64) -> Result<Self, LiveError> {
        let revision = engine
            .revision(site, query)
            .ok_or(LiveError::UnknownFunnel)?;
        let (last, complete) = engine.data(site, query).ok_or(LiveError::UnknownFunnel)?;
        Ok(Self {
            revision,
            // A topic publishes at most once a revision, so a later topic of the same query never
            // begins below where an earlier one ended.
            seq: first_seq + revision,
            last,
            epoch: epoch(engine, site, query, complete),
            snapshot: None,
            subscribers: Vec::new(),
            recent: VecDeque::new(),
            recent_bytes: 0,
            idle: 0,
            instance: first_seq,
        })
    }

    /// Sends what changed to everyone who is not behind.
    fn publish(&mut self, engine: &Engine, key: &Key) {
        let (site, query) = key;
        let revision = engine.revision(site, query).unwrap_or(self.revision);
        if revision == self.revision {
            return;
        }
        self.revision = revision;
        let Some((now, complete)) = engine.data(site, query) else {
            return;
        };
        let epoch = epoch(engine, site, query, complete);
        let change = match now.since(&self.last) {
            _ if epoch != self.epoch => Change::Snapshot,
            change => change,
        };
        self.epoch = epoch;
        self.last = now;
        let message = match change {
            Change::None => return,
            Change::Delta(delta) => {
                self.seq += 1;
                self.snapshot = None;
                serialise(self.instance, self.seq, Extent::Delta, &delta)
            }
            Change::Snapshot => {
                self.seq += 1;
                self.snapshot = None;
                let Ok(message) = self.snapshot(engine, key) else {
                    return;
                };
                message
            }
        };
        self.remember(&message);
        for subscriber in self
            .subscribers
            .iter_mut()
            .filter(|subscriber| !subscriber.behind)
        {
            subscriber.send(message.clone());
        }
    }

    /// Forgets what was told; what is told next is a snapshot.
    fn forget(&mut self) {
        self.recent.clear();
        self.recent_bytes = 0;
        self.snapshot = None;
        // No range begins there.
        self.epoch = (u64::MAX, false);
    }

    /// Keeps a message for those who come back; the oldest go when there are too many.
    fn remember(&mut self, message: &Published) {
        // It tells all there is, so nobody needs what was before.
        if message.extent == Extent::Snapshot {
            self.recent.clear();
            self.recent_bytes = 0;
        }
        self.recent_bytes += message.json.len();
        self.recent.push_back(message.clone());
        while self.recent.len() > RECENT_MAX || self.recent_bytes > RECENT_BYTES_MAX {
            let gone = self.recent.pop_front();
            self.recent_bytes -= gone.map_or(0, |gone| gone.json.len());
        }
    }

    /// What was published after a cursor; none when it is of another process, or longer ago than is
    /// remembered.
    fn since(&self, after: &str) -> Option<Vec<Published>> {
        let (instance, seq) = read_cursor(after)?;
        if instance != self.instance || seq > self.seq {
            return None;
        }
        let missed: Vec<_> = self
            .recent
            .iter()
            .filter(|message| message.seq > seq)
            .cloned()
            .collect();
        (missed.len() as u64 == self.seq - seq).then_some(missed)
    }

    /// Sends a snapshot to everyone who is behind and has room.
    fn catch_up(&mut self, engine: &Engine, key: &Key) {
        if self.subscribers.iter().all(|subscriber| !subscriber.behind) {
            return;
        }
        let Ok(snapshot) = self.snapshot(engine, key) else {
            return;
        };
        for subscriber in self
            .subscribers
            .iter_mut()
            .filter(|subscriber| subscriber.behind)
        {
            subscriber.behind = false;
            subscriber.send(snapshot.clone());
        }
    }

    /// All of what was published last.
    fn snapshot(&mut self, engine: &Engine, (site, query): &Key) -> Result<Published, LiveError> {
        if let Some(snapshot) = &self.snapshot {
            return Ok(snapshot.clone());
        }
        let basis = engine
            .basis(site, query, self.epoch.1)
            .ok_or(LiveError::UnknownSite)?;
        let data = self.last.clone().with_basis(basis);
        let snapshot = serialise(self.instance, self.seq, Extent::Snapshot, &data);
        self.snapshot = Some(snapshot.clone());
        Ok(snapshot)
    }
}

impl Subscriber {
    fn send(&mut self, message: Published) {
        if let Err(TrySendError::Full(_)) = self.sender.try_send(message) {
            self.behind = true;
            metrics::counter!("upriver_live_subscriber_overflows").increment(1);
        }
    }
}

/// Presence slides with every millisecond; its numbers mean the same all the time.
fn epoch(engine: &Engine, site: &str, query: &Query, complete: bool) -> (u64, bool) {
    let from_ms = engine.site(site).map_or(0, |site| match query {
        Query::Presence | Query::Present => site.range.start_ms(),
        query => site.start_ms(query),
    });
    (from_ms, complete)
}

/// A version of a process, as a client holds it. Opaque to it.
fn cursor(instance: u64, seq: u64) -> String {
    format!("{instance:x}-{seq:x}")
}

fn read_cursor(text: &str) -> Option<(u64, u64)> {
    let (instance, seq) = text.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some((number(instance)?, number(seq)?))
}

fn serialise(instance: u64, seq: u64, extent: Extent, data: &Resource) -> Published {
    let cursor = cursor(instance, seq);
    // Every key is a string and every number finite, the two things JSON could refuse.
    let json = serde_json::to_string(&Message {
        seq,
        cursor: &cursor,
        extent,
        data,
    })
    .unwrap_or_default();
    Published {
        seq,
        cursor: cursor.into(),
        extent,
        json: json.into(),
    }
}
