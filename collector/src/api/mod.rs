//! Every URL on one screen. Translates HTTP, nothing else.

pub mod access;
mod agent;
mod audit;
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
pub mod pages;
pub mod reader;
mod signals;
pub mod stream;
pub mod token;
mod webhooks;

pub use error::ApiError;
pub use health::ClickHouseUp;
pub use stream::Stopping;

use actix_web::web::{self, ServiceConfig};

/// Largest JSON body of an administrative request.
const JSON_BYTES_MAX: usize = 16 * 1024;

/// The routes. Their state is put beside them by [`crate::run`].
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
        }))
        // From pages.
        .route("/v1/batch", web::post().to(collect::batch))
        .route(
            "/v1/batch",
            web::method(actix_web::http::Method::OPTIONS).to(collect::preflight),
        )
        .route("/v1/stream", web::get().to(stream::open))
        // From servers.
        .route("/v1/events", web::post().to(events::take))
        // To pages.
        .route("/v1/sites/{site}/signals", web::post().to(signals::send))
        // To other systems.
        .route(
            "/v1/sites/{site}/webhooks/{webhook}/test",
            web::post().to(webhooks::test),
        )
        // What is counted and shown.
        .configure(definitions::configure)
        // To dashboards and programs.
        .configure(live::configure)
        .route("/v1/me", web::get().to(pages::me))
        .route("/v1/tickets", web::post().to(pages::ticket))
        .route("/login", web::get().to(pages::login))
        .route("/", web::get().to(pages::index))
        .route("/overlay.js", web::get().to(pages::overlay))
        .route("/assets/{path:.*}", web::get().to(pages::asset))
        // To operators.
        .route("/healthz", web::get().to(health::healthz))
        .route("/readyz", web::get().to(health::readyz))
        .route("/metrics", web::get().to(health::metrics))
        .route("/v1/audit", web::get().to(audit::audit))
        .default_service(web::to(not_found));
}

async fn not_found(request: actix_web::HttpRequest) -> Result<&'static str, ApiError> {
    Err(ApiError::NotFound(format!(
        "nothing is at {}",
        request.path().escape_debug()
    )))
}
