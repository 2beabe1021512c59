//! Runs one statement on its session, on a thread that may block, and sends the answer's bytes to
//! the request's task. Knows the engine and the wire's packing, not HTTP.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use super::document::{Joiner, Joining};
use super::failure::{Failure, code};
use super::guard;
use crate::compression::{Coding, Encoder};
use crate::engine::{Role, SessionError, Sessions};
use crate::ffi::{Connection, Counters, Param, QueryStream};

/// Pieces between the engine and a slow client; a piece is at most one block (65,536 rows).
pub(crate) const PIECES_WAITING_MAX: usize = 2;
/// How long a client may take no byte before its statement is cancelled.
const CLIENT_IDLE_MAX: Duration = Duration::from_secs(60);
/// A result that must be made in one piece (JSON, Parquet, …), in the engine's own measure.
const WHOLE_RESULT_BYTES_MAX: usize = 256 << 20;
/// Bytes handed to the insert stream at a time.
const INSERT_PIECE_BYTES: usize = 4 << 20;

/// What a statement's thread sends, in order: pieces, then one of the others.
pub(crate) enum Part {
    /// Packed bytes.
    Piece(Bytes),
    /// The statement ended well; the last packed bytes.
    End(Bytes, Counters),
    /// It failed. If pieces went out before, the bytes tell the client why.
    Failed(Failure, Bytes),
}

/// A statement with all it needs.
pub(crate) struct Job {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) role: Role,
    pub(crate) database: Option<String>,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) params: Vec<Param>,
    pub(crate) work: Work,
    /// Marks the statement for [`Sessions::kill`].
    pub(crate) tag: String,
    pub(crate) coding: Coding,
    /// The tag of the in-band error block, see `answer`.
    pub(crate) exception_tag: String,
}

/// What to run.
pub(crate) enum Work {
    Insert {
        statement: String,
        format: String,
        data: Vec<Bytes>,
    },
    Query {
        statement: String,
        format: String,
        joining: Joining,
    },
}

/// Runs the job to its end, which gives the turn back once the session is closed. Blocks.
pub(crate) fn run(
    job: Job,
    turn: OwnedSemaphorePermit,
    parts: &mpsc::Sender<Part>,
    runtime: &Handle,
) {
    let mut outlet = Outlet {
        parts,
        runtime,
        encoder: Encoder::new(job.coding),
        sent: false,
    };
    let version = job.sessions.version.clone();
    let exception_tag = job.exception_tag.clone();
    let last = match work(job, &mut outlet) {
        Ok(Some(counters)) => match outlet.encoder.finish() {
            Ok(bytes) => Part::End(bytes, counters),
            Err(error) => Part::Failed(internal(&error.to_string()), Bytes::new()),
        },
        Ok(None) => return,
        Err(failure) => {
            let block = if outlet.sent {
                exception_block(&failure.text(&version), &exception_tag)
            } else {
                Bytes::new()
            };
            let block = if block.is_empty() {
                block
            } else {
                outlet.encoder.piece(block).unwrap_or_default()
            };
            Part::Failed(failure, block)
        }
    };
    drop(turn);
    // A client that is gone has no use for the end.
    let _ = runtime.block_on(timeout(CLIENT_IDLE_MAX, parts.send(last)));
}

/// The in-band error of ClickHouse ≥ 25.11: clients find it at the end of a broken answer.
fn exception_block(text: &str, tag: &str) -> Bytes {
    format!(
        "\r\n__exception__\r\n{tag}\r\n{text}{} {tag}\r\n__exception__\r\n",
        text.len()
    )
    .into()
}

/// `None`: the client went away.
fn work(job: Job, outlet: &mut Outlet<'_>) -> Result<Option<Counters>, Failure> {
    let mut session = open(&job)?;
    if let (Role::Analyst, Work::Query { statement, .. }) = (job.role, &job.work) {
        guard::check_analyst(&mut session, &job.sessions, statement, &job.params)?;
    }
    match job.work {
        Work::Insert {
            statement,
            format,
            data,
        } => insert(&mut session, &statement, &format, &job.params, data).map(Some),
        Work::Query {
            statement,
            format,
            joining,
        } => {
            let query = Query {
                statement: &statement,
                format: &format,
                params: &job.params,
            };
            match joining {
                Joining::Whole => whole(&mut session, &query, outlet),
                joining => streamed(session, &query, joining, outlet),
            }
        }
    }
}

fn open(job: &Job) -> Result<Connection, Failure> {
    let mut session = job
        .sessions
        .session(job.role)
        .map_err(|error| refused(&error))?;
    let mut set = |sql: &str| {
        session
            .query(sql, "Null", &[])
            .map_err(|message| Failure::from_engine(&message))
    };
    if let Some(database) = job.database.as_deref().filter(|name| !name.is_empty()) {
        set(&format!("USE {}", quoted(database, '`')))?;
    }
    let tag = ("log_comment".to_owned(), job.tag.clone());
    let assignments: Vec<String> = job
        .settings
        .iter()
        .filter(|(name, _)| name != "log_comment")
        .chain([&tag])
        .map(|(name, value)| format!("{} = {}", quoted(name, '`'), quoted(value, '\'')))
        .collect();
    set(&format!("SET {}", assignments.join(", ")))?;
    Ok(session)
}

struct Query<'a> {
    statement: &'a str,
    format: &'a str,
    params: &'a [Param],
}

fn whole(
    session: &mut Connection,
    query: &Query<'_>,
    outlet: &mut Outlet<'_>,
) -> Result<Option<Counters>, Failure> {
    // Only results are limited; a statement without one is not touched by these settings.
    let limit =
        format!("SET max_result_bytes = {WHOLE_RESULT_BYTES_MAX}, result_overflow_mode = 'throw'");
    session
        .query(&limit, "Null", &[])
        .map_err(|message| Failure::from_engine(&message))?;
    let output = session
        .query(query.statement, query.format, query.params)
        .map_err(|message| Failure::from_engine(&message))?;
    let counters = output.counters();
    Ok(outlet.send(Bytes::from_owner(output))?.then_some(counters))
}

fn streamed(
    session: Connection,
    query: &Query<'_>,
    joining: Joining,
    outlet: &mut Outlet<'_>,
) -> Result<Option<Counters>, Failure> {
    let mut stream = match session.stream(query.statement, query.format, query.params) {
        Ok(stream) => stream,
        // The engine streams only plain SELECTs; it says so by this text.
        Err((mut session, message)) if message.contains("Streaming query is not supported") => {
            return whole(&mut session, query, outlet);
        }
        Err((_, message)) => return Err(Failure::from_engine(&message)),
    };
    let mut joiner = Joiner::new(joining);
    let mut total = Counters::default();
    while let Some(piece) = next(&mut stream)? {
        let counters = piece.counters();
        total.result_rows += counters.result_rows;
        total.read_rows = total.read_rows.max(counters.read_rows);
        total.read_bytes = total.read_bytes.max(counters.read_bytes);
        total.elapsed_ns = total.elapsed_ns.max(counters.elapsed_ns);
        let piece = joiner
            .piece(Bytes::from_owner(piece))
            .map_err(|reason| internal(&reason))?;
        if !outlet.send(piece)? {
            return Ok(None);
        }
    }
    Ok(Some(total))
}

fn next(stream: &mut QueryStream) -> Result<Option<crate::ffi::Output>, Failure> {
    stream
        .next()
        .map_err(|message| Failure::from_engine(&message))
}

fn insert(
    session: &mut Connection,
    statement: &str,
    format: &str,
    params: &[Param],
    data: Vec<Bytes>,
) -> Result<Counters, Failure> {
    let fail = |message: String| Failure::from_engine(&message);
    let mut stream = session.insert(statement, format, params).map_err(fail)?;
    for part in &data {
        for piece in part.chunks(INSERT_PIECE_BYTES) {
            stream.append(piece).map_err(fail)?;
        }
    }
    stream.finish().map_err(fail)
}

/// Packs pieces and hands them to the request's task.
struct Outlet<'a> {
    parts: &'a mpsc::Sender<Part>,
    runtime: &'a Handle,
    encoder: Encoder,
    sent: bool,
}

impl Outlet<'_> {
    /// `false` if the client is gone or takes nothing any more.
    fn send(&mut self, piece: Bytes) -> Result<bool, Failure> {
        if piece.is_empty() {
            return Ok(true);
        }
        let packed = self
            .encoder
            .piece(piece)
            .map_err(|error| internal(&error.to_string()))?;
        self.sent = true;
        let sending = timeout(CLIENT_IDLE_MAX, self.parts.send(Part::Piece(packed)));
        Ok(matches!(self.runtime.block_on(sending), Ok(Ok(()))))
    }
}

/// A name or a text in quotes, for a statement the front itself makes.
pub(crate) fn quoted(text: &str, quote: char) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(quote);
    for character in text.chars() {
        match character {
            '\\' => quoted.push_str("\\\\"),
            '\0' => quoted.push_str("\\0"),
            c if c == quote => quoted.extend(['\\', c]),
            c => quoted.push(c),
        }
    }
    quoted.push(quote);
    quoted
}

/// Why there is no session, as the client sees it.
pub(crate) fn refused(error: &SessionError) -> Failure {
    match error {
        SessionError::Busy => Failure::new(
            code::TOO_MANY_SIMULTANEOUS_QUERIES,
            "TOO_MANY_SIMULTANEOUS_QUERIES",
            error,
        ),
        SessionError::Stopping => Failure::new(code::SERVER_OVERLOADED, "SERVER_OVERLOADED", error),
        SessionError::Refused => internal(&error.to_string()),
    }
}

fn internal(message: &str) -> Failure {
    Failure::new(code::LOGICAL_ERROR, "LOGICAL_ERROR", message)
}
