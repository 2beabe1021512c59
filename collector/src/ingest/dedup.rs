//! Which events were taken already. Pure: told the time, asked by one thread.
//!
//! The identity of an event is (site, stream, seq). Per stream the taken numbers are kept as
//! ranges: one range for a stream that arrives in order, a few more while something is missing.
//!
//! Everything here is bounded, and what a bound makes unknowable is answered as too old to tell,
//! never guessed: neither counted a second time nor called a duplicate.

use super::rows::FUTURE_MS_MAX;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use upriver_wire::StreamId;

/// Ranges kept per stream. Past it the oldest gap is closed: what was missing in it is too old to
/// tell from what was taken.
pub const RANGES_MAX: usize = 64;
/// Streams remembered at once. Past it the ones heard from longest ago are forgotten.
pub const STREAMS_MAX: usize = 1_000_000;
/// Ranges remembered of all streams together: 64 MiB. Past it streams are forgotten too.
pub const RANGES_ALL_MAX: usize = 4_000_000;
/// How long a silent stream is remembered: as long as its events may come again, and be taken.
pub const HORIZON_MS: u64 = 48 * 3600 * 1000 + FUTURE_MS_MAX;

/// A stream of one site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamKey {
    /// Hash of the site's id: two sites never share a stream, even if a client says so.
    pub site: u64,
    /// The stream.
    pub stream: u128,
}

impl StreamKey {
    /// Names a stream of a site.
    pub fn new(site: &str, stream: StreamId) -> Self {
        Self {
            site: upriver_wire::ElementId::of(site).0,
            stream: stream.0,
        }
    }
}

/// What is remembered of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// Taken numbers, as disjoint ranges that do not touch, ascending.
    taken: Vec<(u64, u64)>,
    /// Time and number within it given to the event with the highest number.
    pub last: Option<(u64, u16)>,
    /// When it was last heard from, Unix ms.
    pub heard_ms: u64,
    /// Of numbers below this one nobody knows any more which were taken.
    closed: u64,
    /// Of events that happened before this nobody knows whether they were taken, because the stream
    /// may have been forgotten once, Unix ms.
    known_from_ms: u64,
}

impl Stream {
    /// The parts of `numbers` that were not taken yet, ascending.
    pub fn missing(&self, numbers: Range<u64>) -> Vec<Range<u64>> {
        let mut missing = Vec::new();
        let mut from = numbers.start;
        for &(start, end) in &self.taken {
            if end <= from {
                continue;
            }
            if start >= numbers.end {
                break;
            }
            if start > from {
                missing.push(from..start);
            }
            from = end;
        }
        if from < numbers.end {
            missing.push(from..numbers.end);
        }
        missing
    }

    /// Takes numbers. Returns how many were closed off as never to come.
    pub fn take(&mut self, numbers: Range<u64>) -> u64 {
        if numbers.is_empty() {
            return 0;
        }
        let (mut start, mut end) = (numbers.start, numbers.end);
        self.taken.retain(|&(s, e)| {
            let touches = s <= end && e >= start;
            if touches {
                (start, end) = (start.min(s), end.max(e));
            }
            !touches
        });
        let place = self.taken.partition_point(|&(s, _)| s < start);
        self.taken.insert(place, (start, end));
        if self.taken.len() <= RANGES_MAX {
            return 0;
        }
        let oldest = self.taken.remove(0);
        let closed = self.taken[0].0 - oldest.1;
        self.closed = self.taken[0].0;
        self.taken[0].0 = oldest.0;
        closed
    }

    /// Whether a number lies where a gap was closed: it may have been taken, or not.
    pub fn is_unknowable(&self, number: u64) -> bool {
        number < self.closed
    }

    /// Notes time and number of the last event of a batch at the end of the stream. The same batch
    /// may come again, without what it continued: that must not take the order back.
    pub fn ends_with(&mut self, time_ms: u64, number: u16) {
        self.last = self.last.max(Some((time_ms, number)));
    }

    /// One past the highest number taken; 0 when there is none.
    pub fn high(&self) -> u64 {
        self.taken.last().map_or(0, |&(_, end)| end)
    }
}

/// All streams.
#[derive(Debug)]
pub struct Dedup {
    streams: HashMap<StreamKey, Stream>,
    changed: HashSet<StreamKey>,
    forgotten: Vec<StreamKey>,
    /// Ranges of all streams together.
    ranges: usize,
    /// Streams last heard from at or before this were forgotten for want of room, Unix ms.
    forgotten_until_ms: u64,
    bounds: Bounds,
}

/// How much is remembered.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    streams: usize,
    ranges: usize,
}

impl Default for Dedup {
    fn default() -> Self {
        Self::new(Bounds {
            streams: STREAMS_MAX,
            ranges: RANGES_ALL_MAX,
        })
    }
}

impl Dedup {
    fn new(bounds: Bounds) -> Self {
        Self {
            streams: HashMap::new(),
            changed: HashSet::new(),
            forgotten: Vec::new(),
            ranges: 0,
            forgotten_until_ms: 0,
            bounds,
        }
    }

    /// What is remembered of a stream, if it is known.
    pub fn get(&self, key: StreamKey) -> Option<&Stream> {
        self.streams.get(&key)
    }

    /// The stream, made if it is new; it counts as changed from here on.
    pub fn stream(&mut self, key: StreamKey, now_ms: u64) -> &mut Stream {
        self.changed.insert(key);
        let known_from_ms = self.known_from_ms();
        let stream = self.streams.entry(key).or_insert_with(|| Stream {
            known_from_ms,
            ..Stream::default()
        });
        stream.heard_ms = stream.heard_ms.max(now_ms);
        stream
    }

    /// Takes numbers of a stream. Returns how many were closed off as too old to tell.
    pub fn take(&mut self, key: StreamKey, now_ms: u64, numbers: Range<u64>) -> u64 {
        let stream = self.stream(key, now_ms);
        let before = stream.taken.len();
        let closed = stream.take(numbers);
        let after = stream.taken.len();
        self.ranges = self.ranges + after - before;
        closed
    }

    /// From which time on it is known of a stream's events whether they were taken, Unix ms.
    pub fn oldest_known_ms(&self, key: StreamKey) -> u64 {
        let stream = self.streams.get(&key);
        stream.map_or(self.known_from_ms(), |stream| stream.known_from_ms)
    }

    /// The same for a stream that nobody remembers.
    fn known_from_ms(&self) -> u64 {
        match self.forgotten_until_ms {
            0 => 0,
            // An event is taken at most so long before it happens.
            until => until.saturating_add(FUTURE_MS_MAX + 1),
        }
    }

    /// Streams remembered.
    pub fn len(&self) -> usize {
        self.streams.len()
    }

    /// Whether no stream is remembered.
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Ranges remembered of all streams together.
    pub fn ranges(&self) -> usize {
        self.ranges
    }

    /// Up to when streams were forgotten for want of room, Unix ms; 0 when none was.
    pub fn forgotten_until_ms(&self) -> u64 {
        self.forgotten_until_ms
    }

    /// Puts back up to when streams were forgotten for want of room.
    pub fn restore_forgotten(&mut self, until_ms: u64) {
        self.forgotten_until_ms = self.forgotten_until_ms.max(until_ms);
    }

    /// Puts a stream back to what it was; `None` when it was not known.
    pub fn restore(&mut self, key: StreamKey, stream: Option<Stream>) {
        let now = stream.as_ref().map_or(0, |stream| stream.taken.len());
        let before = match stream {
            Some(stream) => self.streams.insert(key, stream),
            None => self.streams.remove(&key),
        };
        self.ranges = self.ranges + now - before.map_or(0, |stream| stream.taken.len());
    }

    /// The streams that changed since the last call, to be remembered on disk, and those that were
    /// forgotten.
    pub fn drain_changed(&mut self) -> (Vec<(StreamKey, Stream)>, Vec<StreamKey>) {
        let changed = std::mem::take(&mut self.changed);
        let changed = changed
            .into_iter()
            .filter_map(|key| self.streams.get(&key).map(|stream| (key, stream.clone())))
            .collect();
        (changed, std::mem::take(&mut self.forgotten))
    }

    /// Forgets streams that were silent past the horizon. Returns how many.
    pub fn forget_silent(&mut self, now_ms: u64) -> usize {
        self.forget(now_ms.saturating_sub(HORIZON_MS))
    }

    /// Forgets the streams heard from longest ago when there are too many. Returns how many.
    pub fn make_room(&mut self) -> usize {
        let Bounds { streams, ranges } = self.bounds;
        if self.streams.len() <= streams && self.ranges <= ranges {
            return 0;
        }
        let mut heard: Vec<u64> = self.streams.values().map(|s| s.heard_ms).collect();
        // Makes room for a tenth, so that this is rare.
        let excess = self.streams.len() - self.streams.len().min(streams) * 9 / 10;
        let place = excess.min(heard.len()).saturating_sub(1);
        let (_, cut, _) = heard.select_nth_unstable(place);
        let cut = *cut;
        self.forgotten_until_ms = self.forgotten_until_ms.max(cut);
        self.forget(cut.saturating_add(1))
    }

    /// Forgets every stream last heard from before a time.
    fn forget(&mut self, before_ms: u64) -> usize {
        let old = |stream: &Stream| stream.heard_ms < before_ms;
        let mut count = 0;
        let (forgotten, ranges) = (&mut self.forgotten, &mut self.ranges);
        self.streams.retain(|key, stream| {
            if old(stream) {
                count += 1;
                *ranges -= stream.taken.len();
                // Those that do not fit stay on disk, and are forgotten again after a restart.
                if forgotten.len() < STREAMS_MAX {
                    forgotten.push(*key);
                }
            }
            !old(stream)
        });
        self.changed.retain(|key| self.streams.contains_key(key));
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_last_batch_that_comes_again_does_not_take_the_order_back() {
        let mut stream = Stream::default();
        stream.ends_with(1_000, 3);
        stream.ends_with(1_000, 0);
        assert_eq!(stream.last, Some((1_000, 3)));
        stream.ends_with(1_001, 0);
        assert_eq!(stream.last, Some((1_001, 0)));
    }

    proptest! {
        /// Against a plain set: nothing is missed, nothing is taken twice.
        #[test]
        fn ranges_equal_a_set(batches in prop::collection::vec((0u64..200, 0u64..20), 1..60)) {
            let (mut stream, mut model) = (Stream::default(), BTreeSet::new());
            for (start, length) in batches {
                let numbers = start..start + length;
                let missing: Vec<u64> = stream.missing(numbers.clone()).into_iter().flatten().collect();
                let wanted: Vec<u64> = numbers.clone().filter(|n| !model.contains(n)).collect();
                prop_assert_eq!(missing, wanted);
                prop_assert_eq!(stream.take(numbers.clone()), 0);
                model.extend(numbers);
                prop_assert_eq!(stream.high(), model.last().map_or(0, |n| n + 1));
            }
        }
    }

    #[test]
    fn the_oldest_gap_is_closed_past_the_bound() {
        let mut stream = Stream::default();
        for n in 0..RANGES_MAX as u64 {
            assert_eq!(stream.take(n * 10..n * 10 + 1), 0);
        }
        assert_eq!(stream.take(10_000..10_001), 9);
        assert!(stream.missing(0..11).is_empty());
        assert_eq!(stream.missing(11..12), vec![11..12]);
    }

    #[test]
    fn what_came_too_late_for_a_closed_gap_cannot_be_told() {
        let mut stream = Stream::default();
        for n in 0..=RANGES_MAX as u64 {
            stream.take(n * 10..n * 10 + 1);
        }
        assert!(stream.is_unknowable(0) && stream.is_unknowable(9));
        assert!(!stream.is_unknowable(10) && !stream.is_unknowable(11));
    }

    fn key(stream: u128) -> StreamKey {
        StreamKey { site: 1, stream }
    }

    #[test]
    fn silent_streams_are_forgotten_after_the_horizon() {
        let mut dedup = Dedup::default();
        dedup.take(key(1), 1_000, 0..1);
        dedup.take(key(2), 2_000 + HORIZON_MS, 0..1);
        assert_eq!(dedup.forget_silent(2_000 + HORIZON_MS), 1);
        assert_eq!((dedup.len(), dedup.ranges()), (1, 1));
        assert_eq!(dedup.drain_changed().1, vec![key(1)]);
        // Whatever that stream sent lies before every horizon by now.
        assert_eq!(dedup.oldest_known_ms(key(1)), 0);
    }

    proptest! {
        /// However many streams come, and come back: memory stays within its bounds, and an event
        /// is never taken twice: a stream that was forgotten for want of room says what it no longer
        /// knows.
        #[test]
        fn bounds_hold_and_nothing_is_taken_twice(
            events in prop::collection::vec((0u128..40, 0u64..30), 1..400),
        ) {
            let bounds = Bounds { streams: 10, ranges: 30 };
            let mut dedup = Dedup::new(bounds);
            let mut taken = BTreeSet::new();
            for (now, (stream, number)) in (1_000_000u64..).step_by(60_000).zip(events) {
                // The event of this name happened at one time, whenever it is sent.
                let time = 1_000_000 + 60_000 * (stream as u64 * 7 + number * 13) % 9_000_000;
                if time > now + FUTURE_MS_MAX {
                    continue;
                }
                let key = key(stream);
                let known = time >= dedup.oldest_known_ms(key);
                let new = !dedup.stream(key, now).missing(number..number + 1).is_empty();
                if known && new {
                    dedup.take(key, now, number..number + 1);
                    prop_assert!(taken.insert((stream, number)), "taken twice");
                }
                dedup.make_room();
                prop_assert!(dedup.len() <= bounds.streams && dedup.ranges() <= bounds.ranges);
                let ranges: usize = dedup.streams.values().map(|s| s.taken.len()).sum();
                prop_assert_eq!(dedup.ranges(), ranges);
            }
        }
    }

    #[test]
    fn a_stream_is_put_back_to_what_it_was() {
        let mut dedup = Dedup::default();
        dedup.take(key(1), 5, 0..3);
        let before = dedup.get(key(1)).cloned();
        dedup.take(key(1), 9, 5..7);
        dedup.take(key(2), 9, 0..1);
        dedup.restore(key(1), before.clone());
        dedup.restore(key(2), None);
        assert_eq!(dedup.get(key(1)), before.as_ref());
        assert_eq!((dedup.len(), dedup.ranges()), (1, 1));
    }
}
