//! A request's body, whole or not at all: collected within limits, unpacked, its form fields read.
//! A body that ends early is an error here, so half an INSERT never reaches the engine.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::HttpRequest;
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_core::Stream as _;

use super::failure::{Failure, code};
use super::request::bad;
use crate::compression::{self, DecodeError};

/// One body, as received and again after decompression.
pub(crate) const BODY_BYTES_MAX: usize = 256 << 20;
/// All bodies held at the same time, as received.
const BODIES_BYTES_MAX: usize = 1 << 30;
/// How long a body may bring nothing.
const BODY_IDLE_MAX: std::time::Duration = std::time::Duration::from_secs(60);

static HELD: AtomicUsize = AtomicUsize::new(0);

/// Counts a body's bytes for as long as it lives.
#[derive(Default)]
struct Held(usize);

impl Held {
    fn add(&mut self, bytes: usize) -> Result<(), Failure> {
        self.0 += bytes;
        if HELD.fetch_add(bytes, Ordering::Relaxed) + bytes > BODIES_BYTES_MAX {
            return Err(Failure::new(
                code::SERVER_OVERLOADED,
                "SERVER_OVERLOADED",
                "the bodies of all running requests together are larger than 1 GiB; try again later",
            ));
        }
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// A complete body, unpacked from its `Content-Encoding`.
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    _held: Held,
}

/// Collects the body.
pub(crate) async fn collect(request: &HttpRequest, mut payload: Payload) -> Result<Body, Failure> {
    use actix_web::rt::time::timeout;
    let coding = request
        .headers()
        .get("Content-Encoding")
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let mut held = Held::default();
    let mut bytes = BytesMut::new();
    loop {
        let next = std::future::poll_fn(|context| Pin::new(&mut payload).poll_next(context));
        let Ok(piece) = timeout(BODY_IDLE_MAX, next).await else {
            return Err(broken("nothing arrived for 60 s"));
        };
        let Some(piece) = piece else { break };
        let piece = piece.map_err(|error| broken(&error.to_string()))?;
        held.add(piece.len())?;
        bytes.extend_from_slice(&piece);
        if bytes.len() > BODY_BYTES_MAX {
            return Err(too_large(&DecodeError::TooLarge(BODY_BYTES_MAX)));
        }
    }
    let bytes = bytes.freeze();
    if coding.is_empty() {
        return Ok(Body { bytes, _held: held });
    }
    let coding = coding.to_owned();
    let unpacked = unpack(move || {
        let plain = compression::decode_content(&coding, &bytes, BODY_BYTES_MAX)?;
        Ok(plain.map_or(bytes, Bytes::from))
    });
    Ok(Body {
        bytes: unpacked.await?,
        _held: held,
    })
}

/// Unpacks native blocks (`decompress=1`).
pub(crate) async fn unpack_native(bytes: Bytes) -> Result<Bytes, Failure> {
    unpack(move || compression::decode_native(&bytes, BODY_BYTES_MAX).map(Bytes::from)).await
}

/// Runs a decoder where it may take its time.
async fn unpack(
    decode: impl FnOnce() -> Result<Bytes, DecodeError> + Send + 'static,
) -> Result<Bytes, Failure> {
    match actix_web::rt::task::spawn_blocking(decode).await {
        Ok(decoded) => decoded.map_err(|error| too_large(&error)),
        Err(_) => Err(Failure::new(
            code::LOGICAL_ERROR,
            "LOGICAL_ERROR",
            "the decoder broke off",
        )),
    }
}

fn too_large(error: &DecodeError) -> Failure {
    match error {
        DecodeError::TooLarge(_) => {
            Failure::new(code::QUERY_IS_TOO_LARGE, "QUERY_IS_TOO_LARGE", error)
        }
        DecodeError::UnknownCoding(_) => bad(error),
        _ => Failure::new(code::CANNOT_DECOMPRESS, "CANNOT_DECOMPRESS", error),
    }
}

fn broken(reason: &str) -> Failure {
    let message =
        format!("the request's body broke off ({reason}); nothing of it was used, send it again");
    Failure::new(code::CANNOT_READ_ALL_DATA, "CANNOT_READ_ALL_DATA", message)
}
