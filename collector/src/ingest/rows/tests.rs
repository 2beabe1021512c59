//! Records and the rows they must give.

use super::*;
use crate::row::{Consent, Fault, FormStep, Kind, Pointer};
use upriver_wire::ElementId;
use upriver_wire::batch::{
    self, Attention, Batch, BoxPoint, ConsentState, Element, ErrorPress, Event, FaultKind, Form,
    Hesitation, How, Identify, Impression, Look, Offset, PageView, Path, Pinch, Point, Press,
    Scroll, Size, Spot, Step, Thrash, Visibility,
};

fn event(delta_ms: u32, body: Body) -> Event {
    Event { delta_ms, body }
}

fn view(path: &str) -> Body {
    let page = Page {
        path: path.into(),
        ..Page::default()
    };
    Body::PageView(PageView {
        page,
        ..PageView::default()
    })
}

fn record(events: Vec<Event>) -> BatchRecord {
    BatchRecord {
        site: "shop".into(),
        received_ms: 1_000_000,
        accepted: vec![(0, events.len() as u16)],
        batch: Batch {
            first_ms: 500_000,
            elements: vec![Element {
                id: ElementId(7),
                descriptor: None,
            }],
            events,
            ..Batch::default()
        },
        ..BatchRecord::default()
    }
}

#[test]
fn a_page_view_and_a_scroll_hold_for_what_follows() {
    let scroll = Body::Scroll(Scroll {
        dy: 300,
        ..Scroll::default()
    });
    let press = Body::Press(Press {
        client: Point { x: 5, y: 20 },
        ..Press::default()
    });
    let rows = event_rows(&record(vec![
        event(0, view("/a")),
        event(10, scroll),
        event(10, press.clone()),
        event(10, view("/b")),
        event(0, press),
    ]));
    let seen: Vec<_> = rows
        .iter()
        .map(|r| (r.path.as_str(), r.time, r.page_y, r.element))
        .collect();
    let wanted = vec![
        ("/a", 500_000, 0, 0),
        ("/a", 500_010, 300, 0),
        ("/a", 500_020, 320, 7),
        ("/b", 500_030, 0, 0),
        ("/b", 500_030, 20, 7),
    ];
    assert_eq!(seen, wanted);
    assert_eq!(
        rows[4].ord & 0x3ff,
        1,
        "the second event of its millisecond is number 1"
    );
}

#[test]
fn only_new_events_become_rows_and_context_is_carried_over_the_others() {
    let press = Body::Press(Press::default());
    let mut record = record(vec![
        event(0, view("/a")),
        event(1, press),
        event(1, view("/b")),
    ]);
    record.accepted = vec![(1, 2)];
    record.batch.first_seq = 40;
    let rows = event_rows(&record);
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].path.as_str(), rows[0].seq), ("/a", 41));
}

#[test]
fn time_never_goes_back_within_a_stream_and_the_far_future_is_pulled_back() {
    let press = || Body::Press(Press::default());
    let mut record = record(vec![
        event(0, press()),
        event(0, press()),
        event(50, press()),
    ]);
    record.floor = Some((500_020, 3));
    let all: Vec<_> = times(&record).collect();
    let wanted = vec![
        (500_020, 4, false),
        (500_020, 5, false),
        (500_050, 0, false),
    ];
    assert_eq!(all, wanted);

    record.floor = None;
    record.skew_ms = 10_000_000;
    let latest = 1_000_000 + FUTURE_MS_MAX;
    let all: Vec<_> = times(&record).collect();
    assert_eq!(
        all,
        vec![(latest, 0, true), (latest, 1, true), (latest, 2, true)]
    );
}

/// The row of one event on a page that is scrolled to (−100, 50), with elements 7 and 8.
fn row_of(body: Body) -> EventRow {
    let mut record = record(vec![event(0, body)]);
    let page = Page {
        path: "/a".into(),
        release: "r2".into(),
        scroll: Offset { x: -100, y: 50 },
        ..Page::default()
    };
    record.batch.page = PageRef::Inline(page);
    record.batch.elements.push(Element {
        id: ElementId(8),
        descriptor: None,
    });
    event_rows(&record).remove(0)
}

fn spot() -> Spot {
    Spot {
        element: 1,
        at: BoxPoint::new(0.5, 0.0),
        client: Point { x: 30, y: 20 },
        how: How {
            pointer: batch::Pointer::Touch,
            ..How::default()
        },
    }
}

#[test]
fn a_place_is_one_in_the_document_too_and_the_release_is_that_of_the_page() {
    let row = row_of(Body::Pinch(Pinch {
        spot: spot(),
        scale_percent: 250,
        duration_ms: 7,
    }));
    assert_eq!((row.kind, row.release.as_str()), (Kind::Pinch, "r2"));
    assert_eq!((row.element, row.cell), (8, 8));
    assert_eq!((row.client_x, row.client_y), (30, 20));
    assert_eq!((row.page_x, row.page_y), (-70, 70));
    assert_eq!(row.pointer, Pointer::Touch);
    assert_eq!((row.scale_percent, row.duration_ms), (250, 7));
}

#[test]
fn rests_and_troubles_keep_what_they_are_about() {
    let row = row_of(Body::Hesitation(Hesitation {
        spot: spot(),
        duration_ms: 900,
        pressed: true,
    }));
    assert_eq!((row.element, row.duration_ms, row.pressed), (8, 900, true));
    let row = row_of(Body::ErrorPress(ErrorPress {
        spot: spot(),
        after_ms: 40,
    }));
    assert_eq!(
        (row.kind, row.element, row.after_ms),
        (Kind::ErrorPress, 8, 40)
    );
    let row = row_of(Body::Thrash(Thrash {
        client: Point { x: 1, y: 2 },
        reversals: 5,
        distance: 900,
        duration_ms: 300,
    }));
    assert_eq!((row.page_x, row.page_y, row.element), (-99, 52, 0));
    assert_eq!(
        (row.reversals, row.distance, row.duration_ms),
        (5, 900, 300)
    );
    let row = row_of(Body::Fault(batch::Fault {
        kind: FaultKind::Rejection,
        message: "m".into(),
        source: "s".into(),
        line: 3,
        column: 4,
    }));
    assert_eq!(
        (row.fault, row.message.as_str(), row.source.as_str()),
        (Fault::Rejection, "m", "s")
    );
    assert_eq!((row.source_line, row.source_column), (3, 4));
}

#[test]
fn a_way_is_added_up_and_ends_at_its_place() {
    let step = |delta_ms, dx, dy| Step { delta_ms, dx, dy };
    let row = row_of(Body::Path(Path {
        steps: vec![step(9, 10, 20), step(40, -15, 5), step(60, 2, 1)],
    }));
    // The first step has no step before it; the pointer left the window to the left.
    assert_eq!(row.way_ms, [0, 40, 100]);
    assert_eq!(row.way_x, [10, -5, -3]);
    assert_eq!(row.way_y, [20, 25, 26]);
    assert_eq!(row.duration_ms, 100);
    assert_eq!((row.client_x, row.client_y), (0, 26));
    assert_eq!((row.page_x, row.page_y), (-100, 76));
}

#[test]
fn attention_impressions_and_forms_keep_what_they_measured() {
    let row = row_of(Body::Attention(Attention {
        visible_ms: 9,
        active_ms: 8,
        first_band: 3,
        bands: vec![5, 3],
    }));
    assert_eq!((row.visible_ms, row.active_ms, row.first_band), (9, 8, 3));
    assert_eq!(row.bands, [5, 3]);
    let look = Look {
        background: 0x0a_0b0c,
        size: Size { w: 4, h: 5 },
        x: -6,
        y: 7,
        radius: 8,
    };
    let row = row_of(Body::Impression(Impression { element: 1, look }));
    assert_eq!((row.element, row.look_background), (8, 0x0a_0b0c));
    assert_eq!((row.look_width, row.look_height), (4, 5));
    assert_eq!((row.look_x, row.look_y, row.look_radius), (-6, 7, 8));
    let row = row_of(Body::Form(Form {
        element: 0,
        field: 2,
        step: batch::FormStep::Abandon,
        fields: 3,
        duration_ms: 11,
    }));
    assert_eq!((row.element, row.field), (7, 8));
    assert_eq!(
        (row.form_step, row.fields, row.duration_ms),
        (FormStep::Abandon, 3, 11)
    );
    let row = row_of(Body::Form(Form::default()));
    assert_eq!((row.field, row.form_step), (0, FormStep::Start));
}

#[test]
fn visibility_consent_and_identity_are_kept() {
    let row = row_of(Body::Visibility(Visibility {
        visible: true,
        after_ms: 70,
    }));
    assert_eq!((row.visible, row.after_ms), (true, 70));
    let row = row_of(Body::Consent(batch::Consent {
        state: ConsentState::Cookieless,
    }));
    assert_eq!(row.consent, Consent::Cookieless);
    let row = row_of(Body::Identify(Identify {
        user: "u".into(),
        hashed: true,
    }));
    assert_eq!((row.user.as_str(), row.user_hashed), ("u", true));
}
