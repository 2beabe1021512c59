//! Visitors of a random site: what they did in which tab, and the batches their pages send of it:
//! cut anywhere, sent twice, overlapping, late, in any order. Knows nothing of what is counted.

use super::chance::Chance;
use super::world::{CAMPAIGNS, ELEMENTS, NAMES, PATHS, REFERRERS, RELEASES, VARIANTS, World};
use std::ops::Range;
use std::rc::Rc;
use upriver_collector::live::{HOUR_MS, WHOLE_HOURS};
use upriver_wire::batch::{
    Attention, Batch, Body, BoxPoint, Campaign, Consent, Conversion, Custom, Dead, Device, Element,
    ErrorPress, Event, Fault, Form, Hesitation, Identify, Impression, LongPress, Look, Offset,
    Page, PageRef, PageView, Path, Pinch, Point, Press, Prop, Rage, Scroll, Size, Spot, Step,
    Swipe, Thrash, Value, Variant, Visibility,
};
use upriver_wire::{ElementId, SessionId, StreamId, ViewId, VisitorId};

/// Events of one tab.
const EVENTS_MAX: u64 = 8;
/// Inner sizes of windows; the empty one is not known.
const SIZES: [Size; 3] = [
    Size { w: 1_280, h: 800 },
    Size { w: 390, h: 700 },
    Size { w: 0, h: 0 },
];
/// Events of one batch, unless it is one that overlaps others.
const BATCH_MAX: u64 = 4;

/// One tab of one visitor: all it will ever say, with the page and the variants at each event.
#[derive(Debug)]
pub(super) struct Tab {
    /// Its stream.
    pub stream: u128,
    /// Whose it is.
    pub visitor: u128,
    /// What is added to its clock to get the true time, milliseconds.
    pub skew_ms: i64,
    /// The visit.
    pub session: u64,
    /// Whether what sends it says that it is a robot.
    pub robot: bool,
    /// True time, what happened, and what held just before.
    pub events: Vec<(u64, Body, Before)>,
}

/// What holds before an event.
#[derive(Clone, Debug)]
pub(super) struct Before {
    /// The page shown.
    pub page: Page,
    /// Variants shown so far, in the order they were.
    pub variants: Vec<Variant>,
}

/// One batch on its way.
#[derive(Clone, Debug)]
pub(super) struct Send {
    /// The tab.
    pub tab: Rc<Tab>,
    /// Which of its events.
    pub events: Range<usize>,
}

impl Send {
    /// The batch, by the clock of the page.
    pub(super) fn batch(&self) -> Batch {
        let events = &self.tab.events[self.events.clone()];
        let page_ms = |ms: u64| ms.saturating_add_signed(-self.tab.skew_ms);
        let (first_ms, body, before) = &events[0];
        let mut last_ms = *first_ms;
        let page = match body {
            Body::PageView(_) => PageRef::None,
            _ => PageRef::Inline(before.page.clone()),
        };
        Batch {
            stream: StreamId(self.tab.stream),
            visitor: VisitorId(self.tab.visitor),
            session: SessionId(self.tab.session),
            first_seq: self.events.start as u64,
            first_ms: page_ms(*first_ms),
            page,
            variants: before.variants.clone(),
            elements: ELEMENTS
                .iter()
                .map(|name| Element {
                    id: ElementId::of(name),
                    descriptor: None,
                })
                .collect(),
            events: events
                .iter()
                .map(|(ms, body, _)| {
                    let delta_ms = (*ms - last_ms) as u32;
                    last_ms = *ms;
                    Event {
                        delta_ms,
                        body: body.clone(),
                    }
                })
                .collect(),
        }
    }
}

/// Draws what `visitors` visitors of a site send, in the order it arrives.
///
/// `now_ms` is about when the first arrives; with `steady`, no clock is wrong and nothing lies in
/// the future.
pub(super) fn draw(
    chance: &mut Chance,
    world: &World,
    visitors: u64,
    now_ms: u64,
    steady: bool,
) -> Vec<Send> {
    let mut sends = Vec::new();
    for _ in 0..visitors {
        let visitor = chance.id();
        let start_ms = start(chance, now_ms, steady);
        let latest_ms = if steady { now_ms } else { now_ms + 10 * 60_000 };
        let mut first = None;
        for _ in 0..1 + chance.below(3) {
            let stream = stream_like(chance, first);
            first.get_or_insert(stream);
            let skew_ms = match chance.below(3) {
                _ if steady => 0,
                0 => chance.below(7_200_000) as i64 - 3_600_000,
                _ => 0,
            };
            let session = 1 + chance.below(2);
            let robot = !steady && chance.percent(20);
            let events = events(chance, world, start_ms, latest_ms);
            cut(
                chance,
                Rc::new(Tab {
                    stream,
                    visitor,
                    skew_ms,
                    session,
                    robot,
                    events,
                }),
                &mut sends,
            );
        }
    }
    arrive(chance, &mut sends);
    sends
}

/// When a visitor comes: at any time of the range, or at its very edge.
fn start(chance: &mut Chance, now_ms: u64, steady: bool) -> u64 {
    let from_ms = (now_ms / HOUR_MS - WHOLE_HOURS) * HOUR_MS;
    match chance.below(10) {
        0 if !steady => from_ms - 3 + chance.below(6),
        1 if !steady => now_ms - chance.below(1_600) * 60_000,
        2 if !steady => now_ms - chance.below(10),
        3 if !steady => {
            let minutes = *chance.of(&[0, 5, 6, 30, 31]);
            (now_ms / 60_000 - minutes) * 60_000 - 2 + chance.below(4)
        }
        4 if !steady => now_ms - chance.below(40) * 60_000,
        _ => now_ms - 60_000 * (1 + chance.below(20 * 60)),
    }
}

/// A stream's id; now and then one that shares the ten bits of another that go into the order.
fn stream_like(chance: &mut Chance, other: Option<u128>) -> u128 {
    let Some(other) = other.filter(|_| chance.percent(30)) else {
        return chance.id();
    };
    // Both halves changed alike leave their exclusive or, and so the bits of the order, as it was.
    let change = chance.id() as u64 | 1;
    other ^ (u128::from(change) << 64 | u128::from(change))
}

fn events(
    chance: &mut Chance,
    world: &World,
    start_ms: u64,
    latest_ms: u64,
) -> Vec<(u64, Body, Before)> {
    let device = *chance.of(&[
        Device::Other,
        Device::Desktop,
        Device::Tablet,
        Device::Phone,
    ]);
    let campaign = *chance.of(&CAMPAIGNS);
    let mut before = Before {
        page: page(chance, device, campaign),
        variants: Vec::new(),
    };
    let mut ms = start_ms + chance.below(4);
    let mut events = Vec::new();
    for _ in 0..1 + chance.below(EVENTS_MAX) {
        let window_ms = *chance.of(&world.windows_ms);
        ms += match chance.below(10) {
            0..=4 => 0,
            5 => 1,
            6 => window_ms,
            7 => window_ms - 1,
            8 => window_ms + 1,
            _ => chance.below(5),
        };
        ms = ms.min(latest_ms.max(start_ms));
        let body = body(chance, &before);
        let next = after(&body, &before);
        events.push((ms, body, before));
        before = next;
    }
    events
}

fn page(chance: &mut Chance, device: Device, campaign: &str) -> Page {
    let source = if campaign.is_empty() { "" } else { "mail" };
    let campaign = Campaign {
        source: source.into(),
        campaign: campaign.into(),
        ..Campaign::default()
    };
    Page {
        view: ViewId(chance.below(1_000)),
        host: "shop.example".into(),
        path: (*chance.of(&PATHS)).into(),
        release: (*chance.of(&RELEASES)).into(),
        campaign: chance.percent(80).then_some(campaign),
        device,
        viewport: *chance.of(&SIZES),
        document: Size {
            w: *chance.of(&[0, 390, 1_279]),
            h: *chance.of(&[0, 801, 4_003]),
        },
        scroll: Offset {
            x: *chance.of(&[0, -50]),
            y: chance.below(900) as i32,
        },
        ..Page::default()
    }
}

fn body(chance: &mut Chance, before: &Before) -> Body {
    let element = chance.below(ELEMENTS.len() as u64) as u16;
    let at = BoxPoint::new(chance.below(3) as f64 / 2.0, chance.below(3) as f64 / 2.0);
    let name = (*chance.of(&NAMES)).to_owned();
    match chance.below(12) {
        0..=2 => {
            let known = before
                .page
                .campaign
                .as_ref()
                .map_or("", |found| &found.campaign);
            let campaign = if chance.percent(10) {
                *chance.of(&CAMPAIGNS)
            } else {
                known
            };
            Body::PageView(PageView {
                page: page(chance, before.page.device, campaign),
                referrer: (*chance.of(&REFERRERS)).into(),
                ..PageView::default()
            })
        }
        3 | 4 => Body::Press(Press {
            element,
            at,
            ..Press::default()
        }),
        5 => Body::Scroll(Scroll {
            container: *chance.of(&[0, 0, element + 1]),
            dx: *chance.of(&[0, -200]),
            dy: chance.below(1_500) as i32 - 500,
            ..Scroll::default()
        }),
        6 => Body::Custom(Custom {
            name,
            props: props(chance),
        }),
        7 => {
            let value_micros = (chance.below(5) as i64 - 1) * 1_000_001;
            Body::Conversion(Conversion {
                name,
                value_micros,
                currency: (*chance.of(&["", "EUR", "USD"])).into(),
                ..Conversion::default()
            })
        }
        8 => {
            let (experiment, variant) = *chance.of(&VARIANTS);
            Body::Exposure(Variant {
                experiment: experiment.into(),
                variant: variant.into(),
            })
        }
        9 => Body::Swipe(Swipe {
            element,
            at,
            client: Point {
                x: chance.below(1_400) as u32,
                y: chance.below(900) as u32,
            },
            dx: chance.below(1_600) as i32 - 800,
            dy: chance.below(900) as i32 - 450,
            ..Swipe::default()
        }),
        _ => {
            let spot = Spot {
                element,
                at,
                ..Spot::default()
            };
            beside(chance, spot, name)
        }
    }
}

/// Values of a property; one holds what `LIKE` treats specially.
const COLOURS: [&str; 3] = ["red", "blue", "a%_"];

fn props(chance: &mut Chance) -> Vec<Prop> {
    let prop = |name: &str, text: &str| Prop {
        name: name.into(),
        value: Value::Text(text.into()),
    };
    let text = *chance.of(&COLOURS);
    let colour = prop("col'our", text);
    match chance.below(3) {
        0 => Vec::new(),
        1 => vec![colour],
        _ => vec![prop("size", ""), colour],
    }
}

/// One of the kinds that no number but those of the overview is made of. Many are about an element
/// or have a name, as presses and orders do, and must not be taken for one.
fn beside(chance: &mut Chance, spot: Spot, name: String) -> Body {
    let duration_ms = chance.below(3_000) as u32;
    let after_ms = duration_ms;
    match *chance.of(&[
        0, 1, 2, 2, 2, 3, 4, 5, 5, 5, 5, 6, 7, 8, 9, 10, 11, 11, 11, 12, 13, 14,
    ]) {
        0 => Body::LongPress(LongPress { spot, duration_ms }),
        1 => Body::Pinch(Pinch {
            spot,
            scale_percent: 150,
            duration_ms,
        }),
        2 => Body::Hesitation(Hesitation {
            spot,
            duration_ms,
            pressed: chance.percent(50),
        }),
        3 => Body::Path(Path {
            steps: (0..1 + chance.below(4))
                .map(|_| Step {
                    delta_ms: chance.below(500) as u32,
                    dx: chance.below(800) as i32,
                    dy: chance.below(700) as i32,
                })
                .collect(),
        }),
        4 => Body::Attention(Attention {
            visible_ms: 5_000,
            active_ms: duration_ms,
            first_band: chance.below(19) as u8,
            bands: vec![duration_ms, after_ms / 3],
        }),
        5 => Body::Impression(Impression {
            element: spot.element,
            look: Look {
                background: *chance.of(&[0xff_0000, 0x00_00ff, 0]),
                size: Size {
                    w: *chance.of(&[40, 121]),
                    h: *chance.of(&[20, 41]),
                },
                x: chance.below(1_300) as i32 - 100,
                y: chance.below(2_000) as i32 - 100,
                radius: *chance.of(&[0, 4, 10, 21]),
            },
        }),
        6 => Body::Form(Form {
            element: spot.element,
            field: spot.element + 1,
            ..Form::default()
        }),
        7 => Body::Rage(Rage { spot }),
        8 => Body::Dead(Dead { spot, after_ms }),
        9 => Body::ErrorPress(ErrorPress { spot, after_ms }),
        10 => Body::Thrash(Thrash::default()),
        11 => Body::Fault(Fault {
            message: name,
            source: (*chance.of(&["", "/it's.js"])).into(),
            line: chance.below(2) as u32,
            ..Fault::default()
        }),
        12 => Body::Visibility(Visibility::default()),
        13 => Body::Consent(Consent::default()),
        _ => Body::Identify(Identify {
            user: name,
            hashed: false,
        }),
    }
}

/// What holds after an event.
pub(super) fn after(body: &Body, before: &Before) -> Before {
    let mut next = before.clone();
    match body {
        Body::PageView(view) => next.page = view.page.clone(),
        Body::Scroll(scroll) if scroll.container == 0 => {
            next.page.scroll.x += scroll.dx;
            next.page.scroll.y += scroll.dy;
        }
        Body::Exposure(shown) => {
            next.variants
                .retain(|known| known.experiment != shown.experiment);
            next.variants.push(shown.clone());
        }
        _ => {}
    }
    next
}

/// Cuts a tab into batches, some of them sent twice, some over events that others hold too.
fn cut(chance: &mut Chance, tab: Rc<Tab>, sends: &mut Vec<Send>) {
    let all = tab.events.len();
    let mut send = |events: Range<usize>| {
        sends.push(Send {
            tab: tab.clone(),
            events,
        });
    };
    let mut from = 0;
    while from < all {
        let to = (from + 1 + chance.below(BATCH_MAX) as usize).min(all);
        send(from..to);
        if chance.percent(15) {
            send(from..to);
        }
        if chance.percent(15) {
            let start = chance.below(to as u64) as usize;
            send(start..start + 1 + chance.below((all - start) as u64) as usize);
        }
        from = to;
    }
}

/// Puts batches into an order of arrival: by time, nearly so, backwards, or any.
fn arrive(chance: &mut Chance, sends: &mut [Send]) {
    let time = |send: &Send| send.tab.events[send.events.end - 1].0;
    match chance.below(4) {
        0 => sends.sort_by_key(time),
        1 => {
            sends.sort_by_key(time);
            sends.chunks_mut(5).for_each(|near| chance.shuffle(near));
        }
        2 => sends.sort_by_key(|send| std::cmp::Reverse(time(send))),
        _ => chance.shuffle(sends),
    }
}
