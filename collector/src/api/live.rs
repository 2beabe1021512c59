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

use super::access::{Access, parameter};
use super::error::ApiError;
use super::reader::Reader;
use crate::live::{Live, LiveError, Published, Query, Subscription};
use crate::past::{Past, PastError};
use actix_web::http::header;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use multiplex::Multiplex;
use parameters::RESOURCES;
use serde_json::json;
use std::sync::Arc;

/// Seconds after which a client that was one too many should try again.
const RETRY_FULL_S: u32 = 10;

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
    live: web::Data<Live>,
) -> Result<HttpResponse, ApiError> {
    let query = parameters::query(&name, request.query_string())?;
    let asked = Asked {
        live: &live,
        past: request.app_data::<web::Data<Past>>(),
        site: reader.site.clone(),
        query,
    };
    let wants = |name, value| has(&request, name, value);
    if wants(header::UPGRADE, "websocket") {
        return push::websocket(&request, payload, asked.subscribe().await?);
    }
    if wants(header::ACCEPT, "text/event-stream") {
        let response = push::events(Vec::new(), asked.subscribe().await?);
        return Ok(to_page(&request, response));
    }
    let snapshot = asked.snapshot().await?;
    let response = HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .content_type("application/json")
        .body(snapshot.json.to_string());
    Ok(to_page(&request, response))
}

/// A query of a site, answered from memory or, beyond it, from ClickHouse.
struct Asked<'a> {
    live: &'a Live,
    past: Option<&'a web::Data<Past>>,
    site: Arc<str>,
    query: Query,
}

impl Asked<'_> {
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
        let answer = self.live.subscribe(self.site.clone(), self.query.clone());
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
