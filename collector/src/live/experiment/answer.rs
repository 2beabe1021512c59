//! What is said about experiments: one row each, what it proves, and the definition and query that
//! stand beside it. Counts nothing.

use super::evidence::{ALPHA, ALPHA_SHARES, Arm, compare, log_evidence, rate_interval};
use super::{Counts, DAY_MS, Experiments};
use crate::config;
use crate::live::money;
use crate::live::names::{Names, OTHER_ID};
use crate::live::sql;
use std::collections::BTreeMap;
use upriver_wire::live::{ExperimentRow, VariantComparison, VariantRow, Verdict};

/// Evidence is told up to here; more says nothing more.
const EVIDENCE_MAX: f64 = 1e12;

/// A variant of one experiment: its name, planned share (0: not planned) and counts.
struct Told<'a> {
    name: &'a str,
    share: f64,
    counts: Counts,
}

impl Told<'_> {
    fn arm(&self) -> Arm {
        Arm {
            share: self.share,
            visitors: self.counts.visitors(),
            converted: self.counts.converted,
        }
    }
}

impl Experiments {
    /// The numbers now, by experiment. The second value counts sums too large to tell.
    pub(crate) fn rows(&self, currencies: &Names<Box<str>>) -> (Vec<ExperimentRow>, usize) {
        let mut seen: BTreeMap<&str, BTreeMap<&str, Counts>> = BTreeMap::new();
        for id in self.keys.ids().filter(|id| *id != OTHER_ID) {
            let key = self.keys.name(id);
            let counts = self.counts.get(id as usize).cloned().unwrap_or_default();
            if counts.visitors() > 0 {
                let variants = seen.entry(&key.experiment).or_default();
                variants.insert(&key.variant, counts);
            }
        }
        let mut too_large = 0;
        let mut rows = Vec::with_capacity(seen.len());
        for (experiment, variants) in seen {
            let plan = self.plans.iter().find(|plan| plan.id == experiment);
            let told = tell(plan, variants);
            let (row, left_out) = self.row(experiment, &told, currencies);
            too_large += left_out;
            rows.push(row);
        }
        (rows, too_large)
    }

    fn row(
        &self,
        experiment: &str,
        told: &[Told<'_>],
        currencies: &Names<Box<str>>,
    ) -> (ExperimentRow, usize) {
        let planned: Vec<&Told<'_>> = told.iter().filter(|told| told.share > 0.0).collect();
        let visitors: Vec<u64> = planned.iter().map(|told| told.counts.visitors()).collect();
        let shares: Vec<f64> = planned.iter().map(|told| told.share).collect();
        let against_shares = log_evidence(&visitors, &shares);
        let since = told
            .iter()
            .filter_map(|told| told.counts.days.keys().next());
        let since_day = since.min().copied().unwrap_or(self.first_day);
        let mut row = ExperimentRow {
            experiment: experiment.to_owned(),
            since_ms: since_day * DAY_MS,
            visitors: told.iter().map(|told| told.counts.visitors()).sum(),
            conflicting: told.iter().map(|told| told.counts.conflicting).sum(),
            shares_evidence: capped(against_shares),
            shares_sound: against_shares < -ALPHA_SHARES.ln(),
            // Shown first on the first day that counts: it may have begun before.
            whole: since_day > self.first_day,
            variants: Vec::with_capacity(told.len()),
        };
        let comparisons = planned.len().saturating_sub(1).max(1);
        let control = planned.first().map(|told| told.arm());
        let mut too_large = 0;
        for (at, told) in told.iter().enumerate() {
            let arm = told.arm();
            let (value, left_out) = money::total(std::iter::once(&told.counts.value), currencies);
            too_large += left_out;
            let rest = arm.visitors - arm.converted;
            let (rate_low, rate_high) = rate_interval(arm.converted, rest, ALPHA);
            let control = control.filter(|_| at > 0 && told.share > 0.0);
            row.variants.push(VariantRow {
                variant: told.name.to_owned(),
                share: told.share,
                visitors: arm.visitors,
                converted: arm.converted,
                conversions: told.counts.conversions,
                value,
                rate: arm.rate(),
                rate_low,
                rate_high,
                comparison: control
                    .map(|control| comparison(&row, control, arm, ALPHA / comparisons as f64)),
            });
        }
        (row, too_large)
    }
}

/// The variants with their planned shares, the control first: as the plan says, else all that were
/// seen, by name, in equal shares. What was seen and not planned comes last, with no share.
fn tell<'a>(
    plan: Option<&'a config::Experiment>,
    mut seen: BTreeMap<&'a str, Counts>,
) -> Vec<Told<'a>> {
    let mut told = Vec::new();
    let all: f64 = plan.map_or(0.0, |plan| plan.variants.iter().map(|one| one.share).sum());
    for variant in plan.iter().flat_map(|plan| &plan.variants) {
        told.push(Told {
            name: &variant.name,
            share: variant.share / all,
            counts: seen.remove(variant.name.as_str()).unwrap_or_default(),
        });
    }
    let share = if plan.is_some() {
        0.0
    } else {
        1.0 / seen.len() as f64
    };
    told.extend(seen.into_iter().map(|(name, counts)| Told {
        name,
        share,
        counts,
    }));
    told
}

fn comparison(row: &ExperimentRow, control: Arm, arm: Arm, alpha: f64) -> VariantComparison {
    let found = compare(control, arm, alpha);
    let verdict = if !row.shares_sound {
        Verdict::Unsound
    } else if !row.whole {
        Verdict::TooOld
    } else if !found.proven {
        Verdict::Open
    } else if found.lift_low > 0.0 {
        Verdict::Better
    } else {
        Verdict::Worse
    };
    VariantComparison {
        lift: found.lift,
        lift_low: found.lift_low,
        lift_high: Some(found.lift_high).filter(|high| high.is_finite()),
        difference: found.difference,
        difference_low: found.difference_low,
        difference_high: found.difference_high,
        evidence: capped(found.log_evidence),
        verdict,
    }
}

fn capped(log: f64) -> f64 {
    log.exp().min(EVIDENCE_MAX)
}

/// The definition in words.
pub(crate) const DEFINITION: &str = "Exposures and conversions of the last 30 whole days and the \
    begun one (UTC), or of as many as are kept whole. A visitor belongs to the variant of their first exposure to the experiment, by \
    ord; of several at the same ord, the first by name. Conflicting: visitors who were shown \
    another variant later; they stay with the first. Conversions: those after that exposure, by \
    ord. Converted: visitors with at least one. Value: sum over these conversions, in millionths, \
    by currency. Rate: converted / visitors so far. Intervals, evidence and verdict hold at every \
    moment at once, however often they are looked at: all comparisons of an experiment together are \
    wrong, ever, with probability at most 5 %. Lift and evidence come from the share of the variant \
    among those who converted, beside its planned share; they need visitors to be assigned \
    independently with the planned shares, and nothing of the rate, which may change with time. The \
    interval of a rate holds for one rate all along; visitors who may still convert count as not \
    converted. Shares: evidence that visitors are not assigned as planned; unsound at 100, and then \
    nothing is proven.";

/// The query that gives the same counts: one row an experiment and variant.
pub(crate) fn query(site: &str, from_ms: u64) -> String {
    let rows = sql::in_range(site, from_ms);
    format!(
        "WITH\n    shown AS\n    (\n        \
         SELECT visitor, name AS experiment, min((ord, props['variant'])) AS first,\n            \
         uniqExact(props['variant']) > 1 AS conflicts\n        \
         FROM events\n        WHERE {rows} AND kind = 'exposure'\n        \
         GROUP BY visitor, experiment\n    ),\n    bought AS\n    (\n        \
         SELECT visitor, groupArray((ord, value, currency)) AS conversions\n        \
         FROM events\n        WHERE {rows} AND kind = 'conversion'\n        GROUP BY visitor\n    )\n\
         SELECT experiment, first.2 AS variant, count() AS visitors,\n    \
         countIf(conflicts) AS conflicting, countIf(notEmpty(after)) AS converted,\n    \
         sum(length(after)) AS conversions,\n    \
         CAST(sumMap(arrayMap(c -> c.3, valued), \
         arrayMap(c -> toInt128(toDecimal128(c.2, 6) * 1000000), valued)), \
         'Map(String, Int128)') AS value_micros\n\
         FROM\n(\n    \
         SELECT experiment, first, conflicts,\n        \
         arrayFilter(c -> c.1 > first.1, conversions) AS after,\n        \
         arrayFilter(c -> c.2 != 0 OR c.3 != '', after) AS valued\n    \
         FROM shown LEFT JOIN bought ON shown.visitor = bought.visitor\n)\n\
         GROUP BY experiment, variant\nORDER BY experiment, variant"
    )
}
