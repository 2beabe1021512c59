//! `GET /v1/live/…`: every live resource, as an answer now or as a subscription on the same URL.
//!
//! Translates HTTP to a query and messages to frames, nothing else. A plain request is answered
//! with a snapshot; one that accepts `text/event-stream`, or upgrades to a WebSocket, gets the
//! snapshot and then every change. `/v1/live` itself does the same for many resources on one
//! connection.

mod filter;
mod multiplex;
mod parameters;
mod push;
#[cfg(test)]
mod tests;

use super::access::{Access, Rights, parameter};
use super::error::ApiError;
use super::reader::Reader;
use crate::live::{Live, LiveError, Published, Query, Subscription};
use crate::past::{Past, PastError};
use actix_web::http::{StatusCode, header};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use multiplex::Multiplex;
use parameters::RESOURCES;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Seconds after which a client that was one too many should try again.
const RETRY_FULL_S: u32 = 10;
/// Longest that a request may wait for a change, seconds.
const WAIT_S_MAX: u64 = 60;

/// The routes. `web::Data<Live>` and what [`Reader`] needs must be there.
pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .route("/v1/live", web::get().to(index))
        // A resource may have a part of its own: `funnel/visitors`.
        .route(
            "/v1/live/{resource:[^/]+(?:/[^/]+)?}",
            web::get().to(resource),
        );
}

/// What there is; or many resources on one connection.
async fn index(
    reader: Result<Reader, ApiError>,
    request: HttpRequest,
    payload: web::Payload,
    access: web::Data<Access>,
    live: web::Data<Live>,
) -> Result<HttpResponse, ApiError> {
    if has(&request, header::UPGRADE, "websocket") {
        let multiplex = Multiplex::open(&request, access, live)?;
        return push::websocket(&request, payload, multiplex);
    }
    if has(&request, header::ACCEPT, "text/event-stream") {
        let mut multiplex = Multiplex::open(&request, access, live)?;
        let refusals = multiplex.watch(request.query_string()).await?;
        return Ok(to_page(&request, push::events(refusals, multiplex)));
    }
    list(&reader?, &live)
}

/// Resources, their parameters, the site's funnels.
fn list(reader: &Reader, live: &Live) -> Result<HttpResponse, ApiError> {
    let index = live
        .index(&reader.site)
        .ok_or_else(|| ApiError::NotFound(LiveError::UnknownSite.to_string()))?;
    let resources: Vec<_> = RESOURCES
        .iter()
        .map(|resource| {
            let parameters: Vec<_> = resource
                .parameters
                .iter()
                .map(|parameter| {
                    json!({
                        "name": parameter.name,
                        "required": parameter.required,
                        "value": parameter.value,
                    })
                })
                .collect();
            json!({
                "name": resource.name,
                "url": format!("/v1/live/{}", resource.name),
                "holds": resource.holds,
                "parameters": parameters,
            })
        })
        .collect();
    let funnels: Vec<_> = index
        .funnels
        .iter()
        .map(|(id, name)| json!({"id": id, "name": name}))
        .collect();
    let body = json!({"site": index.site, "resources": resources, "funnels": funnels});
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(body))
}

async fn resource(
    reader: Reader,
    name: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
    access: web::Data<Access>,
    live: web::Data<Live>,
) -> Result<HttpResponse, ApiError> {
    let query = parameters::query(&name, request.query_string())?;
    may_ask(&access.rights(&request)?, &query)?;
    let asked = Asked {
        live: &live,
        past: request.app_data::<web::Data<Past>>(),
        site: reader.site.clone(),
        query,
        after: resumed_from(&request),
    };
    let wants = |name, value| has(&request, name, value);
    if wants(header::UPGRADE, "websocket") {
        return push::websocket(&request, payload, asked.subscribe().await?);
    }
    if wants(header::ACCEPT, "text/event-stream") {
        let response = push::events(Vec::new(), asked.subscribe().await?);
        return Ok(to_page(&request, response));
    }
    if let Some(wait) = parameter(request.query_string(), "wait") {
        return Ok(to_page(&request, asked.changes(patience(&wait)?).await?));
    }
    let snapshot = asked.snapshot().await?;
    let tag = format!("\"{}\"", snapshot.cursor);
    let mut response = match has(&request, header::IF_NONE_MATCH, &tag) {
        true => HttpResponse::NotModified(),
        false => HttpResponse::Ok(),
    };
    response
        .insert_header((header::ETAG, tag))
        // Kept, but never used without asking.
        .insert_header((header::CACHE_CONTROL, "no-cache, private"))
        .content_type("application/json");
    let body = snapshot.json.to_string();
    let response = match response.finish() {
        response if response.status() == StatusCode::NOT_MODIFIED => response,
        response => response.set_body(actix_web::body::BoxBody::new(body)),
    };
    Ok(to_page(&request, response))
}

/// A query of a site, answered from memory or, beyond it, from ClickHouse.
struct Asked<'a> {
    live: &'a Live,
    past: Option<&'a web::Data<Past>>,
    site: Arc<str>,
    query: Query,
    /// The cursor of what the client has already.
    after: Option<String>,
}

impl Asked<'_> {
    /// What changed since the cursor, as soon as there is anything; all of it without one. An empty list
    /// when nothing did in that time.
    async fn changes(&self, wait: Duration) -> Result<HttpResponse, ApiError> {
        let mut subscription = self.subscribe().await?;
        let mut updates: Vec<Published> = Vec::new();
        if let Ok(first) = tokio::time::timeout(wait, subscription.recv()).await {
            updates.extend(first);
        }
        while let Ok(more) = subscription.try_recv() {
            updates.push(more);
        }
        let last = updates.last().map(|update| update.cursor.to_string());
        let cursor = last.or_else(|| self.after.clone());
        let texts: Vec<&str> = updates.iter().map(|update| &*update.json).collect();
        let body = format!(
            "{{\"cursor\":{},\"updates\":[{}]}}",
            json!(cursor),
            texts.join(",")
        );
        Ok(HttpResponse::Ok()
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .content_type("application/json")
            .body(body))
    }

    async fn snapshot(&self) -> Result<Published, ApiError> {
        let answer = self.live.snapshot(self.site.clone(), self.query.clone());
        match answer.await {
            Err(LiveError::NotInMemory) => {
                let past = self.past.ok_or_else(|| beyond(&PastError::Away))?;
                let answer = past.snapshot(&self.site, &self.query).await;
                answer.map_err(|error| beyond(&error))
            }
            answer => answer.map_err(|error| self.refusal(error)),
        }
    }

    async fn subscribe(&self) -> Result<Subscription, ApiError> {
        let (site, query) = (self.site.clone(), self.query.clone());
        let answer = self.live.subscribe(site, query, self.after.clone());
        match answer.await {
            Err(LiveError::NotInMemory) => {
                let past = self.past.ok_or_else(|| beyond(&PastError::Away))?;
                let answer = past.subscribe(self.site.clone(), self.query.clone());
                answer.map_err(|error| beyond(&error))
            }
            answer => answer.map_err(|error| self.refusal(error)),
        }
    }

    fn refusal(&self, error: LiveError) -> ApiError {
        refusal(error, self.live, &self.site, &self.query)
    }
}

/// Why there is no answer from ClickHouse.
fn beyond(error: &PastError) -> ApiError {
    if let PastError::Refused(_) = error {
        tracing::warn!(%error, "a range beyond memory");
    }
    ApiError::Unavailable(error.to_string(), RETRY_FULL_S)
}

/// Lets a page read the answer that its ticket was good for; its origin was checked with the ticket.
/// A login is never good for a page of another origin.
fn to_page(request: &HttpRequest, mut response: HttpResponse) -> HttpResponse {
    let headers = response.headers_mut();
    headers.insert(header::VARY, header::HeaderValue::from_static("origin"));
    if parameter(request.query_string(), "ticket").is_some()
        && !request.headers().contains_key(header::AUTHORIZATION)
        && let Some(origin) = request.headers().get(header::ORIGIN)
    {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
    response
}

/// Whether somebody with these rights may ask that. A ticket lies in a page's address, where others may
/// read it: it names no visitors.
fn may_ask(rights: &Rights, query: &Query) -> Result<(), ApiError> {
    match query {
        Query::FunnelVisitors(..) if rights.is_by_ticket() => Err(ApiError::Forbidden(
            "a ticket names no visitors; ask with a read token or a login".into(),
        )),
        _ => Ok(()),
    }
}

/// The cursor of what a client has already: what a browser's own client says when it connects again,
/// or else `?after=`.
fn resumed_from(request: &HttpRequest) -> Option<String> {
    let last = request.headers().get("last-event-id");
    let last = last.and_then(|last| last.to_str().ok()).map(str::to_owned);
    last.or_else(|| parameter(request.query_string(), "after"))
}

/// How long a request waits for a change.
fn patience(seconds: &str) -> Result<Duration, ApiError> {
    let seconds: Option<u64> = seconds
        .parse()
        .ok()
        .filter(|seconds| *seconds <= WAIT_S_MAX);
    seconds.map(Duration::from_secs).ok_or_else(|| {
        let text = format!("wait must be 0 to {WAIT_S_MAX} seconds");
        ApiError::BadRequest("invalid_parameter", text)
    })
}

/// Whether one of the values of a header, which may be a list with parameters, is this one.
fn has(request: &HttpRequest, name: header::HeaderName, value: &str) -> bool {
    let lines = request
        .headers()
        .get_all(name)
        .filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|item| {
        let item = item.split(';').next().unwrap_or_default();
        item.trim().eq_ignore_ascii_case(value)
    })
}

/// Why a query is refused, with what would have been accepted.
fn refusal(error: LiveError, live: &Live, site: &str, query: &Query) -> ApiError {
    match (error, query) {
        (LiveError::UnknownFunnel, Query::Funnel(id, _) | Query::FunnelVisitors(id, ..)) => {
            let funnels = live.index(site).map(|index| index.funnels);
            let funnels = funnels.unwrap_or_default();
            let ids: Vec<_> = funnels.iter().map(|(id, _)| id.as_str()).collect();
            let ids = if ids.is_empty() {
                "none".to_owned()
            } else {
                ids.join(", ")
            };
            ApiError::NotFound(format!(
                "there is no funnel {id:?}; the site's funnels: {ids}"
            ))
        }
        (LiveError::UnknownSite | LiveError::UnknownFunnel, _) => {
            ApiError::NotFound(error.to_string())
        }
        (LiveError::TooManySubscribers | LiveError::TooManyQueries, _) => {
            ApiError::TooMany(error.to_string(), RETRY_FULL_S)
        }
        (LiveError::NotInMemory | LiveError::Stopped, _) => {
            ApiError::Unavailable(error.to_string(), RETRY_FULL_S)
        }
    }
}
