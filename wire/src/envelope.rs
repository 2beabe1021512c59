//! The outermost bytes: a version, for a batch also the time of sending, then the postcard body.
//!
//! A batch is `[version: 1][sent_at: u48 LE, Unix ms][body]`. The time of sending has a fixed place
//! so that a stored batch can be sent again without being decoded.

use crate::answer::Answer;
use crate::batch::{Batch, Body, Impression};
use crate::limits::ANSWERS_MAX;
use alloc::vec::Vec;
use core::fmt;

/// The version this code writes, and the newest it reads.
pub const VERSION: u8 = 1;
/// Bytes before the body of a batch.
pub const HEADER_BYTES: usize = 7;

/// Why bytes could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireError {
    /// Nothing, or not even a header.
    Truncated,
    /// A version this code does not know.
    Version(u8),
    /// The body is malformed, or exceeds a limit.
    Body,
    /// Bytes follow the body.
    Trailing(usize),
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => write!(f, "the message ends before its header does"),
            Self::Version(version) => {
                write!(
                    f,
                    "version {version} of the wire is not known here (newest: {VERSION})"
                )
            }
            Self::Body => write!(f, "the body is malformed or exceeds a limit"),
            Self::Trailing(bytes) => write!(f, "{bytes} bytes follow the end of the body"),
        }
    }
}

impl core::error::Error for WireError {}

/// Encodes a batch, with the time of sending by the page's clock (Unix ms).
pub fn encode(batch: &Batch, sent_at_ms: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    bytes.push(VERSION);
    bytes.extend_from_slice(&[0; HEADER_BYTES - 1]);
    set_sent_at(&mut bytes, sent_at_ms);
    let mut batch = batch.clone();
    impressions(&mut batch, |seen, before| (seen.since(before), seen));
    append(bytes, &batch)
}

/// Overwrites the time of sending in an encoded batch. Does nothing to bytes that are too short.
pub fn set_sent_at(bytes: &mut [u8], sent_at_ms: u64) {
    if let Some(place) = bytes.get_mut(1..HEADER_BYTES) {
        let time = sent_at_ms.to_le_bytes();
        for (to, from) in place.iter_mut().zip(time) {
            *to = from;
        }
    }
}

/// Decodes a batch. Returns it with the time of sending by the page's clock (Unix ms).
///
/// Never panics, and holds at most the limits' worth of items whatever the bytes claim.
///
/// # Errors
/// See [`WireError`].
pub fn decode(bytes: &[u8]) -> Result<(Batch, u64), WireError> {
    let body = bytes.get(HEADER_BYTES..).ok_or(WireError::Truncated)?;
    known_version(bytes)?;
    let mut sent_at = [0; 8];
    sent_at[..HEADER_BYTES - 1].copy_from_slice(&bytes[1..HEADER_BYTES]);
    let mut batch = exact(body)?;
    impressions(&mut batch, |by, before| {
        let seen = by.after(before);
        (seen, seen)
    });
    Ok((batch, u64::from_le_bytes(sent_at)))
}

/// Puts another in the place of each impression, which is made of it and of what the one before it left;
/// `make` returns it, and what it leaves.
fn impressions(
    batch: &mut Batch,
    make: impl Fn(Impression, Impression) -> (Impression, Impression),
) {
    let mut before = Impression::default();
    for event in &mut batch.events {
        if let Body::Impression(seen) = &mut event.body {
            (*seen, before) = make(*seen, before);
        }
    }
}

/// Encodes an answer: a version byte, then the body.
pub fn encode_answer(answer: &Answer) -> Vec<u8> {
    append(alloc::vec![VERSION], answer)
}

/// Decodes an answer.
///
/// # Errors
/// See [`WireError`].
pub fn decode_answer(bytes: &[u8]) -> Result<Answer, WireError> {
    let body = bytes.get(1..).ok_or(WireError::Truncated)?;
    known_version(bytes)?;
    exact(body)
}

/// Decodes answers that follow each other, as in the body of an HTTP answer: at least one, and at most
/// [`ANSWERS_MAX`]. Each is read as [`decode_answer`] reads one.
///
/// # Errors
/// See [`WireError`]; [`WireError::Trailing`] when there are more than the limit.
pub fn decode_answers(bytes: &[u8]) -> Result<Vec<Answer>, WireError> {
    let mut answers = Vec::new();
    let mut rest = bytes;
    loop {
        let body = rest.get(1..).ok_or(WireError::Truncated)?;
        known_version(rest)?;
        let (answer, after) = postcard::take_from_bytes(body).map_err(|_| WireError::Body)?;
        answers.push(answer);
        if after.is_empty() {
            return Ok(answers);
        }
        if answers.len() == ANSWERS_MAX {
            return Err(WireError::Trailing(after.len()));
        }
        rest = after;
    }
}

fn known_version(bytes: &[u8]) -> Result<(), WireError> {
    match bytes.first() {
        None => Err(WireError::Truncated),
        Some(&VERSION) => Ok(()),
        Some(&version) => Err(WireError::Version(version)),
    }
}

fn append<T: serde::Serialize>(head: Vec<u8>, body: &T) -> Vec<u8> {
    // Growing a Vec is the only thing that could fail, and that aborts; the types here have no
    // serializer of their own that returns an error.
    postcard::to_extend(body, head).unwrap_or_default()
}

fn exact<'de, T: serde::Deserialize<'de>>(body: &'de [u8]) -> Result<T, WireError> {
    match postcard::take_from_bytes(body) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(WireError::Trailing(rest.len())),
        Err(_) => Err(WireError::Body),
    }
}
