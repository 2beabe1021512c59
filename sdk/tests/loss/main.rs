//! Recorder, queue and database against a network that drops, delays, refuses, cuts, repeats and
//! reorders, servers that restart, and pages that end at any moment: every event that was recorded
//! is counted once, but for those that the rules let go, which are counted here.
//!
//! `UPRIVER_LOSS_RUNS` and `UPRIVER_LOSS_SEED` say how many runs and which; a run that fails names
//! its own seed, which repeats it alone.

#[path = "../told/mod.rs"]
mod told;

mod page;
mod server;
mod store;
mod world;

use world::{Figures, World};

const RUNS: u64 = 1_000;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn nothing_is_lost_or_doubled() {
    let runs = setting("UPRIVER_LOSS_RUNS").unwrap_or(RUNS);
    let first = setting("UPRIVER_LOSS_SEED").unwrap_or(1);
    let mut all = Figures::default();
    for seed in first..first + runs {
        let run = std::panic::catch_unwind(|| World::new(seed).run());
        match run {
            Ok(figures) => all.add(&figures),
            Err(_) => panic!("run {seed}: UPRIVER_LOSS_RUNS=1 UPRIVER_LOSS_SEED={seed} repeats it"),
        }
    }
    println!("loss: {}", all.json(runs, first));
    // A run in which nothing happened would prove nothing.
    if runs >= 100 {
        for (what, count) in all.all() {
            assert!(
                count > 0 || what == "lost" || what == "doubled",
                "no {what} in {runs} runs"
            );
        }
    }
}
