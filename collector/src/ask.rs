//! Asking the collector that runs on a data folder, for the commands that work beside it.
//!
//! Owns plain HTTP requests to the address in that folder, and the login that whoever may read the
//! folder has. Knows nothing of how the collector answers.

use anyhow::{Context, bail};
use serde::Deserialize;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;
use upriver_collector::api::access;

/// How long the collector may take to answer: as long as its questions to ClickHouse may.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(180);
/// Longest answer that is read, bytes.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// The part of a report that is printed.
#[derive(Debug, Deserialize)]
struct Report {
    healthy: bool,
    batch: u64,
    took_ms: u64,
    checks: Vec<Check>,
}

#[derive(Debug, Deserialize)]
struct Check {
    name: String,
    verdict: String,
    difference: u64,
    detail: String,
}

#[derive(Debug, Deserialize)]
struct Receipt {
    id: String,
    state: String,
}

/// An erasure, as the collector tells of it.
pub(crate) struct Erasure {
    /// The order's number.
    pub(crate) id: String,
    /// Whether nothing of the visitor is left.
    pub(crate) done: bool,
    /// All that is told, JSON.
    pub(crate) text: String,
}

/// What came of a request.
pub(crate) enum Asked {
    /// The body of the answer.
    Answered(String),
    /// Nobody listens, the connection broke, or the collector asks to come back: why.
    Later(String),
}

/// `upriver audit`: what to print, and whether all is well.
///
/// # Errors
/// No collector runs on that folder, or it does not answer.
pub(crate) fn audit(data: &Path, address_file: &str, json: bool) -> anyhow::Result<(String, bool)> {
    let body = match ask(data, address_file, "GET /v1/audit", &[])? {
        Asked::Answered(body) => body,
        Asked::Later(reason) => bail!("{reason}; does the collector run?"),
    };
    let report: Report = serde_json::from_str(&body)
        .with_context(|| format!("the collector answered something else: {body}"))?;
    let text = if json { body } else { print(&report) };
    Ok((text, report.healthy))
}

/// Posts JSON.
///
/// # Errors
/// That is no data folder, or the collector refuses for good.
pub(crate) fn post(
    data: &Path,
    address_file: &str,
    path: &str,
    body: &[u8],
) -> anyhow::Result<Asked> {
    ask(data, address_file, &format!("POST {path}"), body)
}

/// `upriver erase`: what is said of the order, as soon as it is kept.
///
/// # Errors
/// No collector runs on that folder, or it refuses.
pub(crate) fn erase(
    data: &Path,
    address_file: &str,
    (site, visitor): (&str, &str),
) -> anyhow::Result<Erasure> {
    erasure(
        data,
        address_file,
        &format!("DELETE /v1/sites/{site}/visitors/{visitor}"),
    )
}

/// How far an erasure is.
///
/// # Errors
/// No collector runs on that folder, or it refuses.
pub(crate) fn erased(
    data: &Path,
    address_file: &str,
    (site, id): (&str, &str),
) -> anyhow::Result<Erasure> {
    erasure(
        data,
        address_file,
        &format!("GET /v1/sites/{site}/erasures/{id}"),
    )
}

fn erasure(data: &Path, address_file: &str, what: &str) -> anyhow::Result<Erasure> {
    let body = match ask(data, address_file, what, &[])? {
        Asked::Answered(body) => body,
        Asked::Later(reason) => bail!("{reason}; does the collector run?"),
    };
    serde_json::from_str(&body)
        .map(|receipt: Receipt| Erasure {
            id: receipt.id,
            done: receipt.state == "done",
            text: body.clone(),
        })
        .with_context(|| format!("the collector answered something else: {body}"))
}

fn print(report: &Report) -> String {
    let mut lines = vec![format!(
        "{} up to batch {} ({} ms)",
        if report.healthy { "healthy" } else { "WRONG" },
        report.batch,
        report.took_ms
    )];
    for check in &report.checks {
        lines.push(format!(
            "{:<12} {:<12} {:>8}  {}",
            check.name, check.verdict, check.difference, check.detail
        ));
    }
    lines.join("\n")
}

/// One request. The address is read each time: the collector may have come back at another.
fn ask(data: &Path, address_file: &str, what: &str, body: &[u8]) -> anyhow::Result<Asked> {
    if !data.join(access::SECRET_FILE).exists() {
        bail!("{} is not a collector's data folder", data.display());
    }
    let url = std::fs::read_to_string(data.join(address_file))
        .context("the collector has not listened yet")?;
    let cookie = access::session_cookie(&access::signer(data)?)?;
    let address = url.trim().trim_start_matches("http://");
    let head = format!(
        "{what} HTTP/1.0\r\nHost: {address}\r\nCookie: {cookie}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = match exchange(address, head.as_bytes(), body) {
        Ok(answer) => answer,
        Err(error) => return Ok(Asked::Later(format!("{address} does not answer: {error}"))),
    };
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .with_context(|| format!("{address} does not speak HTTP"))?;
    match head.split(' ').nth(1).unwrap_or_default() {
        status if status.starts_with('2') => Ok(Asked::Answered(body.to_owned())),
        "429" | "503" => Ok(Asked::Later(body.to_owned())),
        status => bail!("the collector at {address} refused with status {status}: {body}"),
    }
}

/// HTTP/1.0, so that the answer comes as it is and ends with the connection.
fn exchange(address: &str, head: &[u8], body: &[u8]) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    stream.write_all(head)?;
    stream.write_all(body)?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    if answer.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(answer)
}
