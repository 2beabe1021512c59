//! What a request asks for: URL parameters, headers, form fields sorted into statement, settings,
//! parameters and wishes for the answer. Reads; does not judge or run.

use actix_web::HttpRequest;
use actix_web::web::Query;

use super::failure::{Failure, code};
use crate::compression::Coding;
use crate::ffi::Param;

/// URL parameters that ClickHouse's HTTP interface takes for itself and that change nothing here.
/// `session_*`: there are no server-side sessions. `async_insert` and its kin: every insert is
/// synchronous, which is the stronger promise. `client_protocol_version`: clients probe whether it
/// is honoured and fall back.
const WITHOUT_EFFECT: &[&str] = &[
    "user",
    "password",
    "quota_key",
    "stacktrace",
    "buffer_size",
    "session_id",
    "session_timeout",
    "session_check",
    "close_session",
    "client_protocol_version",
    "async_insert",
    "wait_for_async_insert",
    "async_insert_busy_timeout_ms",
    "enable_http_compression",
    "http_zlib_compression_level",
    "send_progress_in_http_headers",
    "http_headers_progress_interval_ms",
    "http_response_buffer_size",
    "wait_for_async_insert_timeout",
];
/// URL parameters and form fields of one request.
const PARAMETERS_MAX: usize = 1000;
const QUERY_ID_BYTES_MAX: usize = 128;

/// A request without its body.
#[derive(Debug)]
pub(crate) struct Wishes {
    /// The `query` parameter.
    pub(crate) query: Option<String>,
    pub(crate) query_id: String,
    pub(crate) database: Option<String>,
    /// The format to use when the statement names none.
    pub(crate) default_format: Option<String>,
    /// `param_*`, for `{name:Type}` placeholders.
    pub(crate) params: Vec<Param>,
    /// Everything else is a setting.
    pub(crate) settings: Vec<(String, String)>,
    /// Hold the answer back until the statement has ended.
    pub(crate) wait_end_of_query: bool,
    /// The request's data comes in native blocks.
    pub(crate) decompress: bool,
    pub(crate) coding: Coding,
}

/// The URL's parameters in order, decoded.
pub(crate) fn url_parameters(request: &HttpRequest) -> Result<Vec<(String, String)>, Failure> {
    let parameters = Query::<Vec<(String, String)>>::from_query(request.query_string())
        .map_err(|error| bad(format_args!("the URL's parameters cannot be read: {error}")))?
        .into_inner();
    if parameters.len() > PARAMETERS_MAX {
        return Err(bad(format_args!(
            "more than {PARAMETERS_MAX} URL parameters"
        )));
    }
    Ok(parameters)
}

impl Wishes {
    /// Sorts URL parameters and headers.
    pub(crate) fn read(request: &HttpRequest, url: Vec<(String, String)>) -> Result<Self, Failure> {
        let header = |name: &str| {
            request
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let mut wishes = Self {
            query: None,
            query_id: header("X-ClickHouse-Query-Id")
                .unwrap_or_default()
                .to_owned(),
            database: header("X-ClickHouse-Database").map(str::to_owned),
            default_format: header("X-ClickHouse-Format").map(str::to_owned),
            params: Vec::new(),
            settings: Vec::new(),
            wait_end_of_query: false,
            decompress: false,
            coding: Coding::accepted(header("Accept-Encoding").unwrap_or_default()),
        };
        for (name, value) in url {
            wishes.take(name, value)?;
        }
        if wishes.query_id.is_empty() {
            wishes.query_id = random_id();
        }
        let printable = wishes.query_id.bytes().all(|b| (0x20..0x7f).contains(&b));
        if wishes.query_id.len() > QUERY_ID_BYTES_MAX || !printable {
            return Err(bad(format_args!(
                "query_id must be at most {QUERY_ID_BYTES_MAX} printable ASCII bytes"
            )));
        }
        Ok(wishes)
    }

    /// Takes one URL parameter or form field.
    pub(crate) fn take(&mut self, name: String, value: String) -> Result<(), Failure> {
        match name.as_str() {
            "query" => {
                let text = self.query.get_or_insert_default();
                text.push_str(&value);
            }
            "query_id" => self.query_id = value,
            "database" => self.database = Some(value),
            "default_format" => self.default_format = Some(value),
            "wait_end_of_query" => self.wait_end_of_query = truth(&name, &value)?,
            "decompress" => self.decompress = truth(&name, &value)?,
            "compress" if truth(&name, &value)? => self.coding = Coding::Native,
            "compress" => {}
            "role" => {
                return Err(Failure::new(
                    code::UNKNOWN_ROLE,
                    "UNKNOWN_ROLE",
                    "this server has no roles; leave the parameter `role` out",
                ));
            }
            ignored if WITHOUT_EFFECT.contains(&ignored) => {}
            param if param.starts_with("param_") => {
                self.params
                    .push((param["param_".len()..].to_owned(), value));
            }
            _ => self.settings.push((name, value)),
        }
        if self.params.len() + self.settings.len() > PARAMETERS_MAX {
            return Err(bad(format_args!(
                "more than {PARAMETERS_MAX} parameters and settings"
            )));
        }
        Ok(())
    }
}

fn truth(name: &str, value: &str) -> Result<bool, Failure> {
    match value {
        "1" | "true" => Ok(true),
        "" | "0" | "false" => Ok(false),
        _ => Err(bad(format_args!("the parameter `{name}` is 0 or 1"))),
    }
}

/// 32 random hexadecimal digits.
pub(crate) fn random_id() -> String {
    let mut random = [0_u8; 16];
    // Only uniqueness is wanted; with no randomness at all the clock must do.
    if getrandom::fill(&mut random).is_err() {
        let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        random = clock.map_or(0, |now| now.as_nanos()).to_le_bytes();
    }
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn bad(message: impl std::fmt::Display) -> Failure {
    Failure::new(code::BAD_ARGUMENTS, "BAD_ARGUMENTS", message)
}
