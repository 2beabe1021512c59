//! `cargo xtask`: every developer command. This file owns the command line; each command has a
//! file of its own and knows nothing of the others' flags.

// A command line talks to people through its standard streams.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod bench_handlers;
mod bench_sdk;
mod browser;
mod browsers;
mod build;
mod check;
mod crash;
mod demo;
mod deny;
mod fuzz;
mod licences;
mod loss;
mod npm;
mod oracle;
mod prerequisites;
mod process;
mod release;
mod report;
mod reproduce;
mod rules;
mod sdk;
mod size;
mod smoke;
mod tally;
mod test;
mod weight;

use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Every developer command of Upriver.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build everything, start the collector with its own ClickHouse and the demo shop, and print
    /// the addresses. Ctrl-C stops all of it.
    Demo(Demo),
    /// Everything CI runs: build, check, all tests, the fuzz targets for a moment, size, and the
    /// demo driven by a real browser.
    Test,
    /// Formatting, clippy, TypeScript's types, the repository's rules and the licences.
    Check,
    /// Build the npm package, the dashboard, the demo shop and the binary `upriver`.
    Build(Build),
    /// Sizes of what a page and a dashboard load, whether they keep within their budgets, and what each
    /// kilobyte of the SDK is spent on.
    Size(Size),
    /// Build the npm package here and in a copy elsewhere: both must be the same, byte for byte.
    Reproduce,
    /// cargo-deny: licences, bans, sources, and advisories where they can be fetched.
    Deny,
    /// Fuzz the wire's decoders.
    Fuzz(Fuzz),
    /// Compare live numbers with a recount and with the SQL beside them, for random sites and
    /// visitors whose batches arrive in any order.
    Oracle(Oracle),
    /// Try to lose an event between page and collector, or to have it counted twice: random runs of a
    /// model, then scenes and random runs in real browsers against a real collector. Fails when one is.
    Loss(Loss),
    /// Try to lose an acknowledged event, or to have it stored twice: kill real processes under real load,
    /// in every way there is here. Fails when one is, or when a collector that breaks a promise on
    /// purpose is not caught.
    Crash(Crash),
    /// The SDK's tests in Chromium, Firefox and WebKit, and a table of what each driver leaves out.
    Browsers(Browsers),
    /// Measure: how long an acknowledgement takes, what counting live costs, whether statistics that
    /// are watched stay honest.
    Bench(Bench),
    /// Become a program that ends when its owner does.
    #[command(hide = true)]
    Attended {
        owner: u32,
        #[arg(last = true)]
        command: Vec<OsString>,
    },
}

#[derive(Args)]
struct Demo {
    /// Drive the shop with a real browser, compare gestures, live numbers and SQL, and end.
    #[arg(long)]
    smoke: bool,
    /// Build with optimisation.
    #[arg(long)]
    release: bool,
    /// Port of the collector; the shop gets the next one. 0 takes free ones.
    #[arg(long, default_value_t = demo::PORT)]
    port: u16,
    /// Where the data is kept.
    #[arg(long, default_value = "target/demo")]
    data: PathBuf,
    /// Begin with no data.
    #[arg(long)]
    fresh: bool,
    /// Use what is built already.
    #[arg(long)]
    no_build: bool,
    /// With --smoke: print the figures as JSON.
    #[arg(long, requires = "smoke")]
    json: bool,
}

#[derive(Args)]
struct Build {
    /// Only the npm package of the SDK.
    #[arg(long, conflicts_with = "release")]
    sdk: bool,
    /// Build the binary with optimisation.
    #[arg(long)]
    release: bool,
}

#[derive(Args)]
struct Size {
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Fuzz {
    /// How long each target runs.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

#[derive(Args)]
struct Bench {
    /// Print the figures as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    measure: Measure,
}

#[derive(Subcommand)]
enum Measure {
    /// How long until a batch is on disk and acknowledged, beside the bare disk.
    Ack {
        /// Batches of 50 events a second.
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
        rate: u64,
        /// How long it lasts.
        #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3_600))]
        seconds: u64,
    },
    /// Whether alerts about campaigns that no longer convert come early and seldom in vain, in
    /// simulated campaigns, beside alarms on hourly rates.
    Alerts {
        /// Campaigns of each kind.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(10..=10_000))]
        campaigns: u64,
    },
    /// Whether the numbers of experiments stay honest while they are watched: a thousand without a
    /// difference, some with one, looked at after every event.
    Experiments {
        /// Experiments without a difference, of 10,000 visitors each.
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(100..=100_000))]
        experiments: u64,
    },
    /// What the SDK's handlers cost a page's thread on a processor four times slower, kind by kind, beside
    /// a listener that does nothing. Fails where the 99th percentile is over its limit, and when a fault
    /// planted in a handler is not seen.
    Handlers {
        /// Rounds of everything a visitor does.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(30..=2_000))]
        rounds: u32,
    },
    /// From a press in Chromium to the changed number another program receives and to the signal in
    /// the visitor's page, while others send thousands of events a second.
    Latency {
        /// Events a second of other visitors meanwhile.
        #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(50..=1_000_000))]
        rate: u64,
        /// How long it lasts.
        #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=3_600))]
        seconds: u64,
    },
    /// Events per second of processor time through the live engine, beside a recount.
    Live {
        /// Visitors, about five events each.
        #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
        visitors: u32,
    },
    /// ClickHouse stands still for minutes while pages go on sending: lost events, memory of the collector,
    /// and how fast the tables catch up.
    Outage {
        /// How long, minutes. The long form is 10.
        #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=120))]
        minutes: u64,
        /// Events a second.
        #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(50..=1_000_000))]
        rate: u64,
    },
    /// How long a collector with a long log takes to accept batches again after it was killed, beside
    /// reading the same bytes from the same disk.
    Restart {
        /// Length of the log, MiB.
        #[arg(long, default_value_t = 1_024, value_parser = clap::value_parser!(u64).range(1..=100_000))]
        mib: u64,
    },
    /// What a thousand subscribers cost the collector, beside the same traffic with none.
    Subscribers {
        /// How many.
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(5..=2_000))]
        subscribers: u64,
        /// How long each half lasts.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3_600))]
        seconds: u64,
    },
    /// How long heat maps, funnels and the cookbook's questions take over millions of generated rows,
    /// beside one pass over all of them.
    Sql {
        /// Events, a little more.
        #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(100_000..=1_000_000_000))]
        rows: u64,
    },
    /// What the SDK costs a page, beside its rivals: one scripted visit in Chromium.
    Sdk {
        /// Visits with each; the figures are medians.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
        runs: u32,
        /// Only these besides the page with no SDK, `upriver,clarity`.
        #[arg(long, default_value = "")]
        only: String,
    },
}

#[derive(Args)]
struct Oracle {
    /// Random sites; one in ten has thousands of visitors.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    cases: u64,
    /// Repeats a run exactly.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Visitors of a large site, on average; the more of them are in few sites, the sooner many are
    /// compared: `--cases 100 --large-visitors 115000 --whole 0` are a million.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=200_000))]
    large_visitors: u64,
    /// Random sites through a whole collector.
    #[arg(long, default_value_t = 5)]
    whole: u64,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Crash {
    /// Runs, over all kinds of faults by turns.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    runs: u64,
    /// Repeats the choices of a run; its moments are never the same.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only kinds whose name holds this: `ClickHouse`.
    #[arg(long, default_value = "")]
    only: String,
    /// Cut the power too. Needs root, mkfs.ext4 and loop devices.
    #[arg(long)]
    power: bool,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Loss {
    /// Random runs in each browser; of the model 20 times as many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    runs: u64,
    /// The first run's seed; a run is repeated by its own.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only this browser. Default: both.
    #[arg(long)]
    browser: Option<Browser>,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Browsers {
    /// Only this browser. Default: all that are there.
    #[arg(long)]
    browser: Option<Browser>,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Browser {
    Chromium,
    Firefox,
    Webkit,
}

impl Browser {
    /// As the tests are told it.
    fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
            Self::Webkit => "webkit",
        }
    }
}

/// The repository's folder.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

fn main() -> ExitCode {
    let root = root();
    let done = match Cli::parse().command {
        Command::Demo(flags) if flags.smoke => {
            smoke::run(root, flags.release, !flags.no_build, flags.json)
        }
        Command::Demo(flags) => demo::run(root, &flags),
        Command::Test => test::run(root),
        Command::Check => check::run(root).map(drop),
        Command::Build(flags) if flags.sdk => sdk::build(root).map(drop),
        Command::Build(flags) => build::all(root, flags.release).map(drop),
        Command::Size(flags) => size::run(root, flags.json),
        Command::Reproduce => reproduce::run(root),
        Command::Deny => deny::run(root),
        Command::Fuzz(flags) => fuzz::run(root, flags.seconds).map(drop),
        Command::Bench(flags) => bench::run(root, &flags),
        Command::Oracle(flags) => oracle::run(root, &flags),
        Command::Crash(flags) => crash::run(root, &flags),
        Command::Browsers(flags) => browsers::run(root, &flags),
        Command::Loss(flags) => loss::run(root, &flags),
        Command::Attended { owner, command } => process::attend(owner, &command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!(
                "\n{} {error:#}",
                report::paint("error:", report::Colour::Red)
            );
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
