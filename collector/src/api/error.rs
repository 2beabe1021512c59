//! Every error a client can meet, as one JSON shape, and its status in one place.

use crate::ingest::IngestError;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;
use std::fmt;

/// Seconds a client is asked to wait when nothing better is known.
pub const RETRY_AFTER_S: u32 = 1;

/// Seconds a client is asked to wait when the log takes nothing: what fills it takes longer to heal.
const LOG_RETRY_AFTER_S: u32 = 30;

/// What went wrong with a request.
#[derive(Debug)]
pub enum ApiError {
    /// It makes no sense. The code is short and stable, the message is for a person.
    BadRequest(&'static str, String),
    /// Nobody said who is asking, or it was not believed.
    Unauthorized(String),
    /// Who is asking may not do that.
    Forbidden(String),
    /// Who is asking may do other things, but not this.
    InsufficientScope {
        /// The scope that would be enough.
        scope: &'static str,
        /// For a person.
        message: String,
    },
    /// There is no such thing.
    NotFound(String),
    /// There is, but it takes other methods: these.
    MethodNotAllowed(String),
    /// Something else is there than the request takes for granted.
    Conflict(String),
    /// The condition of the request does not hold.
    PreconditionFailed(String),
    /// The body is too large.
    TooLarge(String),
    /// The body is of a kind that is not taken.
    Unsupported(String),
    /// Too many requests; the seconds after which to come back.
    TooMany(String, u32),
    /// Not now; the seconds after which to come back.
    Unavailable(String, u32),
}

impl ApiError {
    /// Short, stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(code, _) => code,
            Self::Unauthorized(_) => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::InsufficientScope { .. } => "insufficient_scope",
            Self::NotFound(_) => "not_found",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::Conflict(_) => "conflict",
            Self::PreconditionFailed(_) => "precondition_failed",
            Self::TooLarge(_) => "too_large",
            Self::Unsupported(_) => "unsupported_media_type",
            Self::TooMany(..) => "too_many_requests",
            Self::Unavailable(..) => "unavailable",
        }
    }

    /// What a person should read.
    pub fn message(&self) -> &str {
        match self {
            Self::MethodNotAllowed(_) => "this method is not taken here; Allow says which are",
            Self::BadRequest(_, message)
            | Self::Unauthorized(message)
            | Self::Forbidden(message)
            | Self::InsufficientScope { message, .. }
            | Self::NotFound(message)
            | Self::Conflict(message)
            | Self::PreconditionFailed(message)
            | Self::TooLarge(message)
            | Self::Unsupported(message)
            | Self::TooMany(message, _)
            | Self::Unavailable(message, _) => message,
        }
    }

    /// Seconds after which trying again makes sense.
    pub fn retry_after_s(&self) -> Option<u32> {
        match self {
            Self::TooMany(_, seconds) | Self::Unavailable(_, seconds) => Some(*seconds),
            _ => None,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.message())
    }
}

impl From<IngestError> for ApiError {
    fn from(error: IngestError) -> Self {
        let message = error.to_string();
        match error {
            IngestError::Invalid(_) => Self::BadRequest("invalid_batch", message),
            IngestError::Overloaded
            | IngestError::Stopping
            | IngestError::StateFailed(_)
            | IngestError::LogGap => Self::Unavailable(message, RETRY_AFTER_S),
            IngestError::LogFull | IngestError::NoSpace | IngestError::LogFailed => {
                Self::Unavailable(message, LOG_RETRY_AFTER_S)
            }
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::BadRequest(..) => StatusCode::BAD_REQUEST,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) | Self::InsufficientScope { .. } => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::PreconditionFailed(_) => StatusCode::PRECONDITION_FAILED,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unsupported(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooMany(..) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(..) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let Some(seconds) = self.retry_after_s() {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        let mut error = json!({"code": self.code(), "message": self.message()});
        match self {
            Self::Unauthorized(_) => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
                // A site's page must be able to tell a ticket that has ended from a line that is down. It
                // says nothing that is not said to everybody.
                response.insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
            }
            Self::InsufficientScope { scope, .. } => {
                error["scope"] = json!(scope);
                let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
                response.insert_header((header::WWW_AUTHENTICATE, challenge));
            }
            Self::MethodNotAllowed(methods) => {
                response.insert_header((header::ALLOW, methods.as_str()));
            }
            _ => (),
        }
        response.json(json!({ "error": error }))
    }
}
