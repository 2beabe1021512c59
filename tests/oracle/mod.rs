//! The oracle: whether live = recount = SQL, for random sites and visitors, whatever order their
//! batches arrive in. Three tiers: many cases in this process against a recount, all of them against
//! the SQL beside each answer, and some through a whole collector with its own ClickHouse.
//!
//! Owns the generator, the recount and the comparison. Knows nothing of the engine's inside.

mod beside;
mod board;
mod case;
mod chance;
mod columns;
mod error;
mod faults;
mod heat;
mod kept;
mod naive;
mod now;
mod numbers;
mod pipeline;
mod recount;
mod release;
mod shown;
mod source;
mod truth;
mod walk;
mod whole;
mod world;

pub use beside::{Beside, rows};
pub use case::{Size, Tally, run as run_case};
pub use chance::Chance;
pub use faults::Fault;
pub(crate) use kept::{Told, live_differences, told, visit};
pub use naive::Naive;
pub use whole::run as run_whole;
pub use world::World;

use crate::Collector;
use anyhow::Result;

/// Of so many cases one is large.
const LARGE_EVERY: u64 = 10;
/// Cases in which a planted fault must show at least once.
pub const FAULT_CASES: u64 = 300;

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Random sites in this process.
    pub cases: u64,
    /// Their seed; each case has one of its own from it.
    pub seed: u64,
    /// Visitors of a large case, on average.
    pub large_visitors: u64,
    /// Sites with a whole collector.
    pub whole: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// In this process.
    pub pure: Tally,
    /// Answers whose SQL was run, numbers in them, rows inserted for them.
    pub sql: (u64, u64, u64),
    /// Through a whole collector.
    pub whole: Tally,
    /// Each planted fault and the cases it took to see it; none when it was not seen.
    pub faults: Vec<(Fault, Option<u64>)>,
}

impl Outcome {
    /// Whether nothing differed and every planted fault was seen.
    pub fn holds(&self) -> bool {
        self.pure.differences.is_empty()
            && self.whole.differences.is_empty()
            && self.faults.iter().all(|(_, seen)| seen.is_some())
    }
}

/// Runs all of a plan. `said` is told how far it is: cases done, visitors, differences.
///
/// # Errors
/// Something broke; a difference is not an error.
pub async fn run(plan: Plan, mut said: impl FnMut(u64, &Tally)) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut chance = Chance::new(plan.seed);
    let collector = Collector::start().await?;
    let mut beside = Beside::new(collector.clickhouse().await?).await?;
    for case in 0..plan.cases {
        let seed = chance.below(1 << 48);
        let size = if case % LARGE_EVERY == LARGE_EVERY - 1 {
            Size {
                visitors: plan.large_visitors / 2 + chance.below(plan.large_visitors),
                looks: 8,
                sql_looks: 2,
            }
        } else {
            Size {
                visitors: 1 + chance.below(10),
                looks: usize::MAX,
                sql_looks: 1,
            }
        };
        outcome
            .pure
            .add(run_case(seed, size, None, Some(&mut beside)).await?);
        said(case + 1, &outcome.pure);
    }
    outcome.pure.differences.extend(beside.run().await?);
    outcome.sql = (beside.answers, beside.numbers, beside.inserted);
    for fault in Fault::ALL {
        let seen = plant(fault, plan.seed, &mut beside).await?;
        outcome.faults.push((fault, seen));
    }
    drop(collector);
    if plan.whole > 0 {
        outcome.whole = run_whole(plan.seed, plan.whole).await?;
    }
    Ok(outcome)
}

/// Plants a fault into case after case until it is seen.
async fn plant(fault: Fault, seed: u64, beside: &mut Beside) -> Result<Option<u64>> {
    let mut chance = Chance::new(!seed);
    for case in 1..=FAULT_CASES {
        let size = Size {
            visitors: 20,
            looks: 1,
            sql_looks: 1,
        };
        let sql = fault.is_in_sql().then_some(&mut *beside);
        let mut tally = run_case(chance.below(1 << 48), size, Some(fault), sql).await?;
        if fault.is_in_sql() {
            tally.differences.extend(beside.run().await?);
        }
        if !tally.differences.is_empty() {
            return Ok(Some(case));
        }
    }
    Ok(None)
}
