//! A short run of the oracle: live = recount = SQL, and every planted fault is seen.

use anyhow::{Result, ensure};
use upriver_tests::oracle::{Plan, run};

#[tokio::test]
async fn live_is_the_recount_is_the_sql_and_planted_faults_are_seen() -> Result<()> {
    let plan = Plan {
        cases: 40,
        seed: 20_261_121,
        large_visitors: 200,
        whole: 1,
    };
    let outcome = run(plan, |_, _| ()).await?;
    let (pure, whole) = (&outcome.pure, &outcome.whole);
    ensure!(pure.differences.is_empty(), "{:#?}", pure.differences[0]);
    ensure!(whole.differences.is_empty(), "{:#?}", whole.differences[0]);
    for (fault, seen) in &outcome.faults {
        ensure!(seen.is_some(), "planted and not seen: {}", fault.words());
    }
    // A run without what makes counting hard would show nothing.
    for (what, events) in &pure.interest {
        ensure!(*events > 100, "only {events} events {what}");
    }
    ensure!(outcome.sql.1 > 1_000, "SQL gave {} numbers", outcome.sql.1);
    Ok(())
}
