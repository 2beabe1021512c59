//! `POST /v1/batch`: one batch in, one answer out once it is on disk.

use super::access::{Access, origin};
use super::agent::agent;
use super::client::Clients;
use super::decode::{self, Form};
use super::error::ApiError;
use super::inflate::inflate;
use super::limits::{Limits, prefix};
use crate::clock::now_ms;
use crate::config::Site;
use crate::ingest::record::{Agent, DEAD_LETTER_BODY_BYTES_MAX, DeadLetter};
use crate::ingest::{Accepted, Arrival, Ingest, IngestError};
use crate::signals::Signals;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::StreamExt;
use serde::Deserialize;
use std::sync::Arc;
use upriver_wire::answer::Signal;
use upriver_wire::limits::BODY_BYTES_MAX;
use upriver_wire::{StreamId, VisitorId};

/// The query of a writing request.
#[derive(Debug, Deserialize)]
pub struct WriteQuery {
    /// The write key.
    pub key: Option<String>,
}

/// Takes one batch.
pub async fn batch(
    request: HttpRequest,
    query: web::Query<WriteQuery>,
    payload: web::Payload,
    access: web::Data<Access>,
    limits: web::Data<Limits>,
    ingest: web::Data<Ingest>,
    (signals, clients): (web::Data<Signals>, web::Data<Clients>),
) -> Result<HttpResponse, ApiError> {
    // The origin may read the answer even when it is a refusal, or a page could not tell why.
    let cors = |mut response: HttpResponse| {
        allow_origin(&request, &mut response);
        response
    };
    let taken = async {
        let site = access.writer(query.key.as_deref(), &request)?;
        let address = clients.address(&request);
        limits.batch(prefix(address))?;
        let body = read_body(&request, payload, BODY_BYTES_MAX).await?;
        let body = match inflate(body.clone()) {
            Ok(plain) => plain,
            Err(error) => {
                let letter = letter(&site, "batch", &body, now_ms(), &error);
                ingest.dead_letter(letter).await?;
                return Err(error);
            }
        };
        let agent = agent(&request, clients.country(address));
        let taken = take(&ingest, &site, &body, "batch", agent).await?;
        let signals = signals.take(&site.id, taken.visitor, taken.stream, now_ms());
        Ok::<_, ApiError>((Form::of(&body), taken.answer(&signals)))
    };
    match taken.await {
        Ok((Form::Binary, answer)) => Ok(cors(HttpResponse::Ok().body(answer))),
        Ok((Form::Json, answer)) => Ok(cors(
            HttpResponse::Ok()
                .content_type("application/json")
                .body(answer),
        )),
        Err(error) => Ok(cors(actix_web::ResponseError::error_response(&error))),
    }
}

/// Answers a browser that asks before it sends JSON from another origin.
pub async fn preflight(request: HttpRequest) -> HttpResponse {
    let mut response = HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "POST"))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type"))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, "86400"))
        .finish();
    allow_origin(&request, &mut response);
    response
}

/// Whoever holds a write key may send from an allowed origin; nothing here depends on cookies, so
/// the origin may always read what it is told.
fn allow_origin(request: &HttpRequest, response: &mut HttpResponse) {
    if let Some(origin) = origin(request).and_then(|origin| origin.parse().ok()) {
        response
            .headers_mut()
            .insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        // Without this a page cannot see when it should come back.
        response.headers_mut().insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            header::HeaderValue::from_static("retry-after"),
        );
    }
    response
        .headers_mut()
        .insert(header::VARY, header::HeaderValue::from_static("origin"));
}

/// The body as it comes, up to so many bytes.
pub(super) async fn read_body(
    request: &HttpRequest,
    mut payload: web::Payload,
    bytes_max: usize,
) -> Result<web::Bytes, ApiError> {
    if let Some(encoding) = request.headers().get(header::CONTENT_ENCODING)
        && encoding != "identity"
        && encoding != "gzip"
    {
        let message = "of compressed bodies only gzip is taken";
        return Err(ApiError::Unsupported(message.into()));
    }
    let mut body = web::BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| {
            ApiError::BadRequest("broken_body", format!("the body broke off: {error}"))
        })?;
        if body.len() + chunk.len() > bytes_max {
            let message = format!("the body is over {bytes_max} bytes; send smaller batches");
            return Err(ApiError::TooLarge(message));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// A message that is on disk.
pub(super) struct Taken {
    form: Form,
    accepted: Accepted,
    refused: Vec<(usize, String)>,
    /// Whose it is.
    pub(super) visitor: VisitorId,
    /// Which run of the page sent it.
    pub(super) stream: StreamId,
}

impl Taken {
    /// The answer, with what else there is for the page.
    pub(super) fn answer(self, signals: &[Arc<Signal>]) -> Vec<u8> {
        decode::ack(self.form, self.accepted, &self.refused, signals)
    }
}

/// Takes a message in either form and returns once it is on disk. What can never be taken is kept as
/// a dead letter.
pub(super) async fn take(
    ingest: &Ingest,
    site: &Arc<Site>,
    message: &[u8],
    source: &str,
    agent: Agent,
) -> Result<Taken, ApiError> {
    let received_ms = now_ms();
    let letter = |error: &ApiError| letter(site, source, message, received_ms, error);
    let decoded = match decode::decode(message) {
        Ok(decoded) => decoded,
        Err(error) => {
            ingest.dead_letter(letter(&error)).await?;
            return Err(error);
        }
    };
    for (index, reason) in &decoded.refused {
        let error = ApiError::BadRequest("invalid_event", format!("event {index}: {reason}"));
        ingest.dead_letter(letter(&error)).await?;
    }
    let refused = decoded.refused.iter().map(|(index, _)| *index).collect();
    let name: Arc<str> = Arc::from(site.id.as_str());
    let (visitor, stream) = (decoded.batch.visitor, decoded.batch.stream);
    let accepted = ingest
        .accept(
            &name,
            decoded.batch,
            Arrival {
                sent_at_ms: decoded.sent_at_ms,
                received_ms,
                size: message.len(),
                refused,
                agent,
            },
        )
        .await;
    match accepted {
        Ok(accepted) => Ok(Taken {
            form: Form::of(message),
            accepted,
            refused: decoded.refused,
            visitor,
            stream,
        }),
        Err(error @ IngestError::Invalid(_)) => {
            let error = ApiError::from(error);
            ingest.dead_letter(letter(&error)).await?;
            Err(error)
        }
        Err(error) => Err(error.into()),
    }
}

/// A message that can never be taken, as it is kept.
fn letter(
    site: &Site,
    source: &str,
    message: &[u8],
    received_ms: u64,
    error: &ApiError,
) -> DeadLetter {
    DeadLetter {
        site: site.id.clone(),
        received_ms,
        source: source.into(),
        code: error.code().into(),
        reason: error.message().into(),
        body_bytes: message.len() as u64,
        body: message[..message.len().min(DEAD_LETTER_BODY_BYTES_MAX)].to_vec(),
    }
}
