//! The words of a page as its shell tells them: bytes of the wire, made here by the wire itself.
//! And the other way: a batch of the recorder's must be the very bytes the wire would write.

use upriver_sdk::recorder::View;
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
    Shown(body(Body::PageView(view)))
}

impl Shown {
    /// In parts. View (8 bytes), host and path (2), campaign (1), device and sizes (5), scroll (2),
    /// ratio (1), release (1), the rest (4).
    pub(crate) fn view(&self) -> View<'_> {
        let bytes = &self.0;
        assert_eq!(bytes.len(), 24);
        View {
            release: &bytes[19..20],
            place: &bytes[8..10],
            campaign: &bytes[10..11],
            sizes: &bytes[11..16],
            scroll: (0, 0),
            ratio: 0,
            rest: &bytes[20..],
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
