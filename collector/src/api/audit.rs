//! `GET /v1/audit`: whether the tables hold what was acknowledged, asked now.

use super::error::{ApiError, RETRY_AFTER_S};
use super::reader::Reader;
use crate::config::Scope;
use crate::store::audit::Audit;
use actix_web::http::header;
use actix_web::{HttpResponse, web};

/// The report covers all sites and names the ones that differ, so it is for whoever reaches all.
pub(super) async fn audit(
    reader: Reader,
    audit: web::Data<Audit>,
) -> Result<HttpResponse, ApiError> {
    reader.rights.everywhere(Scope::AuditRead)?;
    let report = audit.report().await;
    let report = report.map_err(|error| ApiError::Unavailable(error.to_string(), RETRY_AFTER_S))?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(&*report))
}
