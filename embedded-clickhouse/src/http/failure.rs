//! Errors as ClickHouse's HTTP interface shows them: code, text, status. Owns the mapping from code
//! to status; knows nothing of how a request got there.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;

/// ClickHouse error codes that this front itself gives.
pub(crate) mod code {
    pub(crate) const BAD_ARGUMENTS: u32 = 36;
    pub(crate) const NOT_IMPLEMENTED: u32 = 48;
    pub(crate) const SYNTAX_ERROR: u32 = 62;
    pub(crate) const READONLY: u32 = 164;
    pub(crate) const CANNOT_DECOMPRESS: u32 = 271;
    pub(crate) const QUERY_IS_TOO_LARGE: u32 = 223;
    pub(crate) const TOO_MANY_SIMULTANEOUS_QUERIES: u32 = 202;
    pub(crate) const SERVER_OVERLOADED: u32 = 745;
    pub(crate) const CANNOT_READ_ALL_DATA: u32 = 33;
    pub(crate) const ACCESS_DENIED: u32 = 497;
    pub(crate) const UNKNOWN_ROLE: u32 = 511;
    pub(crate) const AUTHENTICATION_FAILED: u32 = 516;
    pub(crate) const LOGICAL_ERROR: u32 = 49;
}

/// A failed request: ClickHouse's code and the whole line that clients parse.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) code: u32,
    pub(crate) line: String,
}

impl Failure {
    /// A failure of the front's own making; `name` is the code's name, e.g. `SYNTAX_ERROR`.
    pub(crate) fn new(code: u32, name: &str, message: impl std::fmt::Display) -> Self {
        Self {
            code,
            line: format!("Code: {code}. DB::Exception: {message}. ({name})"),
        }
    }

    /// A failure the engine reported; its text already has the wanted form.
    pub(crate) fn from_engine(message: &str) -> Self {
        let code = message
            .strip_prefix("Code: ")
            .and_then(|rest| rest.split('.').next())
            .and_then(|digits| digits.parse().ok());
        match code {
            Some(code) => Self {
                code,
                line: message.trim_end().to_owned(),
            },
            None => Self::new(code::LOGICAL_ERROR, "LOGICAL_ERROR", message.trim_end()),
        }
    }

    /// The text that clients match: one line, the server's version at its end.
    pub(crate) fn text(&self, version: &str) -> String {
        if self.line.ends_with(&format!("(version {version})")) {
            format!("{}\n", self.line)
        } else {
            format!("{} (version {version})\n", self.line)
        }
    }

    /// The whole answer.
    pub(crate) fn answer(&self, version: &str) -> HttpResponse {
        let status = self.status();
        let mut answer = HttpResponse::build(status);
        if status == StatusCode::UNAUTHORIZED {
            answer.insert_header((
                "WWW-Authenticate",
                "Basic realm=\"ClickHouse server HTTP API\"",
            ));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            answer.insert_header(("Retry-After", "1"));
        }
        answer
            .insert_header(("X-ClickHouse-Exception-Code", self.code.to_string()))
            .content_type(ContentType::plaintext())
            .body(self.text(version))
    }

    /// The status a ClickHouse server gives for this code. 503 marks what a retry may cure.
    pub(crate) fn status(&self) -> StatusCode {
        match self.code {
            6
            | 24..=28
            | 32..=34
            | 36
            | 38
            | 41
            | 43
            | 53
            | 62
            | 69
            | 70
            | 72
            | 117
            | 130
            | 131
            | 271
            | 427
            | 456
            | 457
            | 467
            | 469
            | 589 => StatusCode::BAD_REQUEST,
            16 | 46 | 47 | 50 | 56 | 60 | 63 | 73 | 78 | 80 | 81 | 115 | 511 => {
                StatusCode::NOT_FOUND
            }
            164 | 192 | 193 | 392 | 497 => StatusCode::FORBIDDEN,
            194 | 516 => StatusCode::UNAUTHORIZED,
            223 => StatusCode::PAYLOAD_TOO_LARGE,
            48 => StatusCode::NOT_IMPLEMENTED,
            159 => StatusCode::REQUEST_TIMEOUT,
            76 | 202 | 209 | 439 | 745 => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_text_keeps_its_code_and_names_the_version_once() {
        let failure = Failure::from_engine("Code: 60. DB::Exception: No table. (UNKNOWN_TABLE)");
        assert_eq!(failure.code, 60);
        assert_eq!(failure.status(), StatusCode::NOT_FOUND);
        let text = failure.text("1.2");
        assert_eq!(
            text,
            "Code: 60. DB::Exception: No table. (UNKNOWN_TABLE) (version 1.2)\n"
        );
        assert_eq!(Failure::from_engine(text.trim_end()).text("1.2"), text);
    }

    #[test]
    fn a_text_without_a_code_is_still_an_error() {
        let failure = Failure::from_engine("out of luck");
        assert_eq!(failure.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(failure.line.contains("out of luck"));
    }
}
