//! `oracle`: runs the oracle and prints what it compared. Fails when a number differs, or when a
//! fault that was planted is not seen. `cargo xtask oracle` builds and runs it.

// A command line talks to people through its standard streams.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use anyhow::{Result, ensure};
use clap::Parser;
use serde_json::json;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use upriver_tests::oracle::{Outcome, Plan, Tally, run};

/// Differences that are printed.
const SHOWN_MAX: usize = 5;

/// Compares live numbers, a recount and SQL for random sites and visitors.
#[derive(Parser)]
#[command(name = "oracle")]
struct Flags {
    /// Random sites in this process; one in ten has thousands of visitors.
    #[arg(long, default_value_t = 200)]
    cases: u64,
    /// Repeats a run exactly.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Visitors of a large site, on average.
    #[arg(long, default_value_t = 5_000)]
    large_visitors: u64,
    /// Random sites through a whole collector.
    #[arg(long, default_value_t = 5)]
    whole: u64,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let flags = Flags::parse();
    match judge(&flags).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn judge(flags: &Flags) -> Result<()> {
    let plan = Plan {
        cases: flags.cases,
        seed: flags.seed,
        large_visitors: flags.large_visitors,
        whole: flags.whole,
    };
    let begun = Instant::now();
    let mut told = begun;
    let outcome = run(plan, |cases, tally| {
        if told.elapsed() > Duration::from_secs(10) {
            told = Instant::now();
            eprintln!(
                "  {cases} of {} cases, {} visitors, {} with differences",
                plan.cases,
                tally.visitors,
                tally.differences.len()
            );
        }
    })
    .await?;
    let seconds = begun.elapsed().as_secs_f64();
    if flags.json {
        println!("{}", figures(plan, &outcome, seconds));
    } else {
        print(plan, &outcome, seconds);
    }
    let differences = outcome
        .pure
        .differences
        .iter()
        .chain(&outcome.whole.differences);
    for (case, differences) in differences.take(SHOWN_MAX) {
        eprintln!("\n{case}:\n  {}", differences.join("\n  "));
    }
    let unseen = outcome.faults.iter().filter(|(_, seen)| seen.is_none());
    let unseen: Vec<_> = unseen.map(|(fault, _)| fault.words()).collect();
    ensure!(
        unseen.is_empty(),
        "planted and not seen: {}",
        unseen.join("; ")
    );
    ensure!(outcome.holds(), "numbers differ (seed {})", plan.seed);
    Ok(())
}

fn print(plan: Plan, outcome: &Outcome, seconds: f64) {
    let line = |name: &str, tally: &Tally| {
        println!(
            "{name}: {} sites, {} visitors, {} batches, {} events sent, {} different ones,\n    \
             {} looks at {} numbers, {} with a difference",
            tally.cases,
            tally.visitors,
            tally.batches,
            tally.events_sent,
            tally.events,
            tally.looks,
            tally.numbers,
            tally.differences.len()
        );
        for (name, count) in &tally.interest {
            println!("    {} events {}", count, name.replace('_', " "));
        }
    };
    println!("seed {}, {seconds:.0} s", plan.seed);
    line("live = recount, in one process", &outcome.pure);
    let (answers, numbers, rows) = outcome.sql;
    println!("live = SQL, of the same: {answers} queries, {numbers} numbers, over {rows} rows");
    line("live = recount = SQL, whole collector", &outcome.whole);
    for (fault, seen) in &outcome.faults {
        match seen {
            Some(case) => println!("planted: {:<42} seen in case {case}", fault.words()),
            None => println!("planted: {:<42} NOT SEEN", fault.words()),
        }
    }
}

fn figures(plan: Plan, outcome: &Outcome, seconds: f64) -> serde_json::Value {
    let tally = |tally: &Tally| {
        json!({
            "sites": tally.cases,
            "visitors": tally.visitors,
            "batches": tally.batches,
            "events_sent": tally.events_sent,
            "events": tally.events,
            "looks": tally.looks,
            "numbers": tally.numbers,
            "differences": tally.differences.len(),
            "events_that": tally.interest,
        })
    };
    let faults = outcome.faults.iter();
    let faults: Vec<_> = faults
        .map(|(fault, seen)| json!({ "fault": fault.words(), "seen_in_case": seen }))
        .collect();
    json!({
        "seed": plan.seed,
        "seconds": seconds,
        "in_process": tally(&outcome.pure),
        "sql": { "queries": outcome.sql.0, "numbers": outcome.sql.1, "rows": outcome.sql.2 },
        "whole": tally(&outcome.whole),
        "planted": faults,
        "holds": outcome.holds(),
    })
}
