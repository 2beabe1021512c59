//! `GET /v1/audit`: whether the tables hold what was acknowledged, asked now.

use super::access::Access;
use super::error::{ApiError, RETRY_AFTER_S};
use super::reader::Reader;
use crate::store::audit::Audit;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};

/// Answers whoever is logged in, or holds the read token of any site: the report names no site and
/// holds nobody's data.
pub(super) async fn audit(
    request: HttpRequest,
    access: web::Data<Access>,
    audit: web::Data<Audit>,
) -> Result<HttpResponse, ApiError> {
    if access.logged_in(&request).is_err() {
        Reader::extract(&request).await?;
    }
    let report = audit.report().await;
    let report = report.map_err(|error| ApiError::Unavailable(error.to_string(), RETRY_AFTER_S))?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(&*report))
}
