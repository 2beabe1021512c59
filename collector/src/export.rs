//! `upriver export`: everything that the running collector keeps of a visitor, to a file or a pipe.
//!
//! Owns the check that nothing is missing: the last line says so. Knows nothing of the rows.

use crate::ask;
use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Longest line, bytes: as long as the collector makes one.
const LINE_BYTES_MAX: u64 = 17 * 1024 * 1024;
/// Ends the name of a file that is being written.
const PART: &str = ".part";

/// The last line.
#[derive(Debug, Deserialize)]
pub(crate) struct End {
    /// Whether that was all.
    pub(crate) complete: bool,
    /// Rows by table.
    rows: BTreeMap<String, u64>,
    /// What is not there, and why.
    missing: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Line {
    table: String,
}

impl End {
    /// What to tell whoever asked.
    pub(crate) fn summary(&self) -> String {
        let rows: u64 = self.rows.values().sum();
        let tables = self
            .rows
            .iter()
            .map(|(table, rows)| format!("{rows} of {table}"));
        let mut text = match (rows, self.complete) {
            (0, true) => "nothing is kept of this visitor".to_owned(),
            _ => format!("{rows} rows: {}", tables.collect::<Vec<_>>().join(", ")),
        };
        for missing in &self.missing {
            text = format!("{text}\nNOT COMPLETE: {missing}");
        }
        text
    }
}

/// Writes all lines to a file that is not there yet, and that only its owner may read. It is there when
/// this succeeds, and whole.
///
/// # Errors
/// The file cannot be written, or see [`export`].
pub(crate) fn to_file(
    data: &Path,
    address_file: &str,
    who: (&str, &str),
    file: &Path,
) -> anyhow::Result<End> {
    ensure!(
        !file.exists(),
        "{} is there already; name another file",
        file.display()
    );
    let mut part = file.as_os_str().to_owned();
    part.push(PART);
    let part = Path::new(&part);
    let cannot = || format!("{} cannot be written", part.display());
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let opened = options.open(part).with_context(cannot)?;
    let mut out = BufWriter::new(opened);
    let end = export(data, address_file, who, &mut out).and_then(|end| {
        let written = out
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error);
        written
            .and_then(|file| file.sync_all())
            .with_context(cannot)?;
        fs::rename(part, file).with_context(cannot)?;
        Ok(end)
    });
    if end.is_err() {
        // A part of what is kept of a person is left nowhere.
        let _ = fs::remove_file(part);
    }
    end
}

/// Writes all lines as they come, the last one too.
///
/// # Errors
/// No collector runs on that folder, it refuses, or its answer broke off.
pub(crate) fn export(
    data: &Path,
    address_file: &str,
    (site, visitor): (&str, &str),
    out: &mut impl Write,
) -> anyhow::Result<End> {
    let what = format!("GET /v1/sites/{site}/visitors/{visitor}");
    let mut lines = match ask::open(data, address_file, &what)? {
        Ok(lines) => lines,
        Err(reason) => bail!(reason),
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut lines)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line);
        let broke = "the export broke off: its last line is missing. Try again";
        ensure!(read.context(broke)? > 0 && line.ends_with(b"\n"), broke);
        out.write_all(&line).context("cannot write the export")?;
        let known: Line = serde_json::from_slice(&line).context("a line is no JSON")?;
        if known.table == "end" {
            out.flush().context("cannot write the export")?;
            return serde_json::from_slice(&line).context("the last line says something else");
        }
    }
}
