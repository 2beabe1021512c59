//! `GET /v1/live/…`: every live resource, as an answer now or as a subscription on the same URL.
//!
//! Translates HTTP to a query and messages to frames, nothing else. A plain request is answered
//! with a snapshot; one that accepts `text/event-stream`, or upgrades to a WebSocket, gets the
//! snapshot and then every change. `/v1/live` itself does the same for many resources on one
//! connection.

mod filter;
mod help;
mod multiplex;
mod parameters;
mod push;
#[cfg(test)]
mod tests;

use super::access::parameter;
use super::error::ApiError;
use super::reader::Reader;
use super::rights::Rights;
use super::route::{Entry, Needs, entry};
use crate::config::{Scope, Site};
use crate::live::{Live, LiveError, Naming, Published, Query, Subscription};
use crate::past::{Past, PastError};
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use help::{RESOURCES, ResourceHelp};
use multiplex::Multiplex;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Seconds after which a client that was one too many should try again.
const RETRY_FULL_S: u32 = 10;
/// Longest that a request may wait for a change, seconds.
const WAIT_S_MAX: u64 = 60;

/// What the address of every resource begins with.
const RESOURCES_AT: &str = "/v1/live/";

/// What reads the list of them, and opens a connection for several.
const READING: &[Scope] = &[Scope::LiveRead, Scope::VisitorsRead];

/// The URLs. `web::Data<Live>` and what [`Reader`] needs must be there.
pub(super) fn routes() -> Vec<Entry> {
    let mut routes = vec![entry(Method::GET, "/v1/live", Needs::Scope(READING), index)];
    routes.extend(RESOURCES.iter().map(|help| {
        let path = format!("{RESOURCES_AT}{}", help.name);
        entry(Method::GET, path, Needs::Scope(help.scope), resource)
    }));
    routes
}

/// What is said of an address below `/v1/live/` that is none.
pub(super) async fn unknown(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let name = request.path().strip_prefix(RESOURCES_AT);
    parameters::resource(name.unwrap_or_default())?;
    Err(ApiError::MethodNotAllowed("GET".into()))
}

/// What there is; or many resources on one connection.
async fn index(
    reader: Reader,
    request: HttpRequest,
    payload: web::Payload,
    live: web::Data<Live>,
) -> Result<HttpResponse, ApiError> {
    if has(&request, header::UPGRADE, "websocket") {
        let multiplex = Multiplex::open(&request, reader.rights, live)?;
        return push::websocket(&request, payload, multiplex);
    }
    if has(&request, header::ACCEPT, "text/event-stream") {
        let mut multiplex = Multiplex::open(&request, reader.rights, live)?;
        let refusals = multiplex.watch(request.query_string()).await?;
        return Ok(to_page(&request, push::events(refusals, multiplex)));
    }
    let site = reader.site(READING)?;
    list(&site, &live)
}

/// Resources, their parameters, the site's funnels.
fn list(site: &Site, live: &Live) -> Result<HttpResponse, ApiError> {
    let index = live
        .index(&site.id)
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
                "url": format!("{RESOURCES_AT}{}", resource.name),
                "holds": resource.holds,
                "scope": resource.scope.first().map(|scope| scope.name()),
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
    request: HttpRequest,
    payload: web::Payload,
    live: web::Data<Live>,
) -> Result<HttpResponse, ApiError> {
    let name = request.path().strip_prefix(RESOURCES_AT);
    let help = parameters::resource(name.unwrap_or_default())?;
    let site = reader.site(help.scope)?;
    let asked = Asked {
        live: &live,
        past: request.app_data::<web::Data<Past>>(),
        site: site.id.as_str().into(),
        query: query(help, request.query_string(), (&reader.rights, &site))?,
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

/// The query of somebody with these rights on a site: it names visitors to whom it may.
fn query(
    help: &ResourceHelp,
    parameters: &str,
    (rights, site): (&Rights, &Site),
) -> Result<Query, ApiError> {
    let naming = match rights.allow(&site.id, Scope::VisitorsRead) {
        true => Naming::Named,
        false => Naming::Unnamed,
    };
    parameters::query(help, parameters, naming)
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
