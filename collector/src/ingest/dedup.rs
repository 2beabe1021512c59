//! Which events were taken already. Pure: told the time, asked by one thread.
//!
//! The identity of an event is (site, stream, seq). Per stream the taken numbers are kept as
//! ranges: one range for a stream that arrives in order, a few more while something is missing.

use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::ops::Range;
use upriver_wire::StreamId;

/// Ranges kept per stream. Past it the oldest gap is closed: what was missing in it is then treated
/// as taken, because nothing that old is still on its way from a working client.
pub const RANGES_MAX: usize = 64;
/// Streams remembered at once. Past it the ones heard from longest ago are forgotten.
pub const STREAMS_MAX: usize = 1_000_000;
/// How long a silent stream is remembered.
pub const HORIZON_MS: u64 = 48 * 3600 * 1000;

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
        self.taken[0].0 = oldest.0;
        closed
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
#[derive(Debug, Default)]
pub struct Dedup {
    streams: HashMap<StreamKey, Stream>,
    changed: HashMap<StreamKey, ()>,
}

impl Dedup {
    /// The stream, made if it is new; it counts as changed from here on.
    pub fn stream(&mut self, key: StreamKey, now_ms: u64) -> &mut Stream {
        self.changed.insert(key, ());
        let stream = self.streams.entry(key).or_default();
        stream.heard_ms = stream.heard_ms.max(now_ms);
        stream
    }

    /// Streams remembered.
    pub fn len(&self) -> usize {
        self.streams.len()
    }

    /// Whether no stream is remembered.
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Puts back what was remembered.
    pub fn restore(&mut self, key: StreamKey, stream: Stream) {
        self.streams.insert(key, stream);
    }

    /// The streams that changed since the last call, to be remembered on disk.
    pub fn drain_changed(&mut self) -> Vec<(StreamKey, Stream)> {
        let changed = std::mem::take(&mut self.changed);
        changed
            .into_keys()
            .filter_map(|key| self.streams.get(&key).map(|stream| (key, stream.clone())))
            .collect()
    }

    /// Forgets what is past the horizon, or too much. Returns the streams forgotten.
    pub fn forget(&mut self, now_ms: u64) -> Vec<StreamKey> {
        let mut oldest = now_ms.saturating_sub(HORIZON_MS);
        if self.streams.len() > STREAMS_MAX {
            let mut heard: Vec<u64> = self.streams.values().map(|s| s.heard_ms).collect();
            // Makes room for a tenth, so that this is rare.
            let (_, cut, _) = heard.select_nth_unstable(self.streams.len() - STREAMS_MAX * 9 / 10);
            oldest = oldest.max(*cut);
        }
        let forgotten: Vec<StreamKey> = self
            .streams
            .iter()
            .filter(|(_, s)| s.heard_ms < oldest)
            .map(|(key, _)| *key)
            .collect();
        for key in &forgotten {
            self.streams.remove(key);
        }
        forgotten
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
    fn silent_streams_are_forgotten_after_the_horizon() {
        let mut dedup = Dedup::default();
        let (old, new) = (
            StreamKey { site: 1, stream: 1 },
            StreamKey { site: 1, stream: 2 },
        );
        dedup.stream(old, 1_000).take(0..1);
        dedup.stream(new, 2_000 + HORIZON_MS).take(0..1);
        assert_eq!(dedup.forget(2_000 + HORIZON_MS), vec![old]);
        assert_eq!(dedup.len(), 1);
    }
}
