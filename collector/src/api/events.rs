//! `POST /v1/events`: events that servers tell, each with an id and a time of its own.

use super::access::Access;
use super::collect::read_body;
use super::error::ApiError;
use super::event_json;
use super::inflate::inflate_up_to;
use crate::clock::now_ms;
use crate::config::{Retention, Scope};
use crate::ingest::imported::{self, EVENTS_MAX};
use crate::ingest::record::{DEAD_LETTER_BODY_BYTES_MAX, DeadLetter};
use crate::ingest::{Ingest, Verdict};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Bytes of a body, as it comes and inflated.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Why an event is rejected whose time is taken by the clock as it is, and not by what the log holds.
const TOO_OLD: &str = "its time is too long before the newest event the collector has received, so it \
                       may have been counted; was the collector's clock ahead?";
/// Why an event of an erased visitor is not taken.
const ERASED: &str = "its visitor was erased after it happened";

/// The query of a request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// The site, where whoever sends may write to several.
    site: Option<String>,
}

/// Takes events and says what became of each, once those that are ok are on disk.
pub(super) async fn take(
    request: HttpRequest,
    query: web::Query<Query>,
    payload: web::Payload,
    access: web::Data<Access>,
    ingest: web::Data<Ingest>,
    retention: web::Data<Retention>,
) -> Result<HttpResponse, ApiError> {
    let site = access.allowed(&request, query.site.as_deref(), &[Scope::EventsWrite])?;
    let body = read_body(&request, payload, BODY_BYTES_MAX).await?;
    let size = body.len();
    let events = events(&inflate_up_to(body, BODY_BYTES_MAX)?)?;
    let now_ms = now_ms();

    let (mut records, mut letters) = (Vec::new(), Vec::new());
    // What became of each event: a reason, or none where the record says it.
    let mut refused: Vec<Option<String>> = Vec::with_capacity(events.len());
    for event in events {
        let text = event.to_string();
        let record = event_json::record(&site.id, event, now_ms).and_then(|record| {
            imported::kept(record.batch.first_ms, now_ms, retention.events_days)?;
            Ok(record)
        });
        match record {
            Ok(record) => {
                records.push(record);
                refused.push(None);
            }
            Err(reason) => {
                letters.push(letter(&site.id, &text, &reason, now_ms));
                refused.push(Some(reason));
            }
        }
    }
    imported::number(&mut records);
    let name: Arc<str> = Arc::from(site.id.as_str());
    let verdicts = ingest
        .import(&name, records, letters, (now_ms, size))
        .await?;
    Ok(HttpResponse::Ok().json(answer(refused, verdicts)))
}

/// The events of a body: `{"events": […]}`.
fn events(body: &[u8]) -> Result<Vec<Value>, ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Told {
        events: Vec<Value>,
    }
    let told: Told = serde_json::from_slice(body)
        .map_err(|error| ApiError::BadRequest("malformed_json", error.to_string()))?;
    if told.events.is_empty() || told.events.len() > EVENTS_MAX {
        let text = format!(
            "{} events; 1 to {EVENTS_MAX} fit into a request",
            told.events.len()
        );
        return Err(ApiError::BadRequest("wrong_number_of_events", text));
    }
    Ok(told.events)
}

fn answer(refused: Vec<Option<String>>, verdicts: Vec<Verdict>) -> Value {
    let mut counts = [
        (Verdict::Ok, 0_u64),
        (Verdict::Duplicate, 0),
        (Verdict::Retry, 0),
        (Verdict::Refused, 0),
    ];
    let mut verdicts = verdicts.into_iter();
    let mut events = Vec::with_capacity(refused.len());
    for (index, reason) in refused.into_iter().enumerate() {
        let verdict = match &reason {
            Some(_) => Verdict::Refused,
            // One was given for each record.
            None => verdicts.next().unwrap_or(Verdict::Retry),
        };
        let (verdict, reason) = match verdict {
            Verdict::Expired => (Verdict::Refused, Some(TOO_OLD.to_owned())),
            // For ever, like whatever is rejected.
            Verdict::Erased => (Verdict::Refused, Some(ERASED.to_owned())),
            verdict => (verdict, reason),
        };
        for (_, count) in counts.iter_mut().filter(|(of, _)| *of == verdict) {
            *count += 1;
        }
        let mut event = json!({"index": index, "verdict": verdict.name()});
        if let Some(reason) = reason {
            event["reason"] = json!(reason);
        }
        events.push(event);
    }
    let mut answer = json!({"events": events});
    for (verdict, count) in counts {
        answer[verdict.name()] = json!(count);
    }
    answer
}

fn letter(site: &str, text: &str, reason: &str, received_ms: u64) -> DeadLetter {
    DeadLetter {
        site: site.to_owned(),
        received_ms,
        source: "events".into(),
        code: "invalid_event".into(),
        reason: reason.to_owned(),
        body_bytes: text.len() as u64,
        body: text.as_bytes()[..text.len().min(DEAD_LETTER_BODY_BYTES_MAX)].to_vec(),
    }
}
