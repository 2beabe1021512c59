//! `upriver import`: tells the collector on a data folder the events of a file, one JSON object a line.
//!
//! Owns the reading of the file, what is tried again, and the file of what was rejected. What an
//! event must look like is the collector's to say. Running it again is safe: what was taken before is
//! a duplicate.

use crate::ask::{self, Asked};
use anyhow::{Context, bail, ensure};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use upriver_collector::ingest::imported::EVENTS_MAX;

/// Longest line, bytes: many times what an event may have.
const LINE_BYTES_MAX: u64 = 256 * 1024;
/// Bytes of lines in one request, the last one not counted.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;
/// How long to go on trying while the collector is away or takes nothing.
const PATIENCE: Duration = Duration::from_secs(600);
/// First and longest pause between two tries.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What became of the lines of a file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    /// Taken now.
    pub(crate) ok: u64,
    /// Taken before.
    pub(crate) duplicate: u64,
    /// Never to be taken.
    pub(crate) rejected: u64,
}

/// Where the rejected lines of a file are written.
pub(crate) fn rejected_file(file: &Path) -> PathBuf {
    file.with_extension("rejected.ndjson")
}

/// Imports a file. Lines without anything on them are passed over.
///
/// # Errors
/// The file cannot be read, no collector runs on the folder, or it took nothing for ten minutes. What
/// was taken until then stays taken.
pub(crate) fn import(
    data: &Path,
    address_file: &str,
    site: &str,
    file: &Path,
) -> anyhow::Result<Outcome> {
    let named = || format!("cannot read {}", file.display());
    let source = File::open(file).with_context(named)?;
    let progress = progress(source.metadata().with_context(named)?.len());
    let mut lines = BufReader::with_capacity(1 << 20, source);
    let mut import = Import {
        data,
        address_file,
        path: format!("/v1/events?site={site}"),
        outcome: Outcome::default(),
        rejected: Rejected::new(rejected_file(file))?,
    };
    let (mut number, mut request, mut bytes) = (0_u64, Vec::new(), 0);
    loop {
        let mut line = Vec::new();
        let read = (&mut lines)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)
            .with_context(named)?;
        number += 1;
        if read as u64 == LINE_BYTES_MAX && line.last() != Some(&b'\n') {
            bail!(
                "line {number} of {} is over {LINE_BYTES_MAX} bytes",
                file.display()
            );
        }
        bytes += read;
        if !line.trim_ascii().is_empty() {
            request.push(Line { number, text: line });
        }
        let full = request.len() == EVENTS_MAX || bytes >= REQUEST_BYTES_MAX;
        if full || read == 0 {
            import.send(std::mem::take(&mut request))?;
            progress.inc(std::mem::take(&mut bytes) as u64);
            progress.set_message(summary(import.outcome));
        }
        if read == 0 {
            break;
        }
    }
    progress.finish_and_clear();
    import.rejected.finish()?;
    Ok(import.outcome)
}

/// What is said at the end and beside the bar.
pub(crate) fn summary(outcome: Outcome) -> String {
    let Outcome {
        ok,
        duplicate,
        rejected,
    } = outcome;
    format!("{ok} ok, {duplicate} duplicate, {rejected} rejected")
}

/// A bar on standard error; none where that is no terminal.
fn progress(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
    let template = "{bar:30} {percent:>3} %  {bytes}/{total_bytes}  {eta} left  {msg}";
    // The template is fixed; were it wrong, the bar would have its own.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

struct Line {
    number: u64,
    text: Vec<u8>,
}

struct Import<'a> {
    data: &'a Path,
    address_file: &'a str,
    path: String,
    outcome: Outcome,
    rejected: Rejected,
}

#[derive(Deserialize)]
struct Answer {
    events: Vec<Verdict>,
}

#[derive(Deserialize)]
struct Verdict {
    verdict: String,
    #[serde(default)]
    reason: String,
}

impl Import<'_> {
    /// Sends lines until each has its final verdict.
    fn send(&mut self, lines: Vec<Line>) -> anyhow::Result<()> {
        let mut waiting = Vec::with_capacity(lines.len());
        for line in lines {
            // What is no JSON would spoil the whole request.
            match serde_json::from_slice::<IgnoredAny>(&line.text) {
                Ok(_) => waiting.push(line),
                Err(error) => {
                    let text = String::from_utf8_lossy(line.text.trim_ascii()).into_owned();
                    self.reject(line.number, &error.to_string(), &json!(text))?;
                }
            }
        }
        let deadline = Instant::now() + PATIENCE;
        let mut pause = PAUSE_MIN;
        while !waiting.is_empty() {
            let before = waiting.len();
            match self.once(&mut waiting)? {
                None if waiting.len() < before => pause = PAUSE_MIN,
                reason => {
                    ensure!(
                        Instant::now() < deadline,
                        "the collector took nothing for {PATIENCE:?}: {}",
                        reason.as_deref().unwrap_or("it asks to try again later")
                    );
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
        Ok(())
    }

    /// One request. Leaves in `waiting` what is to be sent again; says why, when nothing was taken.
    fn once(&mut self, waiting: &mut Vec<Line>) -> anyhow::Result<Option<String>> {
        let events: Vec<&[u8]> = waiting.iter().map(|line| line.text.as_slice()).collect();
        let body = [b"{\"events\":[", &*events.join(&b','), b"]}"].concat();
        let body = match ask::post(self.data, self.address_file, &self.path, &body)? {
            Asked::Answered(body) => body,
            Asked::Later(reason) => return Ok(Some(reason)),
        };
        let answer: Answer = serde_json::from_str(&body)
            .with_context(|| format!("the collector answered something else: {body}"))?;
        ensure!(
            answer.events.len() == waiting.len(),
            "the collector answered for {} of {} events",
            answer.events.len(),
            waiting.len()
        );
        let mut again = Vec::new();
        for (line, told) in waiting.drain(..).zip(answer.events) {
            match told.verdict.as_str() {
                "ok" => self.outcome.ok += 1,
                "duplicate" => self.outcome.duplicate += 1,
                "rejected" => {
                    let event: Value = serde_json::from_slice(&line.text)?;
                    self.reject(line.number, &told.reason, &event)?;
                }
                _ => again.push(line),
            }
        }
        *waiting = again;
        Ok(None)
    }

    fn reject(&mut self, line: u64, reason: &str, event: &Value) -> anyhow::Result<()> {
        self.outcome.rejected += 1;
        self.rejected
            .write(&json!({"line": line, "reason": reason, "event": event}))
    }
}

/// The file of what was rejected: made anew by each run, and only when something is.
struct Rejected {
    path: PathBuf,
    file: Option<BufWriter<File>>,
}

impl Rejected {
    fn new(path: PathBuf) -> anyhow::Result<Self> {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", path.display()))
            }
            _ => Ok(Self { path, file: None }),
        }
    }

    fn write(&mut self, line: &Value) -> anyhow::Result<()> {
        let named = || format!("cannot write {}", self.path.display());
        if self.file.is_none() {
            self.file = Some(BufWriter::new(
                File::create(&self.path).with_context(named)?,
            ));
        }
        if let Some(file) = &mut self.file {
            writeln!(file, "{line}").with_context(named)?;
        }
        Ok(())
    }

    fn finish(self) -> anyhow::Result<()> {
        let Some(mut file) = self.file else {
            return Ok(());
        };
        file.flush()
            .with_context(|| format!("cannot write {}", self.path.display()))
    }
}
