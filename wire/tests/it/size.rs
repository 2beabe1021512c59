//! What an event costs on the wire, before compression: visitors pay for it on metered networks.

use crate::stream;
use upriver_wire::{Batch, encode};

/// Mean bytes of a press.
const PRESS_BYTES_MAX: f64 = 12.0;
/// Mean bytes of a scroll gesture.
const SCROLL_BYTES_MAX: f64 = 8.5;
/// Mean bytes of an event of a mixed batch, page views and orders with long texts included.
const MIXED_BYTES_MAX: f64 = 25.0;

fn check(batch: &Batch, bytes_max: f64) {
    let empty = Batch {
        events: vec![],
        ..batch.clone()
    };
    let bytes = (encode(batch, 0).len() - encode(&empty, 0).len()) as f64;
    let each = bytes / batch.events.len() as f64;
    assert!(
        each <= bytes_max,
        "{each:.2} bytes an event, promised were {bytes_max}"
    );
}

#[test]
fn presses_and_scrolls_stay_small() {
    check(&stream::presses(1_000), PRESS_BYTES_MAX);
    check(&stream::scrolls(1_000), SCROLL_BYTES_MAX);
    check(&stream::mixed(1_000), MIXED_BYTES_MAX);
}
