//! `GET /v1/audit`: whether the tables hold what was acknowledged, asked now.

use super::access::Access;
use super::error::{ApiError, RETRY_AFTER_S};
use super::reader::Reader;
use crate::store::audit::Audit;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};

/// Answers whoever is logged in. A read token is enough only where there is one site: the report
/// covers all of them, and names the ones that differ.
pub(super) async fn audit(
    request: HttpRequest,
    access: web::Data<Access>,
    audit: web::Data<Audit>,
) -> Result<HttpResponse, ApiError> {
    if let Err(not_logged_in) = access.logged_in(&request) {
        if access.sites().len() > 1 {
            return Err(not_logged_in);
        }
        Reader::extract(&request).await?;
    }
    let report = audit.report().await;
    let report = report.map_err(|error| ApiError::Unavailable(error.to_string(), RETRY_AFTER_S))?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(&*report))
}
