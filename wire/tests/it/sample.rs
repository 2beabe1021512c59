//! Messages that use every field with a value of its own, so that two fields changing places
//! cannot go unnoticed. Values only; what is done with them is the tests' business.

use upriver_wire::answer::{Ack, Refused, Signal};
use upriver_wire::batch::{
    Attention, BoxPoint, Button, Campaign, Consent, ConsentState, Conversion, Custom, Dead,
    Descriptor, Device, Element, ErrorPress, Fault, FaultKind, Form, FormStep, Hesitation, How,
    Identify, Impression, Layer, LongPress, Look, Navigation, Offset, Page, PageRef, PageView,
    Path, Pinch, Point, Pointer, Press, Prop, Rage, Scroll, Size, Spot, Step, Swipe, Thrash, Value,
    Variant, Visibility,
};
use upriver_wire::{
    Answer, Batch, Body, ElementId, Event, Refusal, SessionId, StreamId, ViewId, VisitorId,
};

/// A time of sending: 2026-01-02 03:04:05.678 UTC.
pub(crate) const SENT_AT_MS: u64 = 1_767_323_045_678;

/// One body of every kind, with the name of its golden file.
pub(crate) fn bodies() -> Vec<(&'static str, Body)> {
    vec![
        ("page_view", Body::PageView(page_view())),
        ("press", Body::Press(press())),
        ("scroll", Body::Scroll(scroll())),
        ("swipe", Body::Swipe(swipe())),
        ("custom", Body::Custom(custom())),
        ("conversion", Body::Conversion(conversion())),
        ("exposure", Body::Exposure(variant("buy-button", "green"))),
        ("long_press", Body::LongPress(long_press())),
        ("pinch", Body::Pinch(pinch())),
        ("hesitation", Body::Hesitation(hesitation())),
        ("path", Body::Path(path())),
        ("attention", Body::Attention(attention())),
        ("impression", Body::Impression(impression())),
        ("form", Body::Form(form())),
        ("rage", Body::Rage(Rage { spot: spot(11) })),
        ("dead", Body::Dead(dead())),
        ("error_press", Body::ErrorPress(error_press())),
        ("thrash", Body::Thrash(thrash())),
        ("fault", Body::Fault(fault())),
        ("visibility", Body::Visibility(visibility())),
        ("consent", Body::Consent(consent())),
        ("identify", Body::Identify(identify())),
    ]
}

/// One answer of every kind, with the name of its golden file.
pub(crate) fn answers() -> Vec<(&'static str, Answer)> {
    let refused = |refusal, retry_after_ms, reason: &str| {
        Answer::Refused(Refused {
            stream: stream(),
            first_seq: 300,
            refusal,
            retry_after_ms,
            reason: reason.into(),
        })
    };
    vec![
        (
            "ack",
            Answer::Ack(Ack {
                stream: stream(),
                first_seq: 300,
                next_seq: 307,
                need: vec![ElementId(0x0102_0304_0506_0708), ElementId::of("buy")],
            }),
        ),
        (
            "refused_bad",
            refused(Refusal::Bad, 0, "event 3 names element 9 of 2"),
        ),
        (
            "refused_forbidden",
            refused(Refusal::Forbidden, 0, "this origin is not allowed"),
        ),
        (
            "refused_later",
            refused(Refusal::Later, 2_500, "the log is full — 429"),
        ),
        (
            "signal",
            Answer::Signal(Signal {
                id: 0x0012_3456_789a_bcde,
                name: "offer".into(),
                payload: r#"{"code":"Frühling","percent":10}"#.into(),
                expires_ms: SENT_AT_MS + 60_000,
            }),
        ),
    ]
}

/// A batch that uses everything: all kinds of events, variants, elements with and without
/// descriptor, an inline page with a campaign.
pub(crate) fn batch() -> Batch {
    Batch {
        stream: stream(),
        visitor: VisitorId(0xfedc_ba98_7654_3210_0123_4567_89ab_cdef),
        session: SessionId(0x1122_3344_5566_7788),
        first_seq: 300,
        first_ms: SENT_AT_MS - 4_321,
        page: PageRef::Inline(page()),
        variants: vec![variant("buy-button", "green"), variant("headline", "b")],
        elements: elements(),
        events: bodies()
            .into_iter()
            .enumerate()
            .map(|(index, (_, body))| Event {
                delta_ms: 150 * index as u32,
                body,
            })
            .collect(),
    }
}

/// The smallest batch around one event.
pub(crate) fn batch_of(body: Body) -> Batch {
    Batch {
        stream: stream(),
        first_seq: 1,
        first_ms: SENT_AT_MS,
        elements: elements(),
        events: vec![Event { delta_ms: 0, body }],
        ..Batch::default()
    }
}

/// A press as it comes most often.
pub(crate) fn press() -> Press {
    Press {
        element: 1,
        at: BoxPoint::new(0.25, 0.75),
        client: Point { x: 640, y: 361 },
        how: How {
            pointer: Pointer::Touch,
            layer: Layer::Stuck,
            button: Button::Secondary,
        },
    }
}

/// A scroll gesture of an inner scroller.
pub(crate) fn scroll() -> Scroll {
    Scroll {
        container: 2,
        dx: -3,
        dy: 900,
        detour: 41,
        reversals: 2,
        duration_ms: 1_250,
    }
}

fn stream() -> StreamId {
    StreamId(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff)
}

fn elements() -> Vec<Element> {
    let descriptor = Descriptor {
        selector: "main > button[data-upriver=\"buy\"]".into(),
        label: "In den Korb für 49 €".into(),
        role: "button".into(),
        background: 0x12_ab34,
        size: Size { w: 320, h: 48 },
        place: Point { x: 17, y: 2_031 },
        radius: 6,
    };
    vec![
        Element {
            id: ElementId::of("buy"),
            descriptor: Some(descriptor),
        },
        Element {
            id: ElementId(0x0102_0304_0506_0708),
            descriptor: None,
        },
    ]
}

fn page() -> Page {
    Page {
        view: ViewId(0xa1a2_a3a4_a5a6_a7a8),
        host: "shop.example:8080".into(),
        path: "/product/kettle?colour=red".into(),
        campaign: Some(Campaign {
            source: "newsletter".into(),
            medium: "email".into(),
            campaign: "spring".into(),
            term: "copper kettle".into(),
            content: "hero".into(),
        }),
        device: Device::Phone,
        viewport: Size { w: 390, h: 844 },
        document: Size { w: 391, h: 5_120 },
        scroll: Offset { x: -1, y: 260 },
        pixel_ratio_percent: 300,
        release: "2026.07-rc1".into(),
    }
}

fn page_view() -> PageView {
    PageView {
        page: page(),
        navigation: Navigation::Route,
        title: "Kettle – Shop".into(),
        referrer: "search.example/find".into(),
        language: "en-GB".into(),
    }
}

fn swipe() -> Swipe {
    Swipe {
        element: 1,
        at: BoxPoint::new(1.0, 0.0),
        client: Point { x: 355, y: 402 },
        dx: -210,
        dy: 12,
        duration_ms: 180,
        release_px_s: 1_400,
        how: How {
            pointer: Pointer::Pen,
            layer: Layer::Flow,
            button: Button::Primary,
        },
    }
}

fn custom() -> Custom {
    let prop = |name: &str, value| Prop {
        name: name.into(),
        value,
    };
    Custom {
        name: "add_to_cart".into(),
        props: vec![
            prop("sku", Value::Text("kettle-red".into())),
            prop("quantity", Value::Number(2.5)),
            prop("gift", Value::Flag(true)),
        ],
    }
}

fn conversion() -> Conversion {
    Conversion {
        name: "order".into(),
        value_micros: -49_900_000,
        currency: "EUR".into(),
        order: "2026-0001".into(),
        props: vec![Prop {
            name: "items".into(),
            value: Value::Number(3.0),
        }],
    }
}

fn variant(experiment: &str, variant: &str) -> Variant {
    Variant {
        experiment: experiment.into(),
        variant: variant.into(),
    }
}

/// A place of its own for each number.
fn spot(number: u16) -> Spot {
    let n = u32::from(number);
    Spot {
        element: number % 2,
        at: BoxPoint::new(f64::from(number) / 100.0, 1.0 - f64::from(number) / 200.0),
        client: Point {
            x: 100 + n,
            y: 700 - n,
        },
        how: How {
            pointer: Pointer::Pen,
            layer: Layer::Top,
            button: Button::Middle,
        },
    }
}

fn long_press() -> LongPress {
    LongPress {
        spot: spot(3),
        duration_ms: 815,
    }
}

fn pinch() -> Pinch {
    Pinch {
        spot: spot(5),
        scale_percent: 240,
        duration_ms: 431,
    }
}

fn hesitation() -> Hesitation {
    Hesitation {
        spot: spot(7),
        duration_ms: 2_340,
        pressed: true,
    }
}

fn path() -> Path {
    let step = |delta_ms, dx, dy| Step { delta_ms, dx, dy };
    Path {
        steps: vec![
            step(0, 412, 300),
            step(48, -35, 4),
            step(61, 0, -120),
            step(1_900, 7, 1),
        ],
    }
}

fn attention() -> Attention {
    Attention {
        visible_ms: 21_500,
        active_ms: 15_250,
        first_band: 3,
        bands: vec![250, 15_250, 14_000, 1],
    }
}

fn impression() -> Impression {
    Impression {
        element: 1,
        look: Look {
            background: 0x00_c0_ff,
            size: Size { w: 311, h: 47 },
            x: -18,
            y: 2_040,
            radius: 9,
        },
    }
}

fn form() -> Form {
    Form {
        element: 0,
        field: 2,
        step: FormStep::Abandon,
        fields: 4,
        duration_ms: 65_432,
    }
}

fn dead() -> Dead {
    Dead {
        spot: spot(13),
        after_ms: 2_500,
    }
}

fn error_press() -> ErrorPress {
    ErrorPress {
        spot: spot(17),
        after_ms: 37,
    }
}

fn thrash() -> Thrash {
    Thrash {
        client: Point { x: 801, y: 77 },
        reversals: 6,
        distance: 3_120,
        duration_ms: 940,
    }
}

fn fault() -> Fault {
    Fault {
        kind: FaultKind::Rejection,
        message: "undefined is not a function".into(),
        source: "https://shop.example/assets/cart.js".into(),
        line: 120,
        column: 14,
    }
}

fn visibility() -> Visibility {
    Visibility {
        visible: true,
        after_ms: 72_000,
    }
}

fn consent() -> Consent {
    Consent {
        state: ConsentState::Cookieless,
    }
}

fn identify() -> Identify {
    Identify {
        user: "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8".into(),
        hashed: true,
    }
}
