//! `cargo xtask fuzz`: libFuzzer over the wire's decoders, on the toolchain that is there.
//!
//! libFuzzer finds its way by coverage, which rustc can put in with stable flags; only the address
//! sanitizer needs a nightly, and the wire forbids `unsafe`. What is needed beyond Rust is a C++
//! compiler, for libFuzzer itself. The corpus stays in `wire/fuzz/corpus`, crashers in
//! `wire/fuzz/artifacts`.

use crate::process::Task;
use crate::report::{Table, step};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

const TARGETS: [&str; 2] = ["decode_batch", "decode_answer"];
/// What cargo-fuzz passes too: a counter for each edge, and the operands of comparisons.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";
/// Longest input tried, bytes.
const INPUT_BYTES_MAX: u32 = 4_096;
/// Most memory a run may take, MiB.
const MEMORY_MIB_MAX: u32 = 512;

/// Whether the fuzz targets can be built here.
pub(crate) fn is_possible() -> bool {
    compiler().is_some()
}

/// Runs each target for so many seconds. Returns how many targets there were.
///
/// # Errors
/// A target cannot be built, found an input that breaks a promise, or ran blind.
pub(crate) fn run(root: &Path, seconds: u32) -> Result<usize> {
    if !is_possible() {
        bail!(
            "the fuzz targets need a C++ compiler (libFuzzer is written in C++) and none was \
             found: install one (Debian: apt-get install g++) or name it in CXX"
        );
    }
    let folder = root.join("wire/fuzz");
    let built = step("build the fuzz targets", || build(root, &folder))?;
    let mut table = Table::new(&["target", "inputs tried", "edges covered", "peak memory MiB"]);
    for target in TARGETS {
        let figures = step(&format!("fuzz {target} for {seconds} s"), || {
            fuzz(&folder, &built, target, seconds)
        })?;
        table.row([
            target.to_owned(),
            figures.inputs,
            figures.edges,
            figures.memory_mib,
        ]);
    }
    table.print();
    Ok(TARGETS.len())
}

fn compiler() -> Option<()> {
    let named = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
    [named.as_str(), "g++", "clang++"]
        .iter()
        .any(|name| {
            Task::new(name, crate::root())
                .words("--version")
                .read()
                .is_ok()
        })
        .then_some(())
}

/// Builds the targets; returns the folder they are in.
fn build(root: &Path, folder: &Path) -> Result<PathBuf> {
    let version = Task::new("rustc", root).words("-vV").read()?;
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("rustc names no host")?;
    let target_folder = root.join("target/fuzz");
    // With a target named, the flags reach what is fuzzed and not the build scripts.
    Task::cargo(folder)
        .words("build --locked --release --target")
        .arg(host)
        .arg("--target-dir")
        .arg(&target_folder)
        .env("RUSTFLAGS", COVERAGE)
        .run("cargo build fuzz")?;
    Ok(target_folder.join(host).join("release"))
}

struct Figures {
    inputs: String,
    edges: String,
    memory_mib: String,
}

fn fuzz(folder: &Path, built: &Path, target: &str, seconds: u32) -> Result<Figures> {
    let corpus = folder.join("corpus").join(target);
    let artifacts = folder.join("artifacts").join(target);
    std::fs::create_dir_all(&corpus)?;
    std::fs::create_dir_all(&artifacts)?;
    seed(folder, &corpus, target)?;
    let text = Task::new(built.join(target), folder)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={INPUT_BYTES_MAX}"))
        .arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"))
        .arg("-timeout=5")
        .arg("-print_final_stats=1")
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg(&corpus)
        .mend("the input is in wire/fuzz/artifacts: make it a test of the wire, then mend the decoder")
        .run(&format!("fuzz {target}"))?;
    let last = |start: &str| {
        text.rsplit_once(start)
            .and_then(|(_, rest)| rest.split_whitespace().next())
            .map(str::to_owned)
    };
    let edges =
        last(" cov: ").context("libFuzzer saw no coverage: the targets were built blind")?;
    Ok(Figures {
        inputs: last("stat::number_of_executed_units: ").context("libFuzzer told no figures")?,
        edges,
        memory_mib: last("stat::peak_rss_mb: ").unwrap_or_default(),
    })
}

/// Starts the corpus with the golden messages of the target's kind.
fn seed(folder: &Path, corpus: &Path, target: &str) -> Result<()> {
    let golden = folder.join("../golden/v1");
    for entry in std::fs::read_dir(&golden).context("the golden messages are missing")? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let of_target = name.starts_with("answer_") == (target == "decode_answer");
        if !of_target || !name.ends_with(".hex") {
            continue;
        }
        let digits: Vec<char> = std::fs::read_to_string(&path)?
            .chars()
            .filter(|digit| !digit.is_whitespace())
            .collect();
        let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16);
        let bytes: Vec<u8> = digits.chunks(2).map(byte).collect::<Result<_, _>>()?;
        std::fs::write(corpus.join(name.trim_end_matches(".hex")), bytes)?;
    }
    Ok(())
}
