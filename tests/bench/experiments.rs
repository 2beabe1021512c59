//! Whether the numbers of an experiment stay honest while someone watches: a thousand experiments
//! in which nothing differs and some in which something does, looked at after every event.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use upriver_collector::live::evidence::ALPHA;
use upriver_tests::experiments::{
    Misread, Reading, Shape, rates_missed, with_difference, without_difference,
};

/// What a reading that does not allow watching must misread at least, or this would prove nothing.
const CONTROL_MISREADS_MIN: f64 = 0.15;
/// Visitors until found, of those of the test looked at once, at most.
const FOUND_WITHIN: f64 = 2.0;
/// Planted lifts, and the rate they are planted on.
const LIFTS: [f64; 4] = [0.05, 0.1, 0.2, 0.5];
const RATE: f64 = 0.1;
const SEED: u64 = 20_261;

/// Plays `experiments` experiments without a difference of `visitors` visitors each, a fifth as
/// many with each lift, and prints a table unless `quiet`.
///
/// # Errors
/// A promise is broken, or the control was not misread; the table has been printed by then.
pub(crate) fn run(experiments: u64, visitors: u64, quiet: bool) -> Result<Value> {
    let recorded = Shape::recorded()?;
    let (named, shapes) = match recorded {
        Some(shapes) => ("of recorded shape", shapes),
        None => {
            eprintln!("the recorded experiments are not there: one steady shape instead");
            ("steady", vec![Shape::steady(RATE)])
        }
    };
    let play = |reading| without_difference(&shapes, experiments, visitors, reading, SEED);
    let (anytime, control) = (play(Reading::Anytime), play(Reading::FixedSize));
    let rates = rates_missed(RATE, experiments / 5, 5_000, SEED);
    let planted = (experiments / 5).max(10);
    let found = LIFTS.map(|lift| (lift, with_difference(RATE, lift, planted, SEED)));
    if !quiet {
        table(named, visitors, &anytime, &control);
        println!(
            "rate interval ever without the true rate: {rates} of {}\n",
            experiments / 5
        );
        println!(
            "planted in a rate of {RATE}    once, 80 %   watched, median   found   once   truth left out"
        );
        for (lift, found) in &found {
            let median = found
                .median()
                .map_or("never".into(), |median| median.to_string());
            println!(
                "  lift {:>3.0} %  {:>20}  {median:>16}  {:>6}  {:>5}  {:>15}",
                lift * 100.0,
                found.fixed,
                found.visitors.len(),
                found.by_fixed,
                found.missed
            );
        }
    }
    let allowed = |of: u64| (of as f64 * ALPHA) as u64;
    ensure!(
        anytime.differs <= allowed(experiments) && anytime.unsound <= allowed(experiments),
        "{} of {experiments} experiments without a difference were misread, and {} called unsound",
        anytime.differs,
        anytime.unsound
    );
    ensure!(
        control.differs as f64 >= CONTROL_MISREADS_MIN * experiments as f64,
        "the control was misread in {} of {experiments} only: this proves nothing",
        control.differs
    );
    ensure!(
        rates <= allowed(experiments / 5),
        "{rates} intervals left out the rate"
    );
    for (lift, found) in &found {
        let median = found.median().unwrap_or(u64::MAX) as f64;
        ensure!(
            median <= FOUND_WITHIN * found.fixed as f64 && found.missed <= allowed(planted),
            "a lift of {lift} took {median} visitors, {} left it out",
            found.missed
        );
    }
    let found: Vec<_> = found
        .iter()
        .map(|(lift, found)| {
            json!({
                "lift": lift,
                "visitors_fixed": found.fixed,
                "visitors_median": found.median(),
                "experiments": found.experiments,
                "found": found.visitors.len(),
                "found_fixed": found.by_fixed,
                "truth_left_out": found.missed,
            })
        })
        .collect();
    Ok(json!({
        "shapes": named,
        "experiments": experiments,
        "visitors": visitors,
        "misread": anytime.differs,
        "misread_by_z_test": control.differs,
        "called_unsound": anytime.unsound,
        "rates_left_out": rates,
        "planted": found,
    }))
}

fn table(named: &str, visitors: u64, anytime: &Misread, control: &Misread) {
    println!(
        "{} experiments {named} without a difference, {visitors} visitors each, {} looks",
        anytime.experiments, anytime.looks
    );
    let line = |name: &str, misread: &Misread| {
        let share = 100.0 * misread.differs as f64 / misread.experiments as f64;
        println!("  {name:<44} {:>5}  {share:>5.1} %", misread.differs);
    };
    line("ever called different, as shown", anytime);
    line("ever called different, z-test at 5 % watched", control);
    println!(
        "  {:<44} {:>5}",
        "assignment ever called unsound", anytime.unsound
    );
}
