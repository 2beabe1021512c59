//! How much memory reading a hostile message takes, measured at the allocator. A binary of its own
//! with one test, because the measure is of the whole process.

use peak_alloc::PeakAlloc;
use std::fmt::Debug;
use upriver_wire::batch::{Custom, Element, Prop, Value};
use upriver_wire::envelope::{HEADER_BYTES, VERSION, decode_answer};
use upriver_wire::limits::{BODY_DECODED_BYTES_MAX, ELEMENTS_MAX, EVENTS_MAX, PROPS_MAX};
use upriver_wire::{Batch, Body, Event, decode, encode};

#[path = "../it/sample.rs"]
#[allow(dead_code, unreachable_pub)] // shared with the other tests, which use all of it
mod sample;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Heap bytes a message may take while it is read, for each of its own bytes…
const HEAP_BYTES_PER_BYTE_MAX: usize = 32;
/// …and on top of that, whatever its length: the two long lists, filled to their limits with items
/// that carry nothing, twice because a list that grows is there twice while it is moved.
const HEAP_BYTES_MAX: usize =
    2 * (EVENTS_MAX * size_of::<Event>() + ELEMENTS_MAX * size_of::<Element>());

/// Peak of the heap above where it stood, while `work` runs.
fn peak_bytes<T>(work: impl FnOnce() -> T) -> usize {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    drop(work());
    ALLOCATOR.peak_usage().saturating_sub(before)
}

struct Tally {
    messages: usize,
    worst_per_byte: f64,
    worst_bytes: usize,
}

impl Tally {
    fn check<T, E: Debug>(
        &mut self,
        what: &str,
        bytes: &[u8],
        read: impl FnOnce(&[u8]) -> Result<T, E>,
    ) {
        let peak = peak_bytes(|| read(bytes));
        let allowed = HEAP_BYTES_PER_BYTE_MAX * bytes.len() + HEAP_BYTES_MAX;
        assert!(
            peak <= allowed,
            "{what}: {} bytes took {peak} on the heap, allowed {allowed}",
            bytes.len()
        );
        self.messages += 1;
        self.worst_bytes = self.worst_bytes.max(peak);
        self.worst_per_byte = self
            .worst_per_byte
            .max(peak as f64 / bytes.len().max(1) as f64);
    }

    fn check_all(&mut self, what: &str, bytes: &[u8]) {
        self.check(what, bytes, decode);
        self.check(what, bytes, decode_answer);
        self.check(what, bytes, |bytes| serde_json::from_slice::<Batch>(bytes));
    }
}

#[test]
fn reading_takes_memory_in_proportion_to_what_is_read() {
    let mut tally = Tally {
        messages: 0,
        worst_per_byte: 0.0,
        worst_bytes: 0,
    };

    // Each byte of a real message replaced by the largest length a varint can claim.
    let whole = encode(&sample::batch(), 0);
    for at in HEADER_BYTES..whole.len() {
        let mut claims = whole.clone();
        claims.splice(
            at..=at,
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        );
        tally.check_all("a huge length claimed", &claims);
        claims.truncate(at + 9);
        tally.check_all("a huge length claimed, then nothing", &claims);
        tally.check_all("cut", &whole[..at]);
    }

    // A length that the bytes behind it could just about hold, and then nothing of the kind.
    let mut head = encode(
        &Batch {
            events: vec![],
            ..sample::batch()
        },
        0,
    );
    assert_eq!(
        head.pop(),
        Some(0),
        "a batch ends with the number of its events"
    );
    for claimed in [100_u32, 1_000, 10_000, 65_536, 1_000_000] {
        let mut claims = head.clone();
        let seven_bits = |place| (claimed >> (7 * place)) as u8 | 0x80;
        claims.extend([seven_bits(0), seven_bits(1), (claimed >> 14) as u8]);
        claims.resize(claims.len() + claimed as usize, 0xff);
        tally.check_all("a length claimed and not kept", &claims);
    }

    // The most memory a byte can buy: lists at their limits, full of items that carry nothing.
    let nothing = Event {
        delta_ms: 0,
        body: Body::Custom(Custom::default()),
    };
    let small = Prop {
        name: String::new(),
        value: Value::Flag(false),
    };
    let full = Custom {
        name: String::new(),
        props: vec![small; PROPS_MAX],
    };
    let full = Event {
        delta_ms: 0,
        body: Body::Custom(full),
    };
    for (what, event) in [
        ("empty events", nothing),
        ("events of empty properties", full),
    ] {
        for count in [EVENTS_MAX, EVENTS_MAX + 1, 4 * EVENTS_MAX] {
            let batch = Batch {
                elements: vec![Element::default(); ELEMENTS_MAX],
                events: vec![event.clone(); count],
                ..Batch::default()
            };
            tally.check_all(what, &encode(&batch, 0));
            tally.check_all(what, &serde_json::to_vec(&batch).expect("JSON"));
        }
    }

    // Bytes without a plan, of every length up to what an HTTP body may hold.
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    for length in [1, 8, 64, 300, 4_096, 65_536, BODY_DECODED_BYTES_MAX] {
        for _ in 0..(200_000 / length).clamp(2, 2_000) {
            let byte = || {
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                noise as u8
            };
            let mut bytes: Vec<u8> = std::iter::repeat_with(byte).take(length).collect();
            bytes[0] = VERSION;
            tally.check_all("noise", &bytes);
        }
    }
    let Tally {
        messages,
        worst_per_byte,
        worst_bytes,
    } = tally;
    println!(
        "{messages} messages; worst peak {worst_bytes} bytes, worst {worst_per_byte:.1} heap bytes \
         a byte read; allowed {HEAP_BYTES_PER_BYTE_MAX} a byte and {HEAP_BYTES_MAX} \
         (an event is {} bytes, an element {})",
        size_of::<Event>(),
        size_of::<Element>(),
    );
}
