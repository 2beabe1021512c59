//! Turns what a statement's thread sends into an HTTP answer: a short one with a summary, a long one
//! as a stream that breaks detectably when the statement fails under way.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, HttpResponseBuilder};
use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use super::failure::Failure;
use super::run::Part;
use crate::compression::Coding;
use crate::engine::Sessions;
use crate::ffi::Counters;

/// Bytes held back so that an early failure still gets its own status.
const HELD_BACK_BYTES: usize = 256 << 10;
/// Bytes held back with `wait_end_of_query=1`.
const WAITED_BYTES_MAX: usize = 256 << 20;

/// What the answer's headers say besides the result.
pub(crate) struct Heading {
    pub(crate) query_id: String,
    pub(crate) format: String,
    pub(crate) coding: Coding,
    pub(crate) exception_tag: String,
    pub(crate) wait_end_of_query: bool,
}

/// Kills the statement unless it ended; dropped with the answer, so also when the client goes away.
pub(crate) struct KillOnDrop {
    sessions: Option<Arc<Sessions>>,
    tag: String,
}

impl KillOnDrop {
    pub(crate) fn new(sessions: Arc<Sessions>, tag: String) -> Self {
        Self {
            sessions: Some(sessions),
            tag,
        }
    }

    pub(crate) fn ended(&mut self) {
        self.sessions = None;
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let Some(sessions) = self.sessions.take() {
            let tag = std::mem::take(&mut self.tag);
            actix_web::rt::task::spawn_blocking(move || sessions.kill(&tag));
        }
    }
}

/// Waits for the beginning of the answer and builds it.
pub(crate) async fn build(
    heading: Heading,
    mut parts: mpsc::Receiver<Part>,
    mut kill: KillOnDrop,
    sessions: &Sessions,
) -> Result<HttpResponse, Failure> {
    let mut begun: Vec<Bytes> = Vec::new();
    let mut held_back = 0;
    let limit = if heading.wait_end_of_query {
        WAITED_BYTES_MAX
    } else {
        HELD_BACK_BYTES
    };
    loop {
        match parts.recv().await {
            Some(Part::Piece(bytes)) => {
                held_back += bytes.len();
                begun.push(bytes);
                if held_back > limit {
                    let mut answer = start(&heading, sessions);
                    answer.insert_header(("X-ClickHouse-Exception-Tag", heading.exception_tag));
                    begun.reverse();
                    return Ok(answer.body(Stream {
                        begun,
                        parts,
                        kill,
                        state: State::Open,
                    }));
                }
            }
            Some(Part::End(last, counters)) => {
                kill.ended();
                begun.push(last);
                let mut answer = start(&heading, sessions);
                answer.insert_header(("X-ClickHouse-Summary", summary(&counters)));
                return Ok(answer.body(joined(begun)));
            }
            Some(Part::Failed(failure, _)) => {
                kill.ended();
                return Err(failure);
            }
            None => {
                return Err(Failure::from_engine(
                    "the statement's thread ended without an answer",
                ));
            }
        }
    }
}

fn start(heading: &Heading, sessions: &Sessions) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(StatusCode::OK);
    answer
        .content_type(content_type(&heading.format))
        .insert_header(("X-ClickHouse-Server-Display-Name", "upriver"))
        .insert_header(("X-ClickHouse-Query-Id", heading.query_id.as_str()))
        .insert_header(("X-ClickHouse-Format", heading.format.as_str()))
        .insert_header(("X-ClickHouse-Timezone", sessions.timezone.as_str()));
    if let Some(coding) = heading.coding.content_encoding() {
        answer.insert_header(("Content-Encoding", coding));
    }
    answer
}

fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    match pieces.len() {
        1 => pieces.remove(0),
        _ => {
            let mut whole = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
            pieces
                .iter()
                .for_each(|piece| whole.extend_from_slice(piece));
            whole.freeze()
        }
    }
}

/// The JSON of `X-ClickHouse-Summary`: every number as text, as the server writes it.
fn summary(counters: &Counters) -> String {
    format!(
        r#"{{"read_rows":"{}","read_bytes":"{}","written_rows":"{}","written_bytes":"{}","total_rows_to_read":"0","result_rows":"{}","result_bytes":"0","elapsed_ns":"{}"}}"#,
        counters.read_rows,
        counters.read_bytes,
        counters.written_rows,
        counters.written_bytes,
        counters.result_rows,
        counters.elapsed_ns,
    )
}

fn content_type(format: &str) -> &'static str {
    let format = format.to_ascii_lowercase();
    match format.as_str() {
        _ if format.starts_with("tabseparated") || format.starts_with("tsv") => {
            "text/tab-separated-values; charset=UTF-8"
        }
        _ if format.starts_with("csv") => "text/csv; charset=UTF-8; header=absent",
        _ if format.contains("eachrow") || format.ends_with("jsonlines") || format == "ndjson" => {
            "application/x-ndjson; charset=UTF-8"
        }
        _ if format.starts_with("json") => "application/json; charset=UTF-8",
        "native"
        | "rowbinary"
        | "rowbinarywithnames"
        | "rowbinarywithnamesandtypes"
        | "parquet"
        | "arrow"
        | "arrowstream"
        | "orc"
        | "msgpack"
        | "avro"
        | "npy" => "application/octet-stream",
        "xml" => "application/xml; charset=UTF-8",
        _ => "text/plain; charset=UTF-8",
    }
}

enum State {
    Open,
    /// The error block is out; the next poll lets it be flushed, the one after breaks off.
    Flushing(Failure),
    Breaking(Failure),
    Done,
}

/// The rest of a long answer.
struct Stream {
    /// Pieces that came before the answer began, last first.
    begun: Vec<Bytes>,
    parts: mpsc::Receiver<Part>,
    kill: KillOnDrop,
    state: State,
}

impl MessageBody for Stream {
    type Error = io::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, io::Error>>> {
        let stream = &mut *self;
        if let Some(piece) = stream.begun.pop() {
            return Poll::Ready(Some(Ok(piece)));
        }
        match std::mem::replace(&mut stream.state, State::Done) {
            State::Open => {}
            State::Flushing(failure) => {
                stream.state = State::Breaking(failure);
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            // Without the last chunk of the chunked coding every client sees that the answer broke.
            State::Breaking(failure) => {
                return Poll::Ready(Some(Err(io::Error::other(failure.line))));
            }
            State::Done => return Poll::Ready(None),
        }
        let (state, polled) = match stream.parts.poll_recv(context) {
            Poll::Pending => (State::Open, Poll::Pending),
            Poll::Ready(Some(Part::Piece(bytes))) => (State::Open, Poll::Ready(Some(Ok(bytes)))),
            Poll::Ready(Some(Part::End(last, _))) => {
                stream.kill.ended();
                let last = (!last.is_empty()).then_some(Ok(last));
                (State::Done, Poll::Ready(last))
            }
            Poll::Ready(Some(Part::Failed(failure, block))) => {
                stream.kill.ended();
                tracing::warn!(error = %failure.line, "a statement failed while its answer was under way");
                (State::Flushing(failure), Poll::Ready(Some(Ok(block))))
            }
            Poll::Ready(None) => {
                let error = io::Error::other(
                    "the statement was cancelled: the client took nothing for 60 s",
                );
                (State::Done, Poll::Ready(Some(Err(error))))
            }
        };
        stream.state = state;
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_json_with_numbers_as_text() {
        let counters = Counters {
            written_rows: 7,
            elapsed_ns: 9,
            ..Counters::default()
        };
        let parsed: serde_json::Value = serde_json::from_str(&summary(&counters)).unwrap();
        assert_eq!(parsed["written_rows"], "7");
        assert_eq!(parsed["elapsed_ns"], "9");
    }
}
