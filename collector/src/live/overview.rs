//! The whole site in a few numbers.

use super::money::{self, Sums};
use super::names::Names;
use super::range::{Hour, HourSet, Hourly};
use super::sql;
use crate::row::{EventRow, Kind};
use upriver_wire::live::Overview;

/// The totals of one site.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    hours: Hourly<HourTotals>,
    pub(crate) visitors: u64,
}

#[derive(Debug, Default)]
struct HourTotals {
    kinds: [u64; Kind::ALL.len() + 1],
    value: Sums,
    /// Events of visitors that were not kept.
    visitor_not_kept: u64,
}

impl Totals {
    /// Counts an event.
    pub(crate) fn count(&mut self, row: &EventRow, hour: Hour, currency: Option<u32>, kept: bool) {
        let totals = self.hours.at(hour);
        totals.kinds[row.kind as usize] += 1;
        totals.visitor_not_kept += u64::from(!kept);
        if let Some(currency) = currency {
            totals.value.add(currency, row.value);
        }
    }

    /// Forgets hours; gives back their uses of currencies. Everyone else must have let go of them.
    pub(crate) fn forget(&mut self, gone: HourSet, currencies: &mut Names<Box<str>>) {
        self.hours.forget(gone, |hour| {
            for sum in hour.value.iter() {
                currencies.release(sum.currency, sum.values);
            }
        });
    }

    /// Whether every visitor of the range is kept.
    pub(crate) fn every_visitor_kept(&self) -> bool {
        self.visitor_not_kept() == 0
    }

    /// Events of visitors that were not kept.
    pub(crate) fn visitor_not_kept(&self) -> u64 {
        self.hours.values().map(|hour| hour.visitor_not_kept).sum()
    }

    /// The numbers now. The second value counts sums too large to tell.
    pub(crate) fn data(&self, currencies: &Names<Box<str>>) -> (Overview, usize) {
        let of = |kind: Kind| {
            self.hours
                .values()
                .map(|hour| hour.kinds[kind as usize])
                .sum()
        };
        let (value, too_large) =
            money::total(self.hours.values().map(|hour| &hour.value), currencies);
        let overview = Overview {
            basis: None,
            visitors: self.visitors,
            page_views: of(Kind::PageView),
            presses: of(Kind::Press),
            scrolls: of(Kind::Scroll),
            swipes: of(Kind::Swipe),
            customs: of(Kind::Custom),
            conversions: of(Kind::Conversion),
            exposures: of(Kind::Exposure),
            long_presses: of(Kind::LongPress),
            pinches: of(Kind::Pinch),
            hesitations: of(Kind::Hesitation),
            paths: of(Kind::Path),
            attention_reports: of(Kind::Attention),
            impressions: of(Kind::Impression),
            form_steps: of(Kind::Form),
            rages: of(Kind::Rage),
            dead_presses: of(Kind::Dead),
            error_presses: of(Kind::ErrorPress),
            thrashes: of(Kind::Thrash),
            faults: of(Kind::Fault),
            visibility_changes: of(Kind::Visibility),
            consents: of(Kind::Consent),
            identities: of(Kind::Identify),
            value,
        };
        (overview, too_large)
    }
}

/// The definition in words.
pub(crate) const DEFINITION: &str = "Distinct visitors with any event, events by kind, and the sum \
    of the conversions' values in millionths, by currency.";

/// The numbers of the overview that count the events of one kind, by the name of their field.
pub const COUNTED: [(&str, Kind); Kind::ALL.len()] = [
    ("page_views", Kind::PageView),
    ("presses", Kind::Press),
    ("scrolls", Kind::Scroll),
    ("swipes", Kind::Swipe),
    ("customs", Kind::Custom),
    ("conversions", Kind::Conversion),
    ("exposures", Kind::Exposure),
    ("long_presses", Kind::LongPress),
    ("pinches", Kind::Pinch),
    ("hesitations", Kind::Hesitation),
    ("paths", Kind::Path),
    ("attention_reports", Kind::Attention),
    ("impressions", Kind::Impression),
    ("form_steps", Kind::Form),
    ("rages", Kind::Rage),
    ("dead_presses", Kind::Dead),
    ("error_presses", Kind::ErrorPress),
    ("thrashes", Kind::Thrash),
    ("faults", Kind::Fault),
    ("visibility_changes", Kind::Visibility),
    ("consents", Kind::Consent),
    ("identities", Kind::Identify),
];

/// The query that gives the same numbers: one row.
pub(crate) fn query(site: &str, from_ms: u64) -> String {
    let count = |(name, kind): (&str, Kind)| {
        let kind = sql::literal(kind.name());
        format!("    countIf(kind = {kind}) AS {name},\n")
    };
    format!(
        "SELECT uniqExact(visitor) AS visitors,\n{}    \
         sumMapIf(map(currency, toInt128(toDecimal128(value, 6) * 1000000)), \
         kind = 'conversion' AND (value != 0 OR currency != '')) AS value_micros\n\
         FROM events\nWHERE {}",
        COUNTED.map(count).concat(),
        sql::in_range(site, from_ms)
    )
}
