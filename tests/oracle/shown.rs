//! The numbers of experiments again, from the words of their definition. Shares no code with the
//! engine.

use super::faults::Fault;
use super::numbers::Numbers;
use super::truth::Fact;
use std::collections::{BTreeMap, HashMap};
use upriver_collector::live::EXPERIMENT_DAYS;
use upriver_collector::row::Kind;

const DAY_MS: u64 = 24 * 3_600_000;

/// Counts who was shown which variant first, and who converted after it.
pub(super) fn count(facts: &[Fact], now_ms: u64, fault: Option<Fault>, numbers: &mut Numbers) {
    let from_ms = (now_ms / DAY_MS - EXPERIMENT_DAYS) * DAY_MS;
    let mut shown: BTreeMap<(&str, u128), Vec<(u64, &str)>> = BTreeMap::new();
    let mut conversions: HashMap<u128, Vec<&Fact>> = HashMap::new();
    for fact in facts.iter().filter(|fact| fact.time >= from_ms) {
        match fact.kind {
            Kind::Exposure => {
                let variant = fact.variants.iter().find(|(name, _)| *name == fact.name);
                let variant = variant.map_or("", |(_, variant)| variant);
                let own = shown.entry((&fact.name, fact.visitor)).or_default();
                own.push((fact.ord, variant));
            }
            Kind::Conversion => conversions.entry(fact.visitor).or_default().push(fact),
            _ => {}
        }
    }
    for ((experiment, visitor), mut shown) in shown {
        shown.sort_unstable();
        let (first, variant) = shown[0];
        let name = format!("experiments/{experiment}/{variant}");
        let conflicts = shown.iter().any(|(_, other)| *other != variant);
        numbers.add(
            format!("experiments/{experiment}/conflicting"),
            i128::from(conflicts),
        );
        numbers.add(format!("{name}/visitors"), 1);
        let all = conversions.get(&visitor).into_iter().flatten();
        let after = all.filter(|fact| fact.ord > first || fault == Some(Fault::ConvertedBefore));
        let after: Vec<_> = after.collect();
        numbers.add(format!("{name}/converted"), i128::from(!after.is_empty()));
        numbers.add(format!("{name}/conversions"), after.len() as i128);
        for fact in after {
            let name = format!("{name}/value/{}", fact.currency);
            numbers.add(name, i128::from(fact.value));
        }
    }
}
