//! `cargo xtask test`: exactly what CI runs. Goes on after a failure, so that one run tells all;
//! a step that ran no test at all has failed.

use crate::process::Task;
use crate::report::{Table, say, step_judged};
use crate::tally::Tally;
use crate::{browser, build, check, fuzz, npm, size, smoke};
use anyhow::{Context, Result, anyhow, bail};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Instant;

/// How long each fuzz target runs here.
const FUZZ_SECONDS: u32 = 10;
/// Scripts that hold tests, where a project has them.
const TEST_SCRIPTS: [&str; 2] = ["test", "test:browser"];

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
    outcome.runner("cargo test", || {
        let task = Task::cargo(root).words("test --locked --workspace --no-fail-fast");
        let task = task
            .env(browser::VARIABLE, &chromium)
            .env("RUST_BACKTRACE", "0");
        runner_step("cargo test --workspace", || task.run_to_log("cargo test"))
    });
    for project in build::NPM_PROJECTS {
        for script in TEST_SCRIPTS {
            if npm::has_script(root, project, script) {
                outcome.runner(&format!("npm run {script} in {project}"), || {
                    let task = npm::task(root, project, script);
                    let task = task
                        .env(browser::VARIABLE, &chromium)
                        .env("CHROMIUM", &chromium);
                    runner_step(&format!("npm run {script} in {project}"), || {
                        task.run_to_log(&format!("npm {script} {project}"))
                    })
                });
            }
        }
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
    outcome.part("demo --smoke", || smoke::test(root)).ok();
    outcome.finish(begun)
}

/// What a runner ended with, what it said, and where that is kept.
type Ran = (ExitStatus, String, PathBuf);

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
    broken: Vec<String>,
}

impl Outcome {
    fn new() -> Self {
        Self {
            rows: Vec::new(),
            broken: Vec::new(),
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

    /// A part whose count is in a test runner's output.
    fn runner(&mut self, name: &str, work: impl FnOnce() -> Result<Ran>) {
        let begun = Instant::now();
        let result = work().and_then(|(status, text, log)| {
            let tally = Tally::read(&text);
            let log = log.display();
            match () {
                () if !status.success() => {
                    Err((tally, anyhow!("{}\n  log {log}", failures(&text))))
                }
                () if tally.passed == 0 => Err((tally, anyhow!("ran no test at all\n  log {log}"))),
                () => Ok(tally),
            }
            .or_else(|(tally, error)| {
                self.broken.push(name.to_owned());
                eprintln!("{name}: {error:#}\n");
                // A runner that broke without naming a failed test has failed all the same.
                Ok(Tally {
                    failed: tally.failed.max(1),
                    ..tally
                })
            })
        });
        match result {
            Ok(tally) => self
                .rows
                .push((name.to_owned(), tally, begun.elapsed().as_secs_f64())),
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
        self.broken.push(name.to_owned());
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
        println!("{} passed, {} failed", sum.passed, sum.failed);
        if self.broken.is_empty() && sum.failed == 0 {
            return Ok(());
        }
        bail!("failed: {}", self.broken.join(", "))
    }
}

/// What a runner says of its failures, without the passes.
fn failures(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.ends_with("... ok") && !line.trim_start().starts_with('✓'))
        .collect();
    lines[lines.len().saturating_sub(80)..].join("\n")
}
