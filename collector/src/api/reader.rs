//! Who asks, as an argument that a handler asks for.

use super::access::{Access, parameter};
use super::error::ApiError;
use super::rights::Rights;
use crate::config::{Scope, Site};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use std::future::{Ready, ready};
use std::sync::Arc;

/// Somebody who said who they are, and was believed.
#[derive(Clone, Debug)]
pub struct Reader {
    /// What they may do.
    pub(super) rights: Rights,
    /// The site of `?site=`.
    asked: Option<String>,
}

impl Reader {
    /// The site they ask for, where they may do one of these.
    ///
    /// # Errors
    /// They may not, or there is no such site.
    pub(super) fn site(&self, one_of: &[Scope]) -> Result<Arc<Site>, ApiError> {
        self.rights.site(self.asked.as_deref(), one_of)
    }
}

impl FromRequest for Reader {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let rights = match request.app_data::<web::Data<Access>>() {
            Some(access) => access.rights(request),
            None => Err(ApiError::Unavailable("reading is not set up".into(), 1)),
        };
        ready(rights.map(|rights| Self {
            rights,
            asked: parameter(request.query_string(), "site"),
        }))
    }
}
