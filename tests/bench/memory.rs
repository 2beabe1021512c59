//! Memory of a process that is really there.

use anyhow::{Context, Result};
use rustix::process::Pid;

/// Bytes, as the kernel adds them up now.
pub(crate) fn resident_bytes(pid: Pid) -> Result<u64> {
    let pid = pid.as_raw_nonzero();
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kib = line
        .and_then(|line| line.split_whitespace().next())
        .context("no Rss")?;
    Ok(kib.parse::<u64>()? * 1_024)
}
