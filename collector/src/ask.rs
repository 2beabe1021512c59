//! Asking the collector that runs on a data folder, for the commands that work beside it.
//!
//! Owns plain HTTP requests to the address in that folder, and the login that whoever may read the
//! folder has. Knows nothing of how the collector answers.

use anyhow::{Context, bail};
use serde::Deserialize;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;
use upriver_collector::api::access;

/// How long the collector may take to answer: as long as its questions to ClickHouse may.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(180);
/// Longest answer that is read, bytes.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// Longest head of an answer, bytes.
const HEAD_BYTES_MAX: u64 = 1 << 14;

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

/// The body of an answer, as it comes.
pub(crate) struct Answer {
    stream: BufReader<TcpStream>,
    /// Bytes that are left of the chunk; none where the body is not cut into chunks.
    chunk: Option<u64>,
}

impl Read for Answer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(left) = &mut self.chunk else {
            return self.stream.read(buffer);
        };
        if *left == 0 {
            let mut line = String::new();
            // After each chunk but the first there is an end of line.
            while line.trim().is_empty() {
                line.clear();
                if (&mut self.stream)
                    .take(HEAD_BYTES_MAX)
                    .read_line(&mut line)?
                    == 0
                {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            let size = line.trim().split(';').next().unwrap_or_default();
            *left = u64::from_str_radix(size, 16).map_err(io::Error::other)?;
            if *left == 0 {
                return Ok(0);
            }
        }
        let most = buffer
            .len()
            .min(usize::try_from(*left).unwrap_or(usize::MAX));
        let read = self.stream.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        *left -= read as u64;
        Ok(read)
    }
}

/// One request whose answer is read by whoever asks. Else why not now.
///
/// # Errors
/// That is no data folder, or the collector refuses for good.
pub(crate) fn open(
    data: &Path,
    address_file: &str,
    what: &str,
) -> anyhow::Result<Result<BufReader<Answer>, String>> {
    let (address, head) = head(data, address_file, what, &[])?;
    let begun = || -> io::Result<_> {
        let mut answer = BufReader::new(send(&address, head.as_bytes(), &[])?);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = (&mut answer).take(HEAD_BYTES_MAX).read_line(&mut head)?;
            if read == 0 || head.len() as u64 > HEAD_BYTES_MAX {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok((head, answer))
    };
    let (head, mut answer) = match begun() {
        Ok(begun) => begun,
        Err(error) => {
            let reason = format!("{address} does not answer: {error}; does the collector run?");
            return Ok(Err(reason));
        }
    };
    if is_good(&head) {
        let chunked = "transfer-encoding: chunked";
        let chunked = head.to_ascii_lowercase().contains(chunked);
        return Ok(Ok(BufReader::new(Answer {
            stream: answer,
            chunk: chunked.then_some(0),
        })));
    }
    let mut body = String::new();
    (&mut answer)
        .take(ANSWER_BYTES_MAX)
        .read_to_string(&mut body)?;
    let reason = refusal(&address, &head, body)?;
    Ok(Err(message(&reason).unwrap_or(reason)))
}

/// One request.
fn ask(data: &Path, address_file: &str, what: &str, body: &[u8]) -> anyhow::Result<Asked> {
    let (address, head) = head(data, address_file, what, body)?;
    let answer = match exchange(&address, head.as_bytes(), body) {
        Ok(answer) => answer,
        Err(error) => return Ok(Asked::Later(format!("{address} does not answer: {error}"))),
    };
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .with_context(|| format!("{address} does not speak HTTP"))?;
    match is_good(head) {
        true => Ok(Asked::Answered(body.to_owned())),
        false => refusal(&address, head, body.to_owned()).map(Asked::Later),
    }
}

/// Where to ask, and the head of the request. The address is read each time: the collector may have come
/// back at another.
fn head(
    data: &Path,
    address_file: &str,
    what: &str,
    body: &[u8],
) -> anyhow::Result<(String, String)> {
    if !data.join(access::SECRET_FILE).exists() {
        bail!("{} is not a collector's data folder", data.display());
    }
    let url = std::fs::read_to_string(data.join(address_file))
        .context("the collector has not listened yet")?;
    let cookie = access::session_cookie(&access::signer(data)?)?;
    let address = url.trim().trim_start_matches("http://").to_owned();
    let head = format!(
        "{what} HTTP/1.0\r\nHost: {address}\r\nCookie: {cookie}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    Ok((address, head))
}

/// What an error is for a person.
fn message(body: &str) -> Option<String> {
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    Some(body["error"]["message"].as_str()?.to_owned())
}

fn status(head: &str) -> &str {
    head.split(' ').nth(1).unwrap_or_default()
}

fn is_good(head: &str) -> bool {
    status(head).starts_with('2')
}

/// What an answer that is none says, when it may be another later.
///
/// # Errors
/// It will not.
fn refusal(address: &str, head: &str, body: String) -> anyhow::Result<String> {
    match status(head) {
        "429" | "503" => Ok(body),
        status => bail!("the collector at {address} refused with status {status}: {body}"),
    }
}

/// HTTP/1.0, so that the answer comes as it is and ends with the connection.
fn send(address: &str, head: &[u8], body: &[u8]) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    stream.write_all(head)?;
    stream.write_all(body)?;
    Ok(stream)
}

fn exchange(address: &str, head: &[u8], body: &[u8]) -> io::Result<String> {
    let mut answer = String::new();
    let stream = send(address, head, body)?;
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    if answer.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(answer)
}
