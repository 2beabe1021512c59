//! The words of a page as its shell tells them: bytes of the wire, made here by the wire itself.
//! And the other way: a batch of the recorder's must be the very bytes the wire would write.

#![allow(dead_code, reason = "each of the tests needs another part of it")]

use upriver_sdk::driver::View;
use upriver_wire::batch::{Custom, PageView};
use upriver_wire::{Batch, Body, Event, decode, encode};

/// The bytes of an event's body after its kind.
fn body(body: Body) -> Vec<u8> {
    let events = |events| Batch {
        events,
        ..Batch::default()
    };
    let bytes = encode(&events(vec![Event { delta_ms: 0, body }]), 0);
    // A batch without events, its last byte being their number; then number, time and kind.
    bytes[encode(&events(vec![]), 0).len() + 2..].to_vec()
}

/// The site's own event.
pub(crate) fn custom(custom: Custom) -> Vec<u8> {
    body(Body::Custom(custom))
}

/// A page without campaign, title, referrer and language, of an unknown device.
pub(crate) struct Shown(Vec<u8>);

/// A page view as it is told.
pub(crate) fn shown(view: PageView) -> Shown {
    assert_eq!(
        view,
        PageView::default(),
        "only its parts of fixed length are known here"
    );
    let bytes = body(Body::PageView(view));
    // Without the campaign (1 byte) and the scroll position (2), which are told apart.
    Shown([&bytes[..10], &bytes[11..16], &bytes[18..]].concat())
}

impl Shown {
    /// View (8 bytes), host and path (2); device and sizes (5); ratio (1) and release (1); the rest (4).
    pub(crate) fn view(&self) -> View<'_> {
        assert_eq!(self.0.len(), 21);
        View {
            bytes: &self.0,
            parts: 10 | 5 << 16 | 2 << 32,
            scroll: (0, 0),
        }
    }
}

/// Reads a batch, which must be what the wire writes.
pub(crate) fn read(bytes: &[u8]) -> Batch {
    let (batch, sent_at) = decode(bytes).expect("a batch is readable");
    assert_eq!(
        encode(&batch, sent_at),
        bytes,
        "not as the wire writes {batch:?}"
    );
    batch
}
