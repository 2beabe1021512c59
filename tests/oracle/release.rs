//! Releases again, from the words of their definition: of each event on which side of which release
//! it lies. Shares no code with the engine.

use super::faults::Fault;
use super::numbers::{Numbers, release_key};
use super::truth::Fact;
use super::world::World;
use std::collections::{BTreeMap, HashSet};
use upriver_collector::live::{HOUR_MS, WHOLE_HOURS, Window};
use upriver_collector::row::Kind;

const MINUTE_MS: u64 = 60_000;
/// Releases that are listed.
const LISTED: usize = 20;

/// Counts what was before and after each release, at a time, of those that went out in a stretch of
/// time; none: whose windows lie in the live range.
pub(super) fn count(
    world: &World,
    facts: &[Fact],
    (now_ms, went_out): (u64, Option<Window>),
    fault: Option<Fault>,
    numbers: &mut Numbers,
) {
    let from_ms = (now_ms / HOUR_MS - WHOLE_HOURS) * HOUR_MS;
    let mut first: BTreeMap<&str, u64> = BTreeMap::new();
    for fact in facts.iter().filter(|fact| !fact.release.is_empty()) {
        let known = first.entry(&fact.release).or_insert(fact.time);
        *known = fact.time.min(*known);
    }
    let defined = &world.site.releases;
    let mut all: Vec<(u64, &str, &str)> = Vec::new();
    for release in defined {
        all.push((release.at_ms, &release.name, &release.id));
    }
    for (name, at_ms) in first {
        if defined.iter().all(|release| release.name != name) {
            all.push((at_ms, name, ""));
        }
    }
    all.retain(|(at_ms, ..)| *at_ms <= now_ms);
    let now_minute_ms = now_ms / MINUTE_MS * MINUTE_MS;
    let mut listed = Vec::new();
    for (at_ms, name, id) in all {
        // The minute it went out in: [begins, ends).
        let begins = at_ms / MINUTE_MS * MINUTE_MS;
        let ends = begins + MINUTE_MS;
        let span_ms = now_minute_ms
            .saturating_sub(ends)
            .min(u64::from(world.release_minutes) * MINUTE_MS);
        let is_asked_for = match went_out {
            None => begins >= from_ms + span_ms,
            Some(Window::Since(from_ms)) => at_ms >= from_ms,
            Some(Window::Between(from_ms, to_ms)) => (from_ms..to_ms).contains(&at_ms),
            Some(_) => false,
        };
        if is_asked_for {
            let (begins, ends) = match fault {
                Some(Fault::ReleaseMinute) => (begins, begins),
                _ => (begins, ends),
            };
            listed.push((at_ms, name, id, begins, ends, span_ms));
        }
    }
    listed.sort_by_key(|(at_ms, name, id, ..)| (std::cmp::Reverse(*at_ms), *name, *id));
    for (at_ms, name, id, begins, ends, span_ms) in listed.into_iter().take(LISTED) {
        for (side, from, to) in [
            ("before", begins - span_ms, begins),
            ("after", ends, ends + span_ms),
        ] {
            let key = release_key(name, id, side);
            let within = facts.iter().filter(|fact| (from..to).contains(&fact.time));
            let mut distinct = HashSet::new();
            for fact in within {
                distinct.insert(("visitors", fact.visitor));
                let (events, visitors) = match fact.kind {
                    Kind::Conversion => ("conversions", "conversions_visitors"),
                    Kind::Rage => ("rages", "rages_visitors"),
                    Kind::Dead => ("dead_presses", "dead_presses_visitors"),
                    Kind::ErrorPress => ("error_presses", "error_presses_visitors"),
                    Kind::Fault => ("faults", "faults_visitors"),
                    _ => continue,
                };
                distinct.insert((visitors, fact.visitor));
                numbers.add(format!("{key}/{events}"), 1);
                if fact.kind == Kind::Conversion {
                    let name = format!("{key}/value/{}", fact.currency);
                    numbers.add(name, i128::from(fact.value));
                }
            }
            numbers.add(format!("{key}/at_ms"), i128::from(at_ms));
            numbers.add(format!("{key}/span_ms"), i128::from(span_ms));
            for (name, _) in distinct {
                numbers.add(format!("{key}/{name}"), 1);
            }
        }
    }
}
