//! From the bytes of a message to a batch, whichever form they have, and back to an answer in the
//! same form. Pure.

use super::error::ApiError;
use crate::ingest::{Accepted, Verdict};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use upriver_wire::answer::{Answer, Refusal, Refused, Signal};
use upriver_wire::batch::{Batch, Body, Custom, Event};
use upriver_wire::limits::EVENTS_MAX;
use upriver_wire::{WireError, envelope};

/// The form a message came in, and its answer goes out in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The binary form of the wire.
    Binary,
    /// JSON.
    Json,
}

impl Form {
    /// Tells by the first byte: JSON begins with white space or a brace, which no version of the
    /// binary form does.
    pub fn of(bytes: &[u8]) -> Self {
        match bytes.first() {
            Some(b'{' | b'[' | b' ' | b'\t' | b'\n' | b'\r') => Self::Json,
            _ => Self::Binary,
        }
    }
}

/// A message that was understood.
#[derive(Debug)]
pub struct Decoded {
    /// The batch.
    pub batch: Batch,
    /// Time of sending by the sender's clock, Unix ms; 0 when it was not said.
    pub sent_at_ms: u64,
    /// Events that could not be read: position and why. In the batch an empty event stands there.
    pub refused: Vec<(usize, String)>,
}

/// Reads a message.
///
/// # Errors
/// What is wrong, as a short code and for a person.
pub fn decode(bytes: &[u8]) -> Result<Decoded, ApiError> {
    match Form::of(bytes) {
        Form::Json => json_batch(bytes),
        Form::Binary => match envelope::decode(bytes) {
            Ok((batch, sent_at_ms)) => Ok(Decoded {
                batch,
                sent_at_ms,
                refused: Vec::new(),
            }),
            Err(error) => {
                let code = match error {
                    WireError::Truncated => "truncated",
                    WireError::Version(_) => "unknown_version",
                    WireError::Body => "malformed_body",
                    WireError::Trailing(_) => "trailing_bytes",
                };
                Err(ApiError::BadRequest(code, error.to_string()))
            }
        },
    }
}

/// JSON is for people and devices, so one bad event does not take the others with it.
fn json_batch(bytes: &[u8]) -> Result<Decoded, ApiError> {
    let bad = |error: serde_json::Error| ApiError::BadRequest("malformed_json", error.to_string());
    let mut message: Value = serde_json::from_slice(bytes).map_err(bad)?;
    let Some(fields) = message.as_object_mut() else {
        let text = "a batch is a JSON object with stream, visitor, first_seq, first_ms and events";
        return Err(ApiError::BadRequest("malformed_json", text.into()));
    };
    let sent_at_ms = match fields.remove("sent_at_ms") {
        None => 0,
        Some(value) => value.as_u64().ok_or_else(|| {
            let text = "sent_at_ms must be a whole number of milliseconds since 1970";
            ApiError::BadRequest("malformed_json", text.into())
        })?,
    };
    let events = match fields.insert("events".into(), json!([])) {
        Some(Value::Array(events)) => events,
        _ => {
            let text = "events is missing or not a list";
            return Err(ApiError::BadRequest("malformed_json", text.into()));
        }
    };
    if events.len() > EVENTS_MAX {
        let text = format!(
            "{} events; at most {EVENTS_MAX} fit into a batch",
            events.len()
        );
        return Err(ApiError::BadRequest("too_many_events", text));
    }
    let mut batch: Batch = serde_json::from_value(message).map_err(bad)?;
    let mut refused = Vec::new();
    for (index, value) in events.into_iter().enumerate() {
        match Event::deserialize(value) {
            Ok(event) => batch.events.push(event),
            Err(error) => {
                refused.push((index, error.to_string()));
                batch.events.push(Event {
                    delta_ms: 0,
                    body: Body::Custom(Custom::default()),
                });
            }
        }
    }
    Ok(Decoded {
        batch,
        sent_at_ms,
        refused,
    })
}

/// The answer to a batch that is on disk, with the signals that ride on it: in binary before it.
pub fn ack(
    form: Form,
    accepted: Accepted,
    refused: &[(usize, String)],
    signals: &[Arc<Signal>],
) -> Vec<u8> {
    match form {
        Form::Binary => {
            let mut answer: Vec<u8> = signals.iter().flat_map(|it| signal(form, it)).collect();
            answer.extend(envelope::encode_answer(&Answer::Ack(accepted.ack)));
            answer
        }
        Form::Json => {
            let first_seq = accepted.ack.first_seq;
            let events: Vec<Value> = (first_seq..)
                .zip(&accepted.verdicts)
                .enumerate()
                .map(|(index, (seq, verdict))| {
                    let mut event = json!({"seq": seq, "verdict": verdict.name()});
                    let reason = refused.iter().find(|(at, _)| *at == index);
                    if let (Verdict::Refused, Some((_, reason))) = (verdict, reason) {
                        event["reason"] = json!(reason);
                    }
                    event
                })
                .collect();
            let mut answer = json!({"ack": accepted.ack, "events": events});
            if !signals.is_empty() {
                let signals: Vec<&Signal> = signals.iter().map(AsRef::as_ref).collect();
                answer["signals"] = json!(signals);
            }
            answer.to_string().into_bytes()
        }
    }
}

/// A signal, as a message of its own.
pub fn signal(form: Form, signal: &Signal) -> Vec<u8> {
    match form {
        Form::Binary => envelope::encode_answer(&Answer::Signal(signal.clone())),
        Form::Json => json!({"signal": signal}).to_string().into_bytes(),
    }
}

/// The answer, on a stream, to a message that was not taken.
pub fn refusal(form: Form, error: &ApiError) -> Vec<u8> {
    let refused = Refused {
        stream: Default::default(),
        first_seq: 0,
        refusal: match error {
            ApiError::Unauthorized(_) | ApiError::Forbidden(_) => Refusal::Forbidden,
            ApiError::TooMany(..) | ApiError::Unavailable(..) => Refusal::Later,
            _ => Refusal::Bad,
        },
        retry_after_ms: error.retry_after_s().unwrap_or(0) * 1000,
        reason: error.to_string(),
    };
    match form {
        Form::Binary => envelope::encode_answer(&Answer::Refused(refused)),
        Form::Json => json!({"refused": refused}).to_string().into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_json_event_does_not_take_the_others_with_it() {
        let text = r#"{"stream":"1","visitor":"2","first_seq":5,"first_ms":9,"sent_at_ms":10,"events":[
            {"body":{"custom":{"name":"a"}}}, {"body":{"nonsense":{}}}, {"delta_ms":3,"body":{"custom":{"name":"b"}}}]}"#;
        let decoded = decode(text.as_bytes()).unwrap();
        assert_eq!((decoded.batch.events.len(), decoded.sent_at_ms), (3, 10));
        let [(1, reason)] = &decoded.refused[..] else {
            panic!("{:?}", decoded.refused)
        };
        assert!(reason.contains("nonsense"), "{reason}");
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let code = |bytes: &[u8]| decode(bytes).unwrap_err().code();
        assert_eq!(code(b""), "truncated");
        assert_eq!(code(b"\x07aaaaaaaaaa"), "unknown_version");
        assert_eq!(code(b"\x01aaaaaaaaaa"), "malformed_body");
        assert_eq!(code(b"{\"events\""), "malformed_json");
        assert_eq!(code(b"[]"), "malformed_json");
    }
}
