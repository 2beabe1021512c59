//! `bench`: measures and prints. `cargo xtask bench` builds and runs it.

// A command line talks to people through its standard streams.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod ack;
mod alerts;
mod experiments;
mod latency;
mod live;
mod memory;
mod outage;
mod restart;
mod sql;
mod subscribers;

use anyhow::Result;
use clap::{Parser, Subcommand};
use serde_json::Value;

#[derive(Parser)]
#[command(name = "bench")]
struct Flags {
    /// Print the figures as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// How long until a batch is acknowledged, beside the bare disk.
    Ack {
        /// Batches of 50 events a second.
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
        rate: u64,
        /// How long it lasts.
        #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3_600))]
        seconds: u64,
    },
    /// Whether alerts come early and seldom in vain.
    Alerts {
        /// Campaigns of each kind.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(10..=10_000))]
        campaigns: u64,
    },
    /// Whether the numbers of experiments stay honest while they are watched.
    Experiments {
        /// Experiments without a difference, of 10,000 visitors each.
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(100..=100_000))]
        experiments: u64,
    },
    /// From a press in a browser to the number elsewhere and the signal in its page.
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
    /// ClickHouse stands still for minutes while pages go on sending.
    Outage {
        /// How long, minutes.
        #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=120))]
        minutes: u64,
        /// Events a second.
        #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(50..=1_000_000))]
        rate: u64,
    },
    /// What subscribers cost the collector, beside the same traffic with none.
    Subscribers {
        /// How many.
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(5..=2_000))]
        subscribers: u64,
        /// How long each half lasts.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3_600))]
        seconds: u64,
    },
    /// How long a collector with a long log takes to accept batches again.
    Restart {
        /// Length of the log, MiB.
        #[arg(long, default_value_t = 1_024, value_parser = clap::value_parser!(u64).range(1..=100_000))]
        mib: u64,
    },
    /// How long questions take over millions of rows.
    Sql {
        /// Events, a little more.
        #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(100_000..=1_000_000_000))]
        rows: u64,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    let flags = Flags::parse();
    let has_table = matches!(
        flags.what,
        What::Alerts { .. } | What::Experiments { .. } | What::Sql { .. }
    );
    let figures = match flags.what {
        What::Ack { rate, seconds } => ack::run(rate, seconds).await?,
        What::Alerts { campaigns } => alerts::run(campaigns, flags.json)?,
        What::Experiments { experiments } => experiments::run(experiments, 10_000, flags.json)?,
        What::Latency { rate, seconds } => latency::run(rate, seconds).await?,
        What::Live { visitors } => live::run(visitors as usize)?,
        What::Outage { minutes, rate } => outage::run(minutes, rate).await?,
        What::Subscribers {
            subscribers,
            seconds,
        } => subscribers::run(subscribers as usize, seconds).await?,
        What::Restart { mib } => restart::run(mib).await?,
        What::Sql { rows } => sql::run(rows, flags.json).await?,
    };
    if flags.json {
        println!("{figures}");
    } else if !has_table {
        print("", &figures);
    }
    Ok(())
}

/// One figure a line.
fn print(name: &str, value: &Value) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                print(format!("{name} {}", field.replace('_', " ")).trim(), value);
            }
        }
        Value::Number(number) if number.is_f64() => {
            println!("{name:<36} {:>14.2}", number.as_f64().unwrap_or_default());
        }
        other => println!("{name:<36} {:>14}", other.to_string()),
    }
}
