//! What must have been counted: every event that arrived, once, with the time and the order that
//! the rules of ingest give it. Written from the rules, shares no code with ingest.

use super::walk::{Before, Send, after};
use super::world::ELEMENTS;
use std::collections::{BTreeSet, HashMap};
use upriver_collector::row::{Device, Kind};
use upriver_wire::ElementId;
use upriver_wire::batch::{Body, Spot, Value};

/// How far into the future an event may lie, milliseconds.
const FUTURE_MS: u64 = 5 * 60_000;

/// An event that was counted.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // as in the table `events`
pub(super) struct Fact {
    pub visitor: u128,
    pub stream: u128,
    pub seq: u64,
    pub time: u64,
    pub received_ms: u64,
    pub ord: u64,
    pub kind: Kind,
    pub path: String,
    pub release: String,
    pub referrer: String,
    pub source: String,
    pub campaign: String,
    pub variants: Vec<(String, String)>,
    pub device: Device,
    pub element: u64,
    pub cell: u8,
    pub name: String,
    pub props: Vec<(String, String)>,
    pub value: i64,
    pub currency: String,
    pub session: u64,
    pub robot: bool,
    pub viewport: (u32, u32),
    pub document: (u32, u32),
    /// Scroll position just before.
    pub scroll: (i32, i32),
    pub body: Body,
}

/// All events that arrived.
#[derive(Debug, Default)]
pub(super) struct Truth {
    /// Each once.
    pub facts: Vec<Fact>,
    streams: HashMap<u128, Stream>,
}

#[derive(Debug, Default)]
struct Stream {
    taken: BTreeSet<u64>,
    /// Time, and number within it, of the latest event in sequence.
    last: Option<(u64, u64)>,
}

impl Truth {
    /// A batch arrived. Returns how many of its events were new.
    pub(super) fn arrive(&mut self, send: &Send, received_ms: u64) -> usize {
        let stream = self.streams.entry(send.tab.stream).or_default();
        let known = stream.taken.len();
        let high = stream.taken.last().map_or(0, |seq| seq + 1);
        // What continues the stream never goes back behind it; what is late keeps its own time.
        let mut last = stream.last.filter(|_| send.events.start as u64 >= high);
        for at in send.events.clone() {
            let (ms, body, before) = &send.tab.events[at];
            let ms = (*ms).min(received_ms + FUTURE_MS);
            let (time, number) = match last {
                Some((time, number)) if ms <= time => (time, number + 1),
                _ => (ms, 0),
            };
            last = Some((time, number));
            if stream.taken.insert(at as u64) {
                let mut fact = fact(body, before);
                (fact.visitor, fact.stream) = (send.tab.visitor, send.tab.stream);
                (fact.session, fact.robot) = (send.tab.session, send.tab.robot);
                (fact.seq, fact.time) = (at as u64, time);
                fact.received_ms = received_ms;
                fact.ord = time << 20 | ten_bits(send.tab.stream) << 10 | number.min(1_023);
                self.facts.push(fact);
            }
        }
        // What was there already may bring another time: only what is new continues the order.
        let new = stream.taken.len() - known;
        if new > 0 && send.events.end as u64 >= high {
            stream.last = stream.last.max(last);
        }
        new
    }
}

/// The ten bits of a stream that go into the order: its four 32-bit words, one over the other.
fn ten_bits(stream: u128) -> u64 {
    let words = [0, 32, 64, 96].map(|shift| (stream >> shift) as u64);
    words.iter().fold(0, |all, word| all ^ word) & 0x3ff
}

pub(super) fn fact(body: &Body, before: &Before) -> Fact {
    // A page view and a shown variant hold for themselves already.
    let Before { page, variants } = after(body, before);
    let scroll = match body {
        Body::PageView(_) => page.scroll,
        _ => before.page.scroll,
    };
    let mut variants: Vec<_> = variants
        .into_iter()
        .map(|shown| (shown.experiment, shown.variant))
        .collect();
    variants.sort();
    let campaign = page.campaign.unwrap_or_default();
    let mut fact = Fact {
        visitor: 0,
        stream: 0,
        seq: 0,
        time: 0,
        received_ms: 0,
        ord: 0,
        kind: Kind::PageView,
        path: page.path,
        release: page.release,
        referrer: String::new(),
        source: campaign.source,
        campaign: campaign.campaign,
        variants,
        device: page.device.into(),
        element: 0,
        cell: 0,
        name: String::new(),
        props: Vec::new(),
        value: 0,
        currency: String::new(),
        session: 0,
        robot: false,
        viewport: (page.viewport.w, page.viewport.h),
        document: (page.document.w, page.document.h),
        scroll: (scroll.x, scroll.y),
        body: body.clone(),
    };
    let element = |index: u16| ElementId::of(ELEMENTS[usize::from(index)]).0;
    let spot = |fact: &mut Fact, kind, at: Spot| {
        (fact.kind, fact.element, fact.cell) = (kind, element(at.element), at.at.cell());
    };
    match body {
        Body::PageView(view) => fact.referrer.clone_from(&view.referrer),
        Body::Press(press) => {
            fact.kind = Kind::Press;
            (fact.element, fact.cell) = (element(press.element), press.at.cell());
        }
        Body::Scroll(scroll) => {
            fact.kind = Kind::Scroll;
            if scroll.container > 0 {
                fact.element = element(scroll.container - 1);
            }
        }
        Body::Swipe(swipe) => {
            fact.kind = Kind::Swipe;
            (fact.element, fact.cell) = (element(swipe.element), swipe.at.cell());
        }
        Body::Custom(custom) => {
            fact.kind = Kind::Custom;
            fact.name.clone_from(&custom.name);
            let texts = custom.props.iter().filter_map(|prop| match &prop.value {
                Value::Text(text) => Some((prop.name.clone(), text.clone())),
                _ => None,
            });
            fact.props = texts.collect();
        }
        Body::Conversion(conversion) => {
            fact.kind = Kind::Conversion;
            fact.name.clone_from(&conversion.name);
            fact.value = conversion.value_micros;
            fact.currency.clone_from(&conversion.currency);
        }
        Body::Exposure(shown) => {
            fact.kind = Kind::Exposure;
            fact.name.clone_from(&shown.experiment);
        }
        Body::LongPress(what) => spot(&mut fact, Kind::LongPress, what.spot),
        Body::Pinch(what) => spot(&mut fact, Kind::Pinch, what.spot),
        Body::Hesitation(what) => spot(&mut fact, Kind::Hesitation, what.spot),
        Body::Path(_) => fact.kind = Kind::Path,
        Body::Attention(_) => fact.kind = Kind::Attention,
        Body::Impression(seen) => {
            (fact.kind, fact.element) = (Kind::Impression, element(seen.element));
        }
        Body::Form(form) => (fact.kind, fact.element) = (Kind::Form, element(form.element)),
        Body::Rage(what) => spot(&mut fact, Kind::Rage, what.spot),
        Body::Dead(what) => spot(&mut fact, Kind::Dead, what.spot),
        Body::ErrorPress(what) => spot(&mut fact, Kind::ErrorPress, what.spot),
        Body::Thrash(_) => fact.kind = Kind::Thrash,
        Body::Fault(_) => fact.kind = Kind::Fault,
        Body::Visibility(_) => fact.kind = Kind::Visibility,
        Body::Consent(_) => fact.kind = Kind::Consent,
        Body::Identify(_) => fact.kind = Kind::Identify,
    }
    fact
}
