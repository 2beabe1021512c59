//! What the collector answers a page: over the stream one a frame, over HTTP one after the other in
//! the body, signals before the answer to the batch.

use crate::bounded;
use crate::id::{ElementId, StreamId};
use crate::limits::{NAME_BYTES_MAX, NEED_MAX, SIGNAL_BYTES_MAX, STRING_BYTES_MAX};
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// One answer. Grows only at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// These events are on disk: drop your copy.
    Ack(Ack),
    /// These events are not taken.
    Refused(Refused),
    /// Something for the visitor's page.
    Signal(Signal),
}

/// Events `first_seq .. next_seq` of a stream are on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The stream.
    pub stream: StreamId,
    /// First event that is on disk.
    pub first_seq: u64,
    /// One past the last event that is on disk.
    pub next_seq: u64,
    /// Elements the collector has no descriptor of: send theirs with the next batch.
    #[serde(default, deserialize_with = "bounded::seq::<_, _, NEED_MAX>")]
    pub need: Vec<ElementId>,
}

/// A batch was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The stream, as far as it could be read.
    pub stream: StreamId,
    /// First event of the batch, as far as it could be read.
    pub first_seq: u64,
    /// What to do about it.
    pub refusal: Refusal,
    /// When to try again, for [`Refusal::Later`].
    pub retry_after_ms: u32,
    /// What was wrong, for a person.
    #[serde(deserialize_with = "bounded::string::<_, STRING_BYTES_MAX>")]
    pub reason: String,
}

/// A message to one visitor's page. It may arrive more than once: on the stream, and again with an
/// answer over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// Names this signal: a page acts on each once. Below 2^53, so that a script holds it exactly.
    pub id: u64,
    /// What it is, `offer`.
    #[serde(deserialize_with = "bounded::string::<_, NAME_BYTES_MAX>")]
    pub name: String,
    /// What comes with it: JSON, `null` when nothing does.
    #[serde(deserialize_with = "bounded::string::<_, SIGNAL_BYTES_MAX>")]
    pub payload: String,
    /// From then on it should not be acted on, Unix ms by the collector's clock.
    pub expires_ms: u64,
}

/// What a client must do with a batch that was refused. Grows only at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// It will never be taken: give it up and count it. (HTTP 400, 413 and other 4xx.)
    Bad,
    /// The key or origin is not allowed: stop until reconfigured. (HTTP 401, 403.)
    Forbidden,
    /// Keep it and try again after the given time, with jitter. (HTTP 429, 5xx.)
    Later,
}
