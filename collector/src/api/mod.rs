//! Every URL on one screen. Translates HTTP, nothing else.

pub mod access;
mod agent;
mod audit;
pub mod client;
pub mod collect;
pub mod decode;
mod definitions;
pub mod error;
mod event_json;
mod events;
pub mod health;
mod inflate;
pub mod limits;
mod live;
mod openapi;
pub mod pages;
pub mod reader;
mod rights;
mod route;
mod signals;
pub mod stream;
pub mod token;
mod visitors;
mod webhooks;

pub use error::ApiError;
pub use health::ClickHouseUp;
pub use stream::Stopping;

use crate::config::Scope;
use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, Resource};
use route::entry;
pub use route::{Entry, Needs};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Largest JSON body of an administrative request.
const JSON_BYTES_MAX: usize = 16 * 1024;

/// Every URL. Nothing else is answered.
pub fn routes() -> Vec<Entry> {
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    let may = Needs::Scope;
    let mut routes = vec![
        // From pages.
        entry(POST, "/v1/batch", Needs::WriteKey, collect::batch),
        entry(
            Method::OPTIONS,
            "/v1/batch",
            Needs::Nothing,
            collect::preflight,
        ),
        entry(GET, "/v1/stream", Needs::WriteKey, stream::open),
        // From servers.
        entry(POST, "/v1/events", may(&[Scope::EventsWrite]), events::take),
        // To pages.
        entry(
            POST,
            "/v1/sites/{site}/signals",
            may(&[Scope::SignalsWrite]),
            signals::send,
        ),
        // To other systems.
        entry(
            POST,
            "/v1/sites/{site}/webhooks/{webhook}/test",
            may(&[Scope::WebhooksTest]),
            webhooks::test,
        ),
        // To whoever answers for visitors' data.
        entry(
            GET,
            "/v1/sites/{site}/visitors/{visitor}",
            may(&[Scope::VisitorsExport]),
            visitors::export,
        ),
        entry(
            Method::DELETE,
            "/v1/sites/{site}/visitors/{visitor}",
            may(&[Scope::VisitorsErase]),
            visitors::erase,
        ),
        entry(
            GET,
            "/v1/sites/{site}/erasures/{id}",
            may(&[Scope::VisitorsErase]),
            visitors::erasure,
        ),
        // To dashboards and programs.
        entry(GET, "/v1/me", Needs::Somebody, pages::me),
        entry(GET, "/v1/openapi.json", Needs::Nothing, openapi::document),
        entry(POST, "/v1/tickets", may(&[Scope::LiveRead]), pages::ticket),
        entry(GET, "/login", Needs::Nothing, pages::login),
        entry(GET, "/", Needs::Nothing, pages::index),
        entry(GET, "/overlay.js", Needs::Nothing, pages::overlay),
        entry(GET, "/assets/{path:.*}", Needs::Nothing, pages::asset),
        // To operators.
        entry(GET, "/healthz", Needs::Nothing, health::healthz),
        entry(GET, "/readyz", Needs::Nothing, health::readyz),
        entry(GET, "/metrics", Needs::Nothing, health::metrics),
        entry(GET, "/v1/audit", may(&[Scope::AuditRead]), audit::audit),
    ];
    // What is counted and shown.
    routes.extend(definitions::routes());
    routes.extend(live::routes());
    routes
}

/// Answers every URL. The state of what answers is put beside it by [`crate::run`].
pub fn configure(config: &mut ServiceConfig) {
    config
        .app_data(
            web::JsonConfig::default()
                .limit(JSON_BYTES_MAX)
                .error_handler(|error, _| {
                    ApiError::BadRequest("malformed_json", error.to_string()).into()
                }),
        )
        .app_data(web::QueryConfig::default().error_handler(|error, _| {
            ApiError::BadRequest("malformed_query", error.to_string()).into()
        }));
    let mut places: BTreeMap<Cow<'static, str>, (Resource, Vec<Method>)> = BTreeMap::new();
    for Entry {
        method,
        path,
        route,
        ..
    } in routes()
    {
        let new = || (web::resource(path.to_string()), Vec::new());
        let (resource, mut methods) = places.remove(&path).unwrap_or_else(new);
        methods.push(method);
        places.insert(path, (resource.route(route), methods));
    }
    for (resource, methods) in places.into_values() {
        let allowed: Vec<_> = methods.iter().map(Method::as_str).collect();
        let allowed = allowed.join(", ");
        config.service(resource.default_service(web::to(move || {
            let error = ApiError::MethodNotAllowed(allowed.clone());
            async { Err::<&'static str, _>(error) }
        })));
    }
    config
        .route("/v1/live/{resource:.*}", web::to(live::unknown))
        .default_service(web::to(not_found));
}

async fn not_found(request: HttpRequest) -> Result<&'static str, ApiError> {
    Err(ApiError::NotFound(format!(
        "nothing is at {}",
        request.path().escape_debug()
    )))
}
