//! Where visits come from again, from the words of the definition: each visit by itself. Shares no
//! code with the engine.

use super::faults::Fault;
use super::numbers::Numbers;
use super::recount::tie;
use super::truth::Fact;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use upriver_collector::row::Kind;

/// Counts visits by what their first page view says. `facts` are those of the range.
pub(super) fn count(facts: &[&Fact], fault: Option<Fault>, numbers: &mut Numbers) {
    let mut visits: BTreeMap<(u128, u64), Vec<&Fact>> = BTreeMap::new();
    for fact in facts {
        let visit = (fact.visitor, fact.session);
        visits.entry(visit).or_default().push(fact);
    }
    let mut distinct: BTreeSet<(String, u128)> = BTreeSet::new();
    for ((visitor, _), facts) in visits {
        let views = facts.iter().filter(|fact| fact.kind == Kind::PageView);
        let order = |fact: &&&Fact| (fact.ord, tie(fact));
        let first = match fault {
            Some(Fault::LastView) => views.min_by_key(|fact| Reverse(order(fact))),
            _ => views.min_by_key(order),
        };
        let key = first.map_or("sources/(unknown)||".into(), |view| {
            let host = view.referrer.split_once('/');
            let host = host.map_or(&*view.referrer, |(host, _)| host);
            let host = if host == "shop.example" { "" } else { host };
            format!("sources/{}||{host}", view.source)
        });
        distinct.insert((format!("{key}/visitors"), visitor));
        for fact in facts {
            match fact.kind {
                Kind::Press | Kind::Scroll | Kind::Swipe | Kind::Custom => {
                    distinct.insert((format!("{key}/engaged"), visitor));
                }
                Kind::Conversion => {
                    distinct.insert((format!("{key}/converted"), visitor));
                    numbers.add(format!("{key}/conversions"), 1);
                    let name = format!("{key}/value/{}", fact.currency);
                    numbers.add(name, i128::from(fact.value));
                }
                _ => {}
            }
        }
    }
    for (name, _) in distinct {
        numbers.add(name, 1);
    }
}
