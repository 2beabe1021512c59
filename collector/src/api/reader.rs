//! The right to read one site, as an argument that a handler asks for.

use super::access::Access;
use super::error::ApiError;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use std::future::{Ready, ready};
use std::sync::Arc;

/// A request that may read one site.
#[derive(Clone, Debug)]
pub struct Reader {
    /// The site's id.
    pub site: Arc<str>,
}

impl FromRequest for Reader {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let site = match request.app_data::<web::Data<Access>>() {
            Some(access) => access.reader(request),
            None => Err(ApiError::Unavailable("reading is not set up".into(), 1)),
        };
        ready(site.map(|site| Self {
            site: Arc::from(site.id.as_str()),
        }))
    }
}
