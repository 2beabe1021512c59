//! `GET /v1/openapi.json`: what every URL takes and answers, for programs that read it. Written by hand;
//! tests hold it against the running collector.

use actix_web::HttpResponse;
use actix_web::http::header;

/// The document, OpenAPI 3.1.
const DOCUMENT: &str = include_str!("../../openapi.json");

/// Answers everybody: it tells of no site.
pub(super) async fn document() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        // Tools on other pages may show it.
        .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .body(DOCUMENT)
}
