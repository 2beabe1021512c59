//! Heat maps again from the words of their definition: every event is asked whether it counts,
//! every cell where it lies. Shares no code with the engine.

use super::faults::Fault;
use super::numbers::{Numbers, heat_key};
use super::truth::Fact;
use std::collections::HashMap;
use upriver_collector::live::{Filter, HeatKind, Seen, Window};
use upriver_collector::row::Kind;
use upriver_wire::batch::Body;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// The session of each visitor's first event ever.
pub(super) type Firsts = HashMap<u128, u64>;

/// Counts heat maps, each under its place.
pub(super) fn count(
    maps: &[(HeatKind, Filter)],
    facts: &[Fact],
    now_ms: u64,
    fault: Option<Fault>,
    numbers: &mut Numbers,
) {
    let firsts = firsts(facts);
    for (place, (kind, filter)) in maps.iter().enumerate() {
        let key = heat_key(place, filter.window);
        for fact in facts
            .iter()
            .filter(|fact| counts(fact, filter, now_ms, &firsts, fault))
        {
            for (element, cell, amount) in cells(*kind, fact) {
                numbers.add(format!("{key}/{element:016x}/{cell}"), i128::from(amount));
            }
        }
    }
}

/// The session of each visitor's first event.
pub(super) fn firsts(facts: &[Fact]) -> Firsts {
    let mut firsts: HashMap<u128, (u64, u64)> = HashMap::new();
    for fact in facts {
        let own = (fact.ord, fact.session);
        let first = firsts.entry(fact.visitor).or_insert(own);
        *first = own.min(*first);
    }
    let firsts = firsts.into_iter();
    firsts.map(|(id, (_, session))| (id, session)).collect()
}

/// Whether an event is one that a filter wants.
pub(super) fn counts(
    fact: &Fact,
    filter: &Filter,
    now_ms: u64,
    firsts: &Firsts,
    fault: Option<Fault>,
) -> bool {
    let (from_ms, to_ms) = match filter.window {
        Window::Day => (now_ms / HOUR_MS * HOUR_MS - 23 * HOUR_MS, u64::MAX),
        Window::Minutes(minutes) => {
            let minutes = minutes + u64::from(fault == Some(Fault::MinuteLonger));
            ((now_ms / MINUTE_MS - minutes) * MINUTE_MS, u64::MAX)
        }
        Window::Today => (now_ms / (24 * HOUR_MS) * 24 * HOUR_MS, u64::MAX),
        Window::Since(from_ms) => (from_ms, u64::MAX),
        Window::Between(from_ms, to_ms) => (from_ms, to_ms),
    };
    let page = match filter.page.split_once('*') {
        Some((start, end)) => fact
            .path
            .strip_prefix(start)
            .is_some_and(|rest| rest.ends_with(end)),
        None => fact.path == filter.page,
    };
    let named = |name: &str| match name {
        "(none)" => fact.campaign.is_empty(),
        name => fact.campaign == name,
    };
    let first = firsts.get(&fact.visitor) == Some(&fact.session);
    let width = (fact.viewport.0 / 160 * 160).min(2_560);
    (from_ms..to_ms).contains(&fact.time)
        && page
        && filter.device.is_none_or(|device| device == fact.device)
        && filter.width.is_none_or(|wanted| u32::from(wanted) == width)
        && filter.campaign.as_deref().is_none_or(named)
        && filter.variant.as_ref().is_none_or(|wanted| {
            let mut shown = fact.variants.iter();
            shown.any(|(e, v)| format!("{e}={v}") == *wanted)
        })
        && filter.seen.is_none_or(|seen| (seen == Seen::New) == first)
        && (!filter.human || !fact.robot || fault == Some(Fault::FilterIgnored))
}

/// The part of `of`, cut in `parts`, that holds a place; the ends hold what lies beyond them.
fn part(place: i64, of: u32, parts: i64) -> u16 {
    let within = |part: &i64| place * parts < (part + 1) * i64::from(of);
    (0..parts - 1).find(within).unwrap_or(parts - 1) as u16
}

/// Element, cell and amount of what an event adds.
fn cells(kind: HeatKind, fact: &Fact) -> Vec<(u64, u16, u64)> {
    let when = |is: bool, cell: u16| match is {
        true => vec![(fact.element, cell, 1)],
        false => Vec::new(),
    };
    let spot = |of| when(fact.kind == of, u16::from(fact.cell));
    let ((width, height), (long, tall)) = (fact.viewport, fact.document);
    match (kind, &fact.body) {
        (HeatKind::Press, _) => spot(Kind::Press),
        (HeatKind::LongPress, _) => spot(Kind::LongPress),
        (HeatKind::Rage, _) => spot(Kind::Rage),
        (HeatKind::Dead, _) => spot(Kind::Dead),
        (HeatKind::ErrorPress, _) => spot(Kind::ErrorPress),
        (HeatKind::Hesitation, _) => spot(Kind::Hesitation),
        (HeatKind::Swipe, _) => spot(Kind::Swipe),
        (HeatKind::Impression, _) => when(fact.kind == Kind::Impression, 0),
        (HeatKind::SwipeDirection, Body::Swipe(swipe)) => when(true, way(swipe.dx, swipe.dy)),
        (HeatKind::ScrollDirection, Body::Scroll(scroll)) => when(true, way(scroll.dx, scroll.dy)),
        (HeatKind::ScrollDepth, Body::Scroll(scroll))
            if scroll.container == 0 && height > 0 && tall > 0 =>
        {
            let edge = i64::from(fact.scroll.1) + i64::from(scroll.dy) + i64::from(height);
            vec![(0, part(edge, tall, 20), 1)]
        }
        (HeatKind::Attention, Body::Attention(attended)) => {
            let bands = (u16::from(attended.first_band)..).zip(&attended.bands);
            bands.map(|(band, ms)| (0, band, u64::from(*ms))).collect()
        }
        (HeatKind::Move, Body::Path(path)) if long > 0 && tall > 0 => {
            let (mut x, mut y) = (0, 0);
            let mut found = Vec::new();
            for (at, step) in path.steps.iter().enumerate() {
                (x, y) = (x + i64::from(step.dx), y + i64::from(step.dy));
                let Some(next) = path.steps.get(at + 1) else {
                    break;
                };
                let column = part(x + i64::from(fact.scroll.0), long, 32);
                let row = part(y + i64::from(fact.scroll.1), tall, 128);
                found.push((0, row * 32 + column, u64::from(next.delta_ms)));
            }
            found
        }
        (HeatKind::SwipePath, Body::Swipe(swipe)) if width > 0 && height > 0 => {
            let mut cells: Vec<u16> = (0..17)
                .map(|k| {
                    // In sixteenths of a pixel, so that nothing is rounded.
                    let x = i64::from(swipe.client.x) * 16 + i64::from(swipe.dx) * k;
                    let y = i64::from(swipe.client.y) * 16 + i64::from(swipe.dy) * k;
                    part(y, height * 16, 16) * 16 + part(x, width * 16, 16)
                })
                .collect();
            cells.sort_unstable();
            cells.dedup();
            cells.into_iter().map(|cell| (0, cell, 1)).collect()
        }
        _ => Vec::new(),
    }
}

/// The number of a direction: the larger movement counts, the vertical one when equal.
fn way(dx: i32, dy: i32) -> u16 {
    match (dx, dy) {
        (0, 0) => 0,
        _ if dy.abs() >= dx.abs() && dy < 0 => 1,
        _ if dy.abs() >= dx.abs() => 2,
        _ if dx < 0 => 3,
        _ => 4,
    }
}
