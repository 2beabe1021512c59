//! The board of elements again from the words of its definition: every visitor is asked about every
//! element. Shares no code with the engine.

use super::faults::Fault;
use super::heat::{Firsts, counts, firsts};
use super::numbers::{Numbers, board_key};
use super::truth::Fact;
use std::collections::{BTreeSet, HashMap};
use upriver_collector::live::{By, Filter};
use upriver_collector::row::Kind;
use upriver_wire::batch::Body;

/// What one visitor did with one element.
#[derive(Default)]
struct Deeds {
    events: [i128; 5],
    groups: BTreeSet<String>,
}

/// Counts boards, each under its place.
pub(super) fn count(
    boards: &[(Filter, By)],
    facts: &[Fact],
    now_ms: u64,
    fault: Option<Fault>,
    numbers: &mut Numbers,
) {
    let firsts: Firsts = firsts(facts);
    for (place, (filter, by)) in boards.iter().enumerate() {
        let key = board_key(place);
        let mut found: HashMap<(u64, u128), Deeds> = HashMap::new();
        for fact in facts.iter().filter(|fact| fact.element != 0) {
            let kind = match fact.kind {
                Kind::Impression => 0,
                Kind::Press => 1,
                Kind::Hesitation => 2,
                Kind::Rage => 3,
                Kind::Dead => 4,
                _ => continue,
            };
            if counts(fact, filter, now_ms, &firsts, fault) {
                let deeds = found.entry((fact.element, fact.visitor)).or_default();
                deeds.events[kind] += 1;
                deeds.groups.extend(groups(*by, fact));
            }
        }
        for ((element, _), deeds) in found {
            let [saw, pressed, hesitated, ..] = deeds.events.map(|count| count > 0);
            let key = format!("{key}/{element:016x}");
            let names = [
                "impressions",
                "presses",
                "hesitations",
                "rages",
                "dead_presses",
            ];
            for (name, count) in names.iter().zip(deeds.events) {
                numbers.add(format!("{key}//{name}"), count);
            }
            let all = ["".to_owned()].into_iter().chain(deeds.groups);
            for value in all {
                let mut add = |name: &str, is: bool| {
                    numbers.add(format!("{key}/{value}/{name}"), i128::from(is));
                };
                add("seen", saw);
                add("pressed", pressed);
                add("hesitated", hesitated);
                let undecided = hesitated && (!pressed || fault == Some(Fault::Undecided));
                add("undecided", undecided);
                if value.is_empty() {
                    add("seen_pressed", saw && pressed);
                }
            }
        }
    }
}

fn groups(by: By, fact: &Fact) -> Vec<String> {
    let Body::Impression(seen) = &fact.body else {
        return Vec::new();
    };
    let look = &seen.look;
    match by {
        By::Nothing => Vec::new(),
        By::Variant if fact.variants.is_empty() => vec!["(none)".into()],
        By::Variant => {
            let shown = fact.variants.iter();
            shown.map(|(e, v)| format!("{e}={v}")).collect()
        }
        By::Colour => vec![format!("#{:06x}", look.background)],
        By::Shape => {
            let shorter = look.size.w.min(look.size.h);
            let word = match u32::from(look.radius) {
                0 => "square",
                radius if radius * 2 < shorter => "rounded",
                _ => "round",
            };
            vec![word.into()]
        }
        By::Size => vec![format!(
            "{}×{}",
            look.size.w / 20 * 20,
            look.size.h / 20 * 20
        )],
        By::Position => {
            if fact.viewport.1 == 0 || fact.document.0 == 0 {
                return vec!["unknown".into()];
            }
            let middle = |at: i32, length: u32| i64::from(at) + i64::from(length / 2);
            let (x, y) = (middle(look.x, look.size.w), middle(look.y, look.size.h));
            let screens = (1..).find(|screens| y < screens * i64::from(fact.viewport.1));
            let third = (1..3).find(|third| x * 3 < third * i64::from(fact.document.0));
            let third = ["left", "centre", "right"][third.unwrap_or(3) as usize - 1];
            vec![format!("screen {}, {third}", screens.unwrap_or(1))]
        }
    }
}
