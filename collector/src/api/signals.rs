//! `POST /v1/sites/{site}/signals`: something for the page of one visitor.

use super::access::Access;
use super::error::ApiError;
use crate::clock::now_ms;
use crate::config::Scope;
use crate::signals::{Signals, new_number};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};
use upriver_wire::VisitorId;
use upriver_wire::answer::Signal;
use upriver_wire::limits::{NAME_BYTES_MAX, SIGNAL_BYTES_MAX};

/// How long a signal waits when nothing is said.
const LIFE_MS: u64 = 60_000;
/// How long a signal may wait.
const LIFE_MS_MAX: u64 = 24 * 3_600_000;
/// Seconds after which to try again when too many wait.
const RETRY_FULL_S: u32 = 10;

/// What to send.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    visitor: VisitorId,
    name: String,
    #[serde(default)]
    payload: Value,
    /// How long it is worth acting on.
    #[serde(default = "life_ms")]
    expires_in_ms: u64,
}

fn life_ms() -> u64 {
    LIFE_MS
}

/// Sends it; tells its number and to how many open streams it went.
pub(super) async fn send(
    request: HttpRequest,
    site: web::Path<String>,
    asked: web::Json<Asked>,
    access: web::Data<Access>,
    signals: web::Data<Signals>,
) -> Result<HttpResponse, ApiError> {
    let site = access.allowed(&request, Some(&site), &[Scope::SignalsWrite])?;
    let Asked {
        visitor,
        name,
        payload,
        expires_in_ms,
    } = asked.into_inner();
    let payload = payload.to_string();
    let bad = |text: String| Err(ApiError::BadRequest("invalid_signal", text));
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return bad(format!("name must be 1 to {NAME_BYTES_MAX} bytes"));
    }
    if payload.len() > SIGNAL_BYTES_MAX {
        let bytes = payload.len();
        return bad(format!(
            "payload is {bytes} bytes of JSON; at most {SIGNAL_BYTES_MAX} fit"
        ));
    }
    if !(1..=LIFE_MS_MAX).contains(&expires_in_ms) {
        return bad(format!("expires_in_ms must be 1 to {LIFE_MS_MAX}"));
    }
    let now_ms = now_ms();
    let id = new_number().map_err(|error| ApiError::Unavailable(error.to_string(), 1))?;
    let expires_ms = now_ms + expires_in_ms;
    let signal = Signal {
        id,
        name,
        payload,
        expires_ms,
    };
    let streams = signals
        .send(&site.id, visitor, signal, now_ms)
        .map_err(|error| ApiError::TooMany(error.to_string(), RETRY_FULL_S))?;
    Ok(HttpResponse::Accepted().json(json!({
        "id": id,
        "streams": streams,
        "expires_ms": expires_ms,
    })))
}
