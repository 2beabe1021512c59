//! `upriver audit`: asks the collector that runs on a data folder, and prints what it says.
//!
//! Owns one plain HTTP request to the address in that folder. Knows nothing of how an audit works.

use anyhow::{Context, bail};
use serde::Deserialize;
use std::io::{Read, Write};
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

/// What to print, and whether all is well.
///
/// # Errors
/// No collector runs on that folder, or it does not answer.
pub(crate) fn audit(data: &Path, address_file: &str, json: bool) -> anyhow::Result<(String, bool)> {
    if !data.join(access::SECRET_FILE).exists() {
        bail!("{} is not a collector's data folder", data.display());
    }
    let url = std::fs::read_to_string(data.join(address_file))
        .context("the collector has not listened yet")?;
    let cookie = access::session_cookie(&access::signer(data)?)?;
    let body = get(url.trim(), "/v1/audit", &cookie)?;
    let report: Report = serde_json::from_str(&body)
        .with_context(|| format!("the collector at {url} answered something else: {body}"))?;
    let text = if json { body } else { print(&report) };
    Ok((text, report.healthy))
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

/// The body of a `GET`. HTTP/1.0, so that it comes as it is and ends with the connection.
fn get(url: &str, path: &str, cookie: &str) -> anyhow::Result<String> {
    let address = url.strip_prefix("http://").unwrap_or(url);
    let mut stream = TcpStream::connect(address)
        .with_context(|| format!("nothing listens on {address}; does the collector run?"))?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    write!(
        stream,
        "GET {path} HTTP/1.0\r\nHost: {address}\r\nCookie: {cookie}\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream
        .take(ANSWER_BYTES_MAX)
        .read_to_string(&mut answer)
        .with_context(|| format!("the collector at {address} did not answer"))?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .with_context(|| format!("{address} does not speak HTTP"))?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status != "200" {
        bail!("the collector at {address} refused with status {status}: {body}");
    }
    Ok(body.to_owned())
}
