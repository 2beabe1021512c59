//! Every number again from the words of its definition: look at each event, try every chain.
//! Shares no code with the engine.

use super::board;
use super::error;
use super::faults::Fault;
use super::heat;
use super::now;
use super::numbers::{NARROWED, Numbers};
use super::release;
use super::shown;
use super::source;
use super::truth::Fact;
use super::world::World;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use upriver_collector::config::{Funnel, Step};
use upriver_collector::live::limits::VISITOR_ROWS_MAX;
use upriver_collector::live::{Filter, HOUR_MS, Stayed, WHOLE_HOURS};
use upriver_collector::row::Kind;

/// Minutes of a campaign's sparkline.
const MINUTES: u64 = 30;

/// The numbers of a site at a time, Unix milliseconds.
pub(super) fn recount(world: &World, facts: &[Fact], now_ms: u64, fault: Option<Fault>) -> Numbers {
    let from_ms = (now_ms / HOUR_MS - WHOLE_HOURS) * HOUR_MS;
    let mut numbers = Numbers::default();
    heat::count(&world.heat_maps, facts, now_ms, fault, &mut numbers);
    board::count(&world.boards, facts, now_ms, fault, &mut numbers);
    shown::count(facts, now_ms, fault, &mut numbers);
    release::count(world, facts, (now_ms, None), fault, &mut numbers);
    now::count(world, facts, now_ms, fault, &mut numbers);
    let facts: Vec<&Fact> = facts.iter().filter(|fact| fact.time >= from_ms).collect();
    plain(&facts, now_ms, &mut numbers);
    source::count(&facts, fault, &mut numbers);
    let mut visitors: HashMap<u128, Vec<&Fact>> = HashMap::new();
    for fact in &facts {
        visitors.entry(fact.visitor).or_default().push(fact);
    }
    error::count(world, &visitors, fault, &mut numbers);
    for (at, funnel) in world.site.funnels.iter().enumerate() {
        let places = visitors
            .values()
            .filter_map(|facts| place(facts, funnel, fault));
        let places: Vec<_> = places.collect();
        for place in &places {
            count("", place, funnel, now_ms, &mut numbers);
        }
        // A measurement compares everyone's numbers only.
        if let Some((filter, step, state)) = world.narrowed.get(at) {
            let wanted = places.iter().filter(|place| begins(filter, place.entry));
            let wanted: Vec<_> = wanted.collect();
            for place in &wanted {
                count(NARROWED, place, funnel, now_ms, &mut numbers);
            }
            stayed(wanted, funnel, (*step, *state), now_ms, &mut numbers);
        }
    }
    numbers
}

pub(super) fn or_none(name: &str) -> &str {
    if name.is_empty() { "(none)" } else { name }
}

/// The numbers of what memory does not hold.
pub(super) fn beyond(world: &World, facts: &[Fact], now_ms: u64) -> Numbers {
    let mut numbers = Numbers::default();
    heat::count(&world.beyond, facts, now_ms, None, &mut numbers);
    board::count(&world.boards_beyond, facts, now_ms, None, &mut numbers);
    let when = (now_ms, Some(world.releases_beyond));
    release::count(world, facts, when, None, &mut numbers);
    numbers
}

/// Sums and distinct visitors.
fn plain(facts: &[&Fact], now_ms: u64, numbers: &mut Numbers) {
    let mut distinct: HashSet<(String, u128)> = HashSet::new();
    let first_minute = now_ms / 60_000 - (MINUTES - 1);
    for fact in facts {
        let campaign = format!("campaigns/{}||{}", fact.source, fact.campaign);
        let page = format!("pages/{}", fact.path);
        let mut seen = |name: String| distinct.insert((name, fact.visitor));
        seen("overview/visitors".into());
        seen(format!("{campaign}/visitors"));
        seen(format!("{page}/visitors"));
        let kind = match fact.kind {
            Kind::PageView => "page_views",
            Kind::Press => "presses",
            Kind::Scroll => "scrolls",
            Kind::Swipe => "swipes",
            Kind::Custom => "customs",
            Kind::Conversion => "conversions",
            Kind::Exposure => "exposures",
            Kind::LongPress => "long_presses",
            Kind::Pinch => "pinches",
            Kind::Hesitation => "hesitations",
            Kind::Path => "paths",
            Kind::Attention => "attention_reports",
            Kind::Impression => "impressions",
            Kind::Form => "form_steps",
            Kind::Rage => "rages",
            Kind::Dead => "dead_presses",
            Kind::ErrorPress => "error_presses",
            Kind::Thrash => "thrashes",
            Kind::Fault => "faults",
            Kind::Visibility => "visibility_changes",
            Kind::Consent => "consents",
            Kind::Identify => "identities",
        };
        numbers.add(format!("overview/{kind}"), 1);
        match fact.kind {
            Kind::Press | Kind::Scroll | Kind::Swipe | Kind::Custom => {
                seen(format!("{campaign}/engaged"));
                let press = i128::from(fact.kind == Kind::Press);
                numbers.add(format!("{page}/presses"), press);
            }
            Kind::Conversion => {
                seen(format!("{campaign}/converted"));
                numbers.add(format!("{campaign}/conversions"), 1);
                for key in ["overview", &campaign] {
                    let name = format!("{key}/value/{}", fact.currency);
                    numbers.add(name, i128::from(fact.value));
                }
            }
            Kind::PageView => {
                numbers.add(format!("{page}/views"), 1);
                let minute = (fact.time / 60_000).checked_sub(first_minute);
                if let Some(minute) = minute.filter(|minute| *minute < MINUTES) {
                    numbers.add(format!("{campaign}/minute/{minute}"), 1);
                }
            }
            // Counted in the overview, and a sign that the visitor was there.
            _ => {}
        }
    }
    for (name, _) in distinct {
        numbers.add(name, 1);
    }
}

/// How far a visitor got, and by which first event.
pub(super) struct Place<'a> {
    pub(super) level: usize,
    /// When they got there.
    reached_ms: u64,
    entry: &'a Fact,
    /// Of the first events that may still go on, the latest.
    latest_ms: Option<u64>,
}

/// Whether a filter wants what a visitor began with.
fn begins(filter: &Filter, entry: &Fact) -> bool {
    let campaign = filter.campaign.as_deref();
    let variant = filter.variant.as_deref();
    let mut variants = entry.variants.iter();
    filter.device.is_none_or(|device| device == entry.device)
        && campaign.is_none_or(|name| name == or_none(&entry.campaign))
        && variant.is_none_or(|name| variants.any(|(e, v)| name == format!("{e}={v}")))
        && !(filter.human && entry.robot)
}

fn is_open(place: &Place<'_>, funnel: &Funnel, now_ms: u64) -> bool {
    let window_ms = funnel.window.as_millis() as u64;
    let latest_ms = place.latest_ms;
    latest_ms.is_some_and(|latest_ms| now_ms <= latest_ms + window_ms)
}

/// Lists who of these stopped at a step, the last to get there first.
fn stayed(
    places: Vec<&Place<'_>>,
    funnel: &Funnel,
    (step, state): (usize, Stayed),
    now_ms: u64,
    numbers: &mut Numbers,
) {
    let last = funnel.steps.len();
    let mut places = places;
    places.retain(|place| match state {
        Stayed::Converted => place.level == last,
        _ if place.level == last => false,
        Stayed::Open => place.level == step && is_open(place, funnel, now_ms),
        Stayed::Lost => place.level == step && !is_open(place, funnel, now_ms),
    });
    places.sort_by_key(|place| (std::cmp::Reverse(place.reached_ms), place.entry.visitor));
    let key = format!("{NARROWED}stayed/{}/{}", funnel.id, state.name());
    for place in places.into_iter().take(VISITOR_ROWS_MAX) {
        let Fact {
            visitor,
            campaign,
            source,
            device,
            path,
            ..
        } = place.entry;
        let with = [
            or_none(campaign),
            or_none(source),
            device.name(),
            or_none(path),
        ];
        let visitor = uuid::Uuid::from_u128(*visitor).to_string();
        numbers.stayed(&key, &visitor, place.entry.time, place.reached_ms, with);
    }
}

fn count(whose: &str, place: &Place<'_>, funnel: &Funnel, now_ms: u64, numbers: &mut Numbers) {
    let key = format!("{whose}funnel/{}", funnel.id);
    let mut groups = vec![
        format!("campaign/{}", or_none(&place.entry.campaign)),
        format!("device/{}", place.entry.device.name()),
        format!("page/{}", or_none(&place.entry.path)),
        format!("source/{}", or_none(&place.entry.source)),
    ];
    let variants = place.entry.variants.iter();
    groups.extend(variants.map(|(e, v)| format!("variant/{e}={v}")));
    if place.entry.variants.is_empty() {
        groups.push("variant/(none)".into());
    }
    for step in 1..=place.level {
        numbers.add(format!("{key}/{step}/visitors"), 1);
        for group in &groups {
            numbers.add(format!("{key}/group/{group}/{step}"), 1);
        }
    }
    if place.level < funnel.steps.len() {
        let open = is_open(place, funnel, now_ms);
        let name = if open { "open" } else { "lost" };
        numbers.add(format!("{key}/{}/{name}", place.level), 1);
    } else {
        // All digits but the first two become 0.
        let ms = (place.reached_ms - place.entry.time).to_string();
        let (lead, rest) = ms.split_at(ms.len().min(2));
        let zeros = "0".repeat(rest.len());
        numbers.add(format!("{key}/took/{lead}{zeros}"), 1);
    }
}

/// A chain as far as it matters for what may follow: the order of its last event, and which events
/// of that same order it has used.
type End = (u64, Vec<usize>);

/// Tries every chain of different events.
pub(super) fn place<'a>(
    facts: &[&'a Fact],
    funnel: &Funnel,
    fault: Option<Fault>,
) -> Option<Place<'a>> {
    let window_ms = funnel.window.as_millis() as u64;
    let window_ms = match fault {
        Some(Fault::WindowLonger) => window_ms + 1,
        Some(Fault::WindowShorter) => window_ms - 1,
        _ => window_ms,
    };
    let ord = |fact: &Fact| match fault {
        Some(Fault::TieOrder) => fact.ord ^ 0xf_ffff,
        _ => fact.ord,
    };
    let excluding: Vec<u64> = facts
        .iter()
        .filter(|fact| funnel.excludes.iter().any(|event| matches(event, fact)))
        .map(|fact| ord(fact))
        .collect();
    let excluded = |from: u64, to: u64| {
        let found = excluding.iter().any(|ord| (from..to).contains(ord));
        found && fault != Some(Fault::ExclusionIgnored)
    };
    let rows: Vec<(&'a Fact, Vec<bool>)> = facts
        .iter()
        .map(|fact| {
            (
                *fact,
                funnel
                    .steps
                    .iter()
                    .map(|step| matches(step, fact))
                    .collect(),
            )
        })
        .collect();
    // Level, when it was first reached, the latest first event that reached it then.
    let mut best: Option<(usize, u64, &Fact)> = None;
    let mut latest_ms = None;
    for (at, (first, _)) in rows.iter().enumerate().filter(|(_, row)| row.1[0]) {
        if !excluded(ord(first), u64::MAX) {
            latest_ms = latest_ms.max(Some(first.time));
        }
        let mut ends: BTreeSet<End> = [(ord(first), vec![at])].into();
        let (mut level, mut reached) = (1, ord(first));
        for step in 1..funnel.steps.len() {
            let mut next: BTreeSet<End> = BTreeSet::new();
            for (last, used) in &ends {
                for (at, (fact, steps)) in rows.iter().enumerate() {
                    let own = ord(fact);
                    let free = fault == Some(Fault::UsedTwice) || !used.contains(&at);
                    let within = fact.time.saturating_sub(first.time) <= window_ms;
                    let fits = steps[step] && own >= *last && free && within;
                    if fits && !excluded(ord(first), own) {
                        let mut used = if own == *last {
                            used.clone()
                        } else {
                            Vec::new()
                        };
                        used.push(at);
                        used.sort_unstable();
                        next.insert((own, used));
                    }
                }
            }
            let Some((soonest, _)) = next.first() else {
                break;
            };
            (level, reached) = (step + 1, *soonest);
            ends = next;
        }
        let better = best.is_none_or(|(known, when, entry)| {
            let (mut order, mut other) = ((ord(first), tie(first)), (ord(entry), tie(entry)));
            if fault == Some(Fault::EarliestEntry) {
                std::mem::swap(&mut order, &mut other);
            }
            (level, std::cmp::Reverse(reached), order) > (known, std::cmp::Reverse(when), other)
        });
        if better {
            best = Some((level, reached, first));
        }
    }
    best.map(|(level, reached, entry)| Place {
        level,
        reached_ms: reached >> 20,
        entry,
        latest_ms,
    })
}

/// Which of two events of the same order is called the later one: the definition leaves it open,
/// so the engine's choice is followed here.
pub(super) fn tie(fact: &Fact) -> u32 {
    let (high, low) = ((fact.stream >> 64) as u64, fact.stream as u64);
    let seq = fact.seq.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (high ^ low.rotate_left(32) ^ seq).wrapping_mul(0xff51_afd7_ed55_8ccd);
    (mixed >> 32) as u32
}

pub(super) fn matches(step: &Step, fact: &Fact) -> bool {
    let element = format!("{:016x}", fact.element);
    step.kind == fact.kind
        && step.page.as_ref().is_none_or(|page| like(page, &fact.path))
        && step.element.as_ref().is_none_or(|id| *id == element)
        && step.event.as_ref().is_none_or(|name| *name == fact.name)
        && step.props.iter().all(|(name, wanted)| {
            let mut found = fact.props.iter().filter(|(known, _)| known == name);
            found.any(|(_, value)| like(wanted, value))
        })
}

/// Whether a text is what a pattern says, `*` being any characters.
pub(super) fn like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|after| {
            let mut ends = after.char_indices().map(|(at, _)| at).chain([after.len()]);
            ends.any(|at| like(rest, &after[at..]))
        }),
    }
}

/// How many events match several steps of one funnel, share their order with another of their
/// visitor, or came into an edge: what makes a run worth something.
pub(super) fn interest(world: &World, facts: &[Fact]) -> BTreeMap<&'static str, u64> {
    let mut found = BTreeMap::new();
    let mut orders: HashMap<(u128, u64), u64> = HashMap::new();
    let mut times: HashMap<(u128, u64), u64> = HashMap::new();
    for fact in facts {
        *orders.entry((fact.visitor, fact.ord)).or_default() += 1;
        *times.entry((fact.visitor, fact.time)).or_default() += 1;
        let several = world.site.funnels.iter().any(|funnel| {
            funnel
                .steps
                .iter()
                .filter(|step| matches(step, fact))
                .count()
                > 1
        });
        *found.entry("match_several_steps").or_default() += u64::from(several);
    }
    let shared = |counts: &HashMap<(u128, u64), u64>| counts.values().filter(|n| **n > 1).sum();
    found.insert("same_millisecond", shared(&times));
    found.insert("same_order", shared(&orders));
    found
}
