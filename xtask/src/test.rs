//! `cargo xtask test`: exactly what CI runs. Goes on after a failure, so that one run tells all;
//! a step that ran no test at all has failed. What failed is said last, below the table.
//!
//! A step that drives browsers is run once more when it failed: another program's browser on a
//! busy machine is not ours to make punctual. Only a whole green run of the step counts, and what
//! failed first is named as unsteady below the table, to be mended.

use crate::process::{Ran, Task};
use crate::report::{Table, say, step_judged};
use crate::tally::{self, Tally};
use crate::{Browser, browser, browsers, build, check, crash, fuzz, npm, size, smoke};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::time::Instant;

/// How long each fuzz target runs here.
const FUZZ_SECONDS: u32 = 10;
/// Scripts that hold tests, where a project has them.
const TEST_SCRIPTS: [&str; 2] = ["test", "test:browser"];
/// Steps that may be unsteady in one run; where more are, something is broken.
const UNSTEADY_MAX: usize = 2;
/// Lines of each failure that are said again below the table.
const FAILURE_LINES_MAX: usize = 50;

/// Runs everything.
///
/// # Errors
/// Anything failed.
pub(crate) fn run(root: &Path) -> Result<()> {
    let begun = Instant::now();
    let mut outcome = Outcome::new();
    // Without these two nothing else can run.
    outcome.part("build", || build::all(root, false).map(|_| one()))?;
    let chromium = outcome.part_with("browser", || browser::find_or_install(root))?;

    outcome
        .part("check", || {
            check::run(root).map(|passed| Tally {
                passed,
                ..Tally::default()
            })
        })
        .ok();
    outcome.runner("cargo test", Repeat::Never, || {
        let task = Task::cargo(root).words("test --locked --workspace --no-fail-fast");
        let task = task
            .env(browser::VARIABLE, &chromium)
            .env("RUST_BACKTRACE", "0");
        runner_step("cargo test --workspace", || task.run_to_log("cargo test"))
    });
    for project in build::NPM_PROJECTS {
        for script in TEST_SCRIPTS {
            if npm::has_script(root, project, script) {
                outcome.runner(
                    &format!("npm run {script} in {project}"),
                    Repeat::Once,
                    || {
                        let task = npm::task(root, project, script);
                        let task = task
                            .env(browser::VARIABLE, &chromium)
                            .env("CHROMIUM", &chromium);
                        runner_step(&format!("npm run {script} in {project}"), || {
                            task.run_to_log(&format!("npm {script} {project}"))
                        })
                    },
                );
            }
        }
    }
    for kind in [Browser::Firefox, Browser::Webkit] {
        outcome.in_short(root, kind);
    }
    if fuzz::is_possible() {
        let fuzzed = || {
            fuzz::run(root, FUZZ_SECONDS).map(|passed| Tally {
                passed,
                ..Tally::default()
            })
        };
        outcome.part("fuzz", fuzzed).ok();
    } else {
        say("fuzz: left out, because there is no C++ compiler here (Debian: apt-get install g++)");
        outcome.rows.push((
            "fuzz (no C++ compiler)".into(),
            Tally {
                ignored: 2,
                ..Tally::default()
            },
            0.0,
        ));
    }
    let sized = || {
        size::run(root, false).map(|()| Tally {
            passed: size::budgets(),
            ..Tally::default()
        })
    };
    outcome.part("size", sized).ok();
    outcome.runner("crash", Repeat::Never, || {
        runner_step("crash", || crash::in_short(root))
    });
    outcome.part("demo --smoke", || smoke::test(root)).ok();
    outcome.finish(begun)
}

fn runner_step(name: &str, work: impl FnOnce() -> Result<Ran>) -> Result<Ran> {
    step_judged(name, |ran| ran.0.success(), work)
}

fn one() -> Tally {
    Tally {
        passed: 1,
        ..Tally::default()
    }
}

struct Outcome {
    rows: Vec<(String, Tally, f64)>,
    /// What failed, and how.
    broken: Vec<(String, String)>,
    /// What failed, but not when it was repeated, and how.
    unsteady: Vec<(String, String)>,
}

impl Outcome {
    fn new() -> Self {
        Self {
            rows: Vec::new(),
            broken: Vec::new(),
            unsteady: Vec::new(),
        }
    }

    /// A part that counts for itself.
    fn part(&mut self, name: &str, work: impl FnOnce() -> Result<Tally>) -> Result<()> {
        let begun = Instant::now();
        let result = work();
        self.note(
            name,
            begun,
            result
                .as_ref()
                .copied()
                .map_err(|error| format!("{error:#}")),
        );
        result.map(drop).with_context(|| name.to_owned())
    }

    /// A part that yields something others need.
    fn part_with<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let begun = Instant::now();
        let result = work();
        self.note(
            name,
            begun,
            result
                .as_ref()
                .map(|_| one())
                .map_err(|error| format!("{error:#}")),
        );
        result.with_context(|| name.to_owned())
    }

    /// The SDK's tests in short in a browser that need not be there.
    fn in_short(&mut self, root: &Path, kind: Browser) {
        let name = format!("the SDK in {}", kind.name());
        if let Err(missing) = browser::find_kind(root, kind) {
            say(&format!("{name}: left out, {missing:#}"));
            let left_out = Tally {
                ignored: 1,
                ..Tally::default()
            };
            self.rows
                .push((format!("{name} (not there)"), left_out, 0.0));
        } else if let Some(work) = browsers::short(root, kind) {
            self.runner(&name, Repeat::Once, work);
        }
    }

    /// A part whose count is in a test runner's output.
    fn runner(&mut self, name: &str, repeat: Repeat, work: impl Fn() -> Result<Ran>) {
        let begun = Instant::now();
        let mut result = work().and_then(judged);
        if let (Repeat::Once, Ok((_, Some(first)))) = (repeat, &result) {
            eprintln!("{name}: {first}\n");
            let first = first.clone();
            result = work().and_then(judged);
            if matches!(result, Ok((_, None))) {
                self.unsteady.push((name.to_owned(), first));
            }
        }
        match result {
            Ok((tally, failure)) => {
                if let Some(failure) = failure {
                    self.failed(name, &failure);
                }
                self.rows
                    .push((name.to_owned(), tally, begun.elapsed().as_secs_f64()));
            }
            Err(error) => self.note(name, begun, Err(format!("{error:#}"))),
        }
    }

    fn note(&mut self, name: &str, begun: Instant, result: Result<Tally, String>) {
        let tally = match result {
            Ok(tally) if tally.passed + tally.ignored > 0 => tally,
            Ok(_) => self.failed(name, "ran no test at all"),
            Err(error) => self.failed(name, &error),
        };
        self.rows
            .push((name.to_owned(), tally, begun.elapsed().as_secs_f64()));
    }

    fn failed(&mut self, name: &str, why: &str) -> Tally {
        self.broken.push((name.to_owned(), why.to_owned()));
        eprintln!("{name}: {why}\n");
        Tally {
            failed: 1,
            ..Tally::default()
        }
    }

    fn finish(self, begun: Instant) -> Result<()> {
        let mut table = Table::new(&["step", "passed", "failed", "left out", "seconds"]);
        let mut sum = Tally::default();
        for (name, tally, seconds) in &self.rows {
            sum += *tally;
            let numbers =
                [tally.passed, tally.failed, tally.ignored].map(|number| number.to_string());
            let [passed, failed, ignored] = numbers;
            table.row([
                name.clone(),
                passed,
                failed,
                ignored,
                format!("{seconds:.0}"),
            ]);
        }
        table.print();
        println!(
            "\n  {:.1} minutes in all",
            begun.elapsed().as_secs_f64() / 60.0
        );
        for (name, why) in &self.unsteady {
            println!(
                "\nunsteady: {name} failed, and passed when it was repeated\n{}",
                end(why)
            );
        }
        for (name, why) in &self.broken {
            println!("\nfailed: {name}\n{}", end(why));
        }
        println!(
            "\n{} passed, {} failed, {} unsteady",
            sum.passed,
            sum.failed,
            self.unsteady.len()
        );
        if self.unsteady.len() > UNSTEADY_MAX {
            bail!(
                "{} steps were unsteady, more than {UNSTEADY_MAX}",
                self.unsteady.len()
            );
        }
        if self.broken.is_empty() && sum.failed == 0 {
            return Ok(());
        }
        let names: Vec<&str> = self.broken.iter().map(|(name, _)| name.as_str()).collect();
        bail!("failed: {}", names.join(", "))
    }
}

/// Whether a step that failed is run once more.
#[derive(Clone, Copy)]
enum Repeat {
    Never,
    Once,
}

/// What a runner counted, and how it failed if it did.
fn judged((status, text, log): Ran) -> Result<(Tally, Option<String>)> {
    let tally = Tally::read(&text);
    let log = log.display();
    if !status.success() {
        // A runner that broke without naming a failed test has failed all the same.
        let failed = tally.failed.max(1);
        let why = format!("{}\n  log {log}", tally::failures(&text));
        return Ok((Tally { failed, ..tally }, Some(why)));
    }
    if tally.passed == 0 {
        let why = format!("ran no test at all\n  log {log}");
        return Ok((Tally { failed: 1, ..tally }, Some(why)));
    }
    Ok((tally, None))
}

/// The end of a failure's text.
fn end(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(FAILURE_LINES_MAX)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Ran, Repeat};
    use std::cell::Cell;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    const GOOD: &str = "ok 1 - a\n# pass 1\n# fail 0\n";
    const BAD: &str = "not ok 1 - a\n  ---\n  error: 'why'\n  ...\n# pass 0\n# fail 1\n";

    fn ran(text: &str) -> Ran {
        let status = ExitStatus::from_raw(if text == GOOD { 0 } else { 256 });
        (status, text.to_owned(), "a.log".into())
    }

    fn outcome_of(repeat: Repeat, runs: [&str; 2]) -> (Outcome, usize) {
        let made = Cell::new(0);
        let mut outcome = Outcome::new();
        outcome.runner("step", repeat, || {
            made.set(made.get() + 1);
            Ok(ran(runs[made.get() - 1]))
        });
        (outcome, made.get())
    }

    #[test]
    fn what_fails_once_is_unsteady_and_what_fails_twice_has_failed() {
        let (outcome, made) = outcome_of(Repeat::Once, [BAD, GOOD]);
        assert_eq!(
            (made, outcome.unsteady.len(), outcome.broken.len()),
            (2, 1, 0)
        );
        assert!(
            outcome.unsteady[0].1.contains("why"),
            "the first failure is told"
        );
        let (outcome, made) = outcome_of(Repeat::Once, [BAD, BAD]);
        assert_eq!(
            (made, outcome.unsteady.len(), outcome.broken.len()),
            (2, 0, 1)
        );
        let (outcome, made) = outcome_of(Repeat::Once, [GOOD, BAD]);
        assert_eq!(
            (made, outcome.unsteady.len(), outcome.broken.len()),
            (1, 0, 0)
        );
    }

    #[test]
    fn what_drives_no_browser_is_not_repeated() {
        let (outcome, made) = outcome_of(Repeat::Never, [BAD, GOOD]);
        assert_eq!(
            (made, outcome.unsteady.len(), outcome.broken.len()),
            (1, 0, 1)
        );
    }
}
