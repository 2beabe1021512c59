//! What counts prove while someone watches them all the time: evidence that shares are not the
//! planned ones, and intervals that hold at every moment at once.
//!
//! Pure arithmetic over counts. Knows no visitors, no time and no order: the same counts give the
//! same answer, whatever way they were reached.
//!
//! Everything here is one idea, Robbins' mixture (H. Robbins, "Statistical methods related to the
//! law of the iterated logarithm", 1970) over Dirichlet distributions, as M. Lindon and A. Malek
//! use it for experiments ("Anytime-valid inference for multinomial count data", 2022). Draw one
//! category after another, independently, with fixed shares s. The likelihood of what was drawn
//! under a mixture of other shares, divided by its likelihood under s, is a martingale that starts
//! at 1: however long and however often one looks, it *ever* reaches 1/α with probability at most α
//! (Ville's inequality). Shares whose ratio is below 1/α form the interval.

/// The chance of ever being wrong that intervals and verdicts allow, per experiment.
pub const ALPHA: f64 = 0.05;
/// The part of [`ALPHA`] a difference of rates spends on the rate itself; the rest is for the lift.
const ALPHA_RATE: f64 = 0.005;
/// The chance of ever calling a sound assignment of visitors unsound.
pub const ALPHA_SHARES: f64 = 0.01;
/// How firmly the mixture expects shares near the planned ones: it is best where the share of one
/// of two is off by about a half over the root of the number, a few hundredths.
const NEAR_PLAN: [f64; 2] = [100.0, 1_000.0];
/// The same for a rate, of which nothing is expected (Jeffreys' prior).
const ANY_RATE: [f64; 1] = [1.0];
/// Halvings of an interval's end: more than a double can hold.
const HALVINGS: usize = 60;

/// The logarithm of the evidence that categories were not drawn with these shares. Reaches
/// `ln(1/α)`, ever, with probability at most α if they were, each draw independent of the others.
/// `shares` are positive and sum to 1, one for each count.
pub fn log_evidence(counts: &[u64], shares: &[f64]) -> f64 {
    let likelihood: f64 = counts
        .iter()
        .zip(shares)
        .map(|(count, share)| *count as f64 * share.ln())
        .sum();
    log_mixture(counts, shares, &NEAR_PLAN) - likelihood
}

/// The probability of a share, its interval at every moment: of `part` of `part + rest`
/// independent draws with one probability, which lies in the interval at all moments together with
/// probability at least `1 − alpha`. From 0 to 1 of no draws.
pub fn rate_interval(part: u64, rest: u64, alpha: f64) -> (f64, f64) {
    interval(
        part,
        rest,
        log_mixture(&[part, rest], &[0.5, 0.5], &ANY_RATE),
        alpha,
    )
}

/// One of two variants that are compared: its planned share of the visitors, and how many of them
/// there are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arm {
    /// Planned share of all visitors of the experiment, above 0.
    pub share: f64,
    /// Visitors.
    pub visitors: u64,
    /// Those of them who converted.
    pub converted: u64,
}

impl Arm {
    /// `converted / visitors`; 0 without visitors.
    pub fn rate(&self) -> f64 {
        if self.visitors == 0 {
            return 0.0;
        }
        self.converted as f64 / self.visitors as f64
    }
}

/// How a variant does beside the control.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Rate of the variant over that of the control, less 1; 0 where either has none.
    pub lift: f64,
    /// From where…
    pub lift_low: f64,
    /// …to where the lift may be; no end upwards is infinite.
    pub lift_high: f64,
    /// Rate of the variant less that of the control.
    pub difference: f64,
    /// From where…
    pub difference_low: f64,
    /// …to where it may be.
    pub difference_high: f64,
    /// Logarithm of the evidence that the two differ.
    pub log_evidence: f64,
    /// Whether it is enough, at `alpha`.
    pub proven: bool,
}

/// Compares a variant with the control. `alpha` is this comparison's share of [`ALPHA`].
///
/// Only the converted decide about the lift: if the variant makes no difference to whether and
/// when a visitor converts, and visitors were assigned independently with the planned shares, each
/// converted visitor belongs to the variant with the same known probability. That holds however
/// long conversions take and however the rate changes with the hour, the day or a campaign. The
/// interval of the lift holds while the *ratio* of the two is one and the same all along.
pub fn compare(control: Arm, variant: Arm, alpha: f64) -> Comparison {
    let planned = variant.share / (control.share + variant.share);
    let counts = [variant.converted, control.converted];
    let mixture = log_mixture(&counts, &[planned, 1.0 - planned], &NEAR_PLAN);
    let alpha_lift = alpha * (1.0 - ALPHA_RATE / ALPHA);
    let (low, high) = interval(counts[0], counts[1], mixture, alpha_lift);
    let ratio = |share: f64| share / (1.0 - share) * (1.0 - planned) / planned;
    let (ratio_low, ratio_high) = (ratio(low), ratio(high));
    let (visitors, converted) = (
        control.visitors + variant.visitors,
        control.converted + variant.converted,
    );
    let rest = visitors.saturating_sub(converted);
    let rate = rate_interval(converted, rest, alpha * ALPHA_RATE / ALPHA);
    let log_evidence = log_evidence(&counts, &[planned, 1.0 - planned]);
    Comparison {
        lift: if control.rate() > 0.0 {
            variant.rate() / control.rate() - 1.0
        } else {
            0.0
        },
        lift_low: ratio_low - 1.0,
        lift_high: ratio_high - 1.0,
        difference: variant.rate() - control.rate(),
        difference_low: difference(rate, ratio_low, planned).0,
        difference_high: difference(rate, ratio_high, planned).1,
        log_evidence,
        proven: log_evidence >= -alpha_lift.ln(),
    }
}

/// The least and greatest difference of two rates whose ratio is `ratio` and whose mean, weighted
/// with the planned shares, lies in `rate`.
fn difference(rate: (f64, f64), ratio: f64, planned: f64) -> (f64, f64) {
    let per_rate = if ratio.is_finite() {
        (ratio - 1.0) / (1.0 - planned + planned * ratio)
    } else {
        1.0 / planned
    };
    let ends = [rate.0 * per_rate, rate.1 * per_rate].map(|end| end.clamp(-1.0, 1.0));
    (ends[0].min(ends[1]), ends[0].max(ends[1]))
}

/// The probabilities of a part that a mixture does not rule out.
fn interval(part: u64, rest: u64, log_mixture: f64, alpha: f64) -> (f64, f64) {
    if part + rest == 0 {
        return (0.0, 1.0);
    }
    let (part, rest) = (part as f64, rest as f64);
    let ruled_out = |share: f64| {
        // 0 · ln 0 is 0: what never happened says nothing against a share of 0.
        let log = |count: f64, share: f64| {
            if count > 0.0 { count * share.ln() } else { 0.0 }
        };
        log_mixture - log(part, share) - log(rest, 1.0 - share) >= -alpha.ln()
    };
    let best = part / (part + rest);
    // The likelihood falls on both sides of its peak, so each end is found by halving.
    let end = |outside: f64| {
        if !ruled_out(outside) {
            return outside;
        }
        let (mut outside, mut inside) = (outside, best);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(outside, inside);
            if ruled_out(middle) {
                outside = middle;
            } else {
                inside = middle;
            }
        }
        // The outer side, so that rounding never narrows the interval.
        outside
    };
    (end(0.0), end(1.0))
}

/// The logarithm of the likelihood of an order of draws with these counts, under equal parts of
/// Dirichlet distributions around `shares` with these concentrations.
fn log_mixture(counts: &[u64], shares: &[f64], concentrations: &[f64]) -> f64 {
    let total: f64 = counts.iter().map(|count| *count as f64).sum();
    let one = |concentration: f64| {
        let parts = counts.iter().zip(shares).map(|(count, share)| {
            let prior = concentration * share;
            ln_gamma(prior + *count as f64) - ln_gamma(prior)
        });
        ln_gamma(concentration) - ln_gamma(concentration + total) + parts.sum::<f64>()
    };
    let logs = concentrations
        .iter()
        .map(|concentration| one(*concentration));
    let greatest = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logs.map(|log| (log - greatest).exp()).sum();
    greatest + (sum / concentrations.len() as f64).ln()
}

/// The logarithm of the gamma function of a positive number, to about 14 digits: Stirling's
/// series, after the recurrence has made the number large enough for it.
fn ln_gamma(mut x: f64) -> f64 {
    const HALF_LN_TAU: f64 = 0.918_938_533_204_672_7;
    const LARGE: f64 = 10.0;
    let mut product = 1.0;
    while x < LARGE {
        product *= x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = (1.0 / 12.0
        - square
            * (1.0 / 360.0
                - square * (1.0 / 1_260.0 - square * (1.0 / 1_680.0 - square / 1_188.0))))
        / x;
    (x - 0.5) * x.ln() - x + HALF_LN_TAU + series - product.ln()
}
