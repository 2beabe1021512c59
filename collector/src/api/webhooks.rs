//! `POST /v1/sites/{site}/webhooks/{webhook}/test`: tells another system that this is a test.

use super::access::Access;
use super::error::ApiError;
use crate::clock::now_ms;
use crate::config::Scope;
use crate::signals::deliver::{SendError, Webhooks};
use crate::signals::message::Message;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

/// Seconds after which to try again when too many wait.
const RETRY_FULL_S: u32 = 60;

/// Hands it in; tells its id.
pub(super) async fn test(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    access: web::Data<Access>,
    webhooks: web::Data<Webhooks>,
) -> Result<HttpResponse, ApiError> {
    let (site, webhook) = path.into_inner();
    let site = access.allowed(&request, Some(&site), &[Scope::WebhooksTest])?;
    let unavailable = |error: String| ApiError::Unavailable(error, RETRY_FULL_S);
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| unavailable(error.to_string()))?;
    let id = format!("test_{}", hex::encode(random));
    let data = json!({"site": site.id, "webhook": webhook});
    let message = Message::new(&id, "test", now_ms(), &data)
        .map_err(|error| ApiError::BadRequest("invalid_webhook", error.to_string()))?;
    let sent = webhooks.send(&site.id, &webhook, message);
    sent.map_err(|error| match error {
        SendError::Unknown { .. } => {
            ApiError::NotFound(format!("there is no webhook {}", webhook.escape_debug()))
        }
        SendError::Full => unavailable(error.to_string()),
    })?;
    Ok(HttpResponse::Accepted().json(json!({"id": id})))
}
