//! Errors of scripts again, from the words of the definition: for each, every chain of what came
//! before it is tried. Shares no code with the engine.

use super::faults::Fault;
use super::numbers::Numbers;
use super::recount::{matches, place};
use super::truth::Fact;
use super::world::World;
use std::collections::{BTreeSet, HashMap};
use upriver_collector::row::Kind;
use upriver_wire::batch::Body;

/// Counts errors by where they happened. `visitors` are the facts of the range by visitor.
pub(super) fn count(
    world: &World,
    visitors: &HashMap<u128, Vec<&Fact>>,
    fault: Option<Fault>,
    numbers: &mut Numbers,
) {
    let mut distinct: BTreeSet<(String, u128)> = BTreeSet::new();
    let mut last: HashMap<String, u64> = HashMap::new();
    for (visitor, facts) in visitors {
        for error in facts.iter().filter(|fact| fact.kind == Kind::Fault) {
            let Body::Fault(said) = &error.body else {
                continue;
            };
            let key = format!("errors/{}|{}|{}", said.message, said.source, said.line);
            let mut add = |name: String| {
                numbers.add(format!("{name}/errors"), 1);
                distinct.insert((format!("{name}/visitors"), *visitor));
            };
            add(format!("{key}//0"));
            let known = last.entry(format!("{key}//0/last_ms")).or_default();
            *known = error.time.max(*known);
            for funnel in &world.site.funnels {
                let window_ms = funnel.window.as_millis() as u64;
                let mut before: Vec<&Fact> = facts.clone();
                if fault != Some(Fault::StepAfter) {
                    before.retain(|fact| fact.ord < error.ord);
                }
                let excludes = before.iter().filter(|fact| {
                    let excludes = |event| matches(event, fact);
                    fact.ord < error.ord && funnel.excludes.iter().any(excludes)
                });
                let excluded = excludes.map(|fact| fact.ord).max();
                before.retain(|fact| {
                    excluded.is_none_or(|ord| fact.ord > ord) && fact.time + window_ms >= error.time
                });
                let step = place(&before, funnel, None).map_or(0, |place| place.level);
                add(format!("{key}/{}/{step}", funnel.id));
            }
        }
    }
    for (name, ms) in last {
        numbers.add(name, i128::from(ms));
    }
    for (name, _) in distinct {
        numbers.add(name, 1);
    }
}
