//! What happens now, and who is here, again from the words of their definitions. Shares no code with
//! the engine.

use super::faults::Fault;
use super::numbers::{Numbers, activity_key, here};
use super::recount::{like, or_none, tie};
use super::truth::Fact;
use super::world::World;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use upriver_collector::live::limits::VISITOR_ROWS_MAX;
use upriver_collector::live::{ActivityFilter, HOUR_MS, WHOLE_HOURS};
use upriver_collector::row::Kind;

const MINUTE_MS: u64 = 60_000;
/// Items that are told, and those of each kind among which they are.
const TOLD: usize = 100;
const OF_KIND: usize = 500;

/// Lists the events of each feed that is asked for, and who is here.
pub(super) fn count(
    world: &World,
    facts: &[Fact],
    now_ms: u64,
    fault: Option<Fault>,
    numbers: &mut Numbers,
) {
    let from_ms = (now_ms / HOUR_MS - WHOLE_HOURS) * HOUR_MS;
    let mut newest: Vec<&Fact> = facts
        .iter()
        .filter(|fact| fact.received_ms >= from_ms)
        .collect();
    newest.sort_by_key(|fact| Reverse(order(fact)));
    let mut of_kind: HashMap<Kind, usize> = HashMap::new();
    newest.retain(|fact| {
        let before = of_kind.entry(fact.kind).or_default();
        *before += 1;
        is_told(fact.kind) && *before <= OF_KIND
    });
    for (place, wanted) in world.feeds.iter().enumerate() {
        let found = newest.iter().filter(|fact| wants(wanted, fact));
        for fact in found.take(TOLD) {
            let visitor = format!("{:032x}", fact.visitor);
            let place = format!("{place}/");
            let name = activity_key(
                &place,
                &visitor[..8],
                fact.kind.name(),
                fact.time,
                &fact.path,
            );
            numbers.add(format!("{name}/{:016x}", fact.element), 1);
        }
    }
    present(facts, (from_ms, now_ms), fault, numbers);
}

fn present(
    facts: &[Fact],
    (from_ms, now_ms): (u64, u64),
    fault: Option<Fault>,
    numbers: &mut Numbers,
) {
    let mut visitors: HashMap<u128, Vec<&Fact>> = HashMap::new();
    for fact in facts
        .iter()
        .filter(|fact| fact.received_ms + 5 * MINUTE_MS > now_ms)
    {
        visitors.entry(fact.visitor).or_default().push(fact);
    }
    let mut minutes: HashMap<u128, BTreeSet<u64>> = HashMap::new();
    for fact in facts.iter().filter(|fact| fact.time >= from_ms) {
        let own = minutes.entry(fact.visitor).or_default();
        own.insert(fact.time / MINUTE_MS);
    }
    let mut all = Vec::new();
    for (visitor, facts) in &visitors {
        let Some(last) = facts.iter().max_by_key(|fact| order(fact)) else {
            continue;
        };
        numbers.add(here("online", ""), 1);
        numbers.add(here("page", or_none(&last.path)), 1);
        numbers.add(here("campaign", or_none(&last.campaign)), 1);
        numbers.add(here("device", last.device.name()), 1);
        let told = facts
            .iter()
            .filter(|fact| is_told(fact.kind) || fault == Some(Fault::Untold));
        let did = told.max_by_key(|fact| order(fact));
        // From one minute to the one before, as long as that is near.
        let mut since = None;
        for minute in minutes.get(visitor).into_iter().flatten().rev() {
            if since.is_none_or(|since| since - minute <= 5) {
                since = Some(*minute);
            } else {
                break;
            }
        }
        let since_ms = since.map_or(last.received_ms, |minute| minute * MINUTE_MS);
        all.push((Reverse(last.received_ms), *visitor, last, did, since_ms));
    }
    all.sort_by_key(|(last_ms, visitor, ..)| (*last_ms, *visitor));
    for (Reverse(last_ms), visitor, last, did, since_ms) in all.into_iter().take(VISITOR_ROWS_MAX) {
        let element = format!("{:016x}", did.map_or(0, |fact| fact.element));
        let with = [
            or_none(&last.path),
            last.device.name(),
            or_none(&last.campaign),
            did.map_or("", |fact| fact.kind.name()),
            &element,
        ];
        let visitor = uuid::Uuid::from_u128(visitor).to_string();
        numbers.here(&visitor, with, since_ms, last_ms);
    }
}

fn order(fact: &Fact) -> (u64, u64, u32) {
    (fact.received_ms, fact.ord, tie(fact))
}

fn is_told(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Path
            | Kind::Attention
            | Kind::Impression
            | Kind::Visibility
            | Kind::Consent
            | Kind::Identify
    )
}

fn wants(wanted: &ActivityFilter, fact: &Fact) -> bool {
    let named = matches!(fact.kind, Kind::Custom | Kind::Conversion);
    let is = |wanted: &Option<String>, name: &str| {
        wanted
            .as_deref()
            .is_none_or(|wanted| wanted == or_none(name))
    };
    (wanted.kinds.is_empty() || wanted.kinds.contains(&fact.kind))
        && wanted
            .page
            .as_ref()
            .is_none_or(|page| like(page, &fact.path))
        && wanted.element.is_none_or(|element| element == fact.element)
        && wanted
            .event
            .as_ref()
            .is_none_or(|event| named && *event == fact.name)
        && is(&wanted.campaign, &fact.campaign)
        && is(&wanted.source, &fact.source)
        && wanted.device.is_none_or(|device| device == fact.device)
        && !(wanted.human && fact.robot)
}
