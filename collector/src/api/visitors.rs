//! `/v1/sites/{site}/visitors/{visitor}`: everything kept of one visitor, given out or erased.

use super::access::Access;
use super::error::{ApiError, RETRY_AFTER_S};
use crate::config::Scope;
use crate::erasure::{ErasureError, Erasures, Progress, Receipt};
use crate::store::export::{ExportError, Exports};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};
use upriver_wire::VisitorId;
use uuid::Uuid;

/// `GET`: everything that is kept of a visitor, a line of JSON for each row. The last line says whether
/// that is all; without it lines are missing.
pub(super) async fn export(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    access: web::Data<Access>,
    erasures: web::Data<Erasures>,
    exports: web::Data<Exports>,
) -> Result<HttpResponse, ApiError> {
    let (site, visitor) = path.into_inner();
    let site = access.allowed(&request, Some(&site), &[Scope::VisitorsExport])?;
    let visitor = parse(&visitor)?;
    if erasures.is_erasing(&site.id, visitor) {
        let text = "this visitor is being erased; what is left of them is nothing to give out";
        return Err(ApiError::Conflict(text.into()));
    }
    let chunks = exports.begin(&site.id, visitor).await?;
    let chunks = stream::unfold(chunks, async |mut chunks| {
        let chunk = chunks.next().await?;
        if let Err(error) = &chunk {
            tracing::warn!(%error, "an export broke off");
        }
        Some((chunk.map(web::Bytes::from), chunks))
    });
    Ok(HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(Box::pin(chunks)))
}

/// `DELETE`: erases a visitor. 202 with the order, which is kept: it will be carried out.
pub(super) async fn erase(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    access: web::Data<Access>,
    erasures: web::Data<Erasures>,
) -> Result<HttpResponse, ApiError> {
    let (site, visitor) = path.into_inner();
    let site = access.allowed(&request, Some(&site), &[Scope::VisitorsErase])?;
    let receipt = erasures.order(&site.id, parse(&visitor)?).await?;
    Ok(answer(&receipt))
}

/// `GET /v1/sites/{site}/erasures/{id}`: how far an erasure is; its receipt when it is done.
pub(super) async fn erasure(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    access: web::Data<Access>,
    erasures: web::Data<Erasures>,
) -> Result<HttpResponse, ApiError> {
    let (site, id) = path.into_inner();
    let site = access.allowed(&request, Some(&site), &[Scope::VisitorsErase])?;
    let none = || ApiError::NotFound("there is no such erasure".into());
    let id = Uuid::parse_str(&id).map_err(|_| none())?;
    let receipt = erasures.find(&site.id, id)?.ok_or_else(none)?;
    Ok(answer(&receipt))
}

fn answer(receipt: &Receipt) -> HttpResponse {
    let mut response = match receipt.state {
        Progress::Ordered => HttpResponse::Accepted(),
        Progress::Done => HttpResponse::Ok(),
    };
    response
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(receipt)
}

/// A visitor, in hexadecimal as events have it, or with dashes as SQL shows it.
fn parse(text: &str) -> Result<VisitorId, ApiError> {
    let digits = text.replace('-', "");
    let text: StrDeserializer<'_, Error> = digits.as_str().into_deserializer();
    match VisitorId::deserialize(text) {
        Ok(visitor) if visitor.0 != 0 => Ok(visitor),
        _ => Err(ApiError::BadRequest(
            "invalid_visitor",
            "a visitor is 1 to 32 hexadecimal digits, with or without dashes, not all 0".into(),
        )),
    }
}

impl From<ExportError> for ApiError {
    fn from(error: ExportError) -> Self {
        Self::Unavailable(error.to_string(), RETRY_AFTER_S)
    }
}

impl From<ErasureError> for ApiError {
    fn from(error: ErasureError) -> Self {
        Self::Unavailable(error.to_string(), RETRY_AFTER_S)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_may_be_written_as_events_or_as_sql_have_it() {
        let whole = "caf00001-aaaa-bbbb-cccc-ddddeeee0003";
        let id = VisitorId(0xcaf0_0001_aaaa_bbbb_cccc_dddd_eeee_0003);
        assert_eq!(parse(whole).unwrap(), id);
        assert_eq!(parse(&whole.replace('-', "").to_uppercase()).unwrap(), id);
        assert_eq!(parse("caf0001").unwrap(), VisitorId(0xcaf_0001));
        for wrong in ["", "0", "-", "xyz", &"1".repeat(33)] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
