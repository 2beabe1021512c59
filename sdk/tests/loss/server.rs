//! The collector as far as the recorder can tell: takes batches, counts each event once, answers.
//!
//! Owns what is on its disk. It survives its own restarts; what is on its way does not.

use crate::told;
use std::collections::BTreeMap;
use upriver_wire::answer::{Ack, Answer, Refusal, Refused};
use upriver_wire::envelope::encode_answer;
use upriver_wire::limits::FRAME_BYTES_MAX;
use upriver_wire::{Body, StreamId};

/// What is on disk.
#[derive(Default)]
pub(crate) struct Server {
    events: BTreeMap<(u128, u64), Body>,
    /// Markers and how often each is on disk, under whatever number.
    pub(crate) markers: BTreeMap<String, u32>,
    /// Events that came again and were not counted again.
    pub(crate) repeats: u64,
    /// Batches taken.
    pub(crate) batches: u64,
}

impl Server {
    /// Takes a batch; answers that it is on disk. Each marker is told with its time, corrected by
    /// the clock's difference as it was when this batch was sent, ms.
    pub(crate) fn take(
        &mut self,
        bytes: &[u8],
        now_ms: u64,
        mut timed: impl FnMut(&str, f64),
    ) -> Vec<u8> {
        assert!(
            bytes.len() <= FRAME_BYTES_MAX,
            "{} bytes in one batch",
            bytes.len()
        );
        self.batches += 1;
        let batch = told::read(bytes);
        let (_, sent_at) = upriver_wire::decode(bytes).expect("read a moment ago");
        let skew = now_ms as f64 - sent_at as f64;
        let mut ms = batch.first_ms;
        let mut seq = batch.first_seq;
        for event in batch.events {
            ms += u64::from(event.delta_ms);
            if let Some(marker) = marker(&event.body) {
                timed(marker, ms as f64 + skew);
            }
            let place = (batch.stream.0, seq);
            match self.events.get(&place) {
                Some(before) => {
                    assert_eq!(*before, event.body, "{place:?} came again, but different");
                    self.repeats += 1;
                }
                None => {
                    if let Some(marker) = marker(&event.body) {
                        *self.markers.entry(marker.to_owned()).or_default() += 1;
                    }
                    self.events.insert(place, event.body);
                }
            }
            seq += 1;
        }
        encode_answer(&Answer::Ack(Ack {
            stream: batch.stream,
            first_seq: batch.first_seq,
            next_seq: seq,
            need: vec![],
        }))
    }
}

/// The answer to a batch that is to come again later.
pub(crate) fn later(bytes: &[u8], wait_ms: u32) -> Vec<u8> {
    let batch = told::read(bytes);
    encode_answer(&Answer::Refused(Refused {
        stream: StreamId(batch.stream.0),
        first_seq: batch.first_seq,
        refusal: Refusal::Later,
        retry_after_ms: wait_ms,
        reason: "busy".into(),
    }))
}

/// The markers in a batch.
pub(crate) fn markers(bytes: &[u8]) -> Vec<String> {
    let events = told::read(bytes).events;
    let names = events.iter().filter_map(|event| marker(&event.body));
    names.map(str::to_owned).collect()
}

fn marker(body: &Body) -> Option<&str> {
    match body {
        Body::Custom(custom) => Some(&custom.name),
        _ => None,
    }
}
