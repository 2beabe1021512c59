//! `crash`: runs the crash harness and prints one line a kind of fault. Fails when anything that was
//! acknowledged is lost or counted twice, or when a collector that breaks a promise on purpose is not
//! caught. `cargo xtask crash` builds and runs it.

// A command line talks to people through its standard streams.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use anyhow::{Result, ensure};
use clap::Parser;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use tokio::signal::unix::{SignalKind, signal};
use upriver_tests::crash::{Fault, Machine, Outcome, Plan, run};

/// Failures that are printed.
const SHOWN_MAX: usize = 5;

/// Kills, cuts and spoils, and compares what was acknowledged with what is stored.
#[derive(Parser)]
#[command(name = "crash")]
struct Flags {
    /// Runs, over all kinds of faults by turns.
    #[arg(long, default_value_t = 50)]
    runs: u64,
    /// Repeats the choices of a run, not its moments.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only kinds whose name holds this.
    #[arg(long, default_value = "")]
    only: String,
    /// The collector.
    #[arg(long)]
    binary: PathBuf,
    /// The collector with planted faults; none leaves the negative controls out, and its clock alone.
    #[arg(long)]
    planted: Option<PathBuf>,
    /// Cut the power too, where disks can be mounted.
    #[arg(long)]
    power: bool,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let flags = Flags::parse();
    let terminated = signal(SignalKind::terminate());
    let terminated = async {
        match terminated {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    let judged = tokio::select! {
        judged = judge(&flags) => judged,
        // Whatever was started ends with what owns it.
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        _ = terminated => Err(anyhow::anyhow!("terminated")),
    };
    match judged {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn judge(flags: &Flags) -> Result<()> {
    let machine = Machine::look();
    let left_out = |fault: &Fault| match fault {
        Fault::PowerCut if !flags.power => Some("--power was not given"),
        fault if fault.is_planted() && flags.planted.is_none() => Some("--planted was not given"),
        _ => fault.left_out(machine),
    };
    for fault in Fault::ALL {
        if let Some(why) = left_out(&fault) {
            eprintln!("  left out: {}, because {why}", fault.words());
        }
    }
    let faults = Fault::ALL
        .into_iter()
        .filter(|fault| left_out(fault).is_none());
    let faults: Vec<_> = faults
        .filter(|fault| fault.words().contains(&flags.only))
        .collect();
    ensure!(
        !faults.is_empty(),
        "no kind of fault is called {:?}",
        flags.only
    );
    let plan = Plan {
        runs: flags.runs,
        seed: flags.seed,
        faults,
        binary: flags.binary.clone(),
        planted: flags.planted.clone(),
        machine,
    };
    let begun = Instant::now();
    let outcome = run(&plan, |line| eprintln!("  {line}")).await?;
    let seconds = begun.elapsed().as_secs_f64();
    if flags.json {
        println!("{}", figures(flags, &outcome, seconds));
    } else {
        print(flags, &outcome, seconds);
    }
    for failure in outcome.failures.iter().take(SHOWN_MAX) {
        eprintln!("\n{failure}");
    }
    let missed = outcome
        .controls
        .iter()
        .filter(|control| control.caught.is_none());
    let missed: Vec<_> = missed.map(|control| control.planted).collect();
    ensure!(
        missed.is_empty(),
        "planted and not caught: {}",
        missed.join(", ")
    );
    ensure!(outcome.holds(), "{} runs failed", outcome.failures.len());
    Ok(())
}

fn print(flags: &Flags, outcome: &Outcome, seconds: f64) {
    println!("seed {}, {seconds:.0} s", flags.seed);
    println!(
        "{:<36}{:>5}{:>7}{:>9}{:>9}{:>5}{:>8}{:>8}{:>6}{:>19}{:>19}",
        "fault",
        "runs",
        "faults",
        "acked",
        "unheard",
        "lost",
        "doubled",
        "excused",
        "wrong",
        "back ms p50/max",
        "stored ms p50/max"
    );
    for (fault, line) in &outcome.lines {
        println!(
            "{:<36}{:>5}{:>7}{:>9}{:>9}{:>5}{:>8}{:>8}{:>6}{:>19}{:>19}",
            fault.words(),
            line.runs,
            line.faults,
            line.acked,
            line.unacked_stored,
            line.lost,
            line.doubled,
            line.excused,
            line.wrong,
            middle_and_most(&line.back_ms),
            middle_and_most(&line.stored_ms)
        );
    }
    for control in &outcome.controls {
        match &control.caught {
            Some((runs, found)) => {
                println!(
                    "planted: {:<27} caught in run {runs}: {found}",
                    control.planted
                );
            }
            None => println!("planted: {:<27} NOT CAUGHT", control.planted),
        }
    }
    let runs: u64 = outcome.lines.iter().map(|(_, line)| line.runs).sum();
    let missed = outcome
        .controls
        .iter()
        .filter(|control| control.caught.is_none());
    let failed = outcome.failures.len() + missed.count();
    let checks = usize::try_from(runs).unwrap_or(usize::MAX) + outcome.controls.len();
    println!("checks: {} passed, {failed} failed", checks - failed);
}

fn figures(flags: &Flags, outcome: &Outcome, seconds: f64) -> serde_json::Value {
    let lines = outcome.lines.iter();
    let lines: Vec<_> = lines
        .map(|(fault, line)| json!({ "fault": fault.words(), "figures": line }))
        .collect();
    json!({
        "seed": flags.seed,
        "runs": flags.runs,
        "seconds": seconds,
        "faults": lines,
        "controls": outcome.controls,
        "failures": outcome.failures,
        "holds": outcome.holds(),
    })
}

fn middle_and_most(times: &[u64]) -> String {
    let mut times = times.to_vec();
    times.sort_unstable();
    match (times.get(times.len() / 2), times.last()) {
        (Some(middle), Some(most)) => format!("{middle} / {most}"),
        _ => "–".into(),
    }
}
