//! `/v1/sites/{site}/definitions/…`: what is defined of a site, and changing it.
//!
//! Translates HTTP: the version is the ETag, `If-Match` and `If-None-Match: *` are what a change takes
//! for granted.

use super::access::Access;
use super::error::{ApiError, RETRY_AFTER_S};
use super::route::{Entry, Needs, entry};
use crate::config::Scope;
use crate::definitions::book::{BookError, Expected, Key, Version};
use crate::definitions::in_file::{self, InFile};
use crate::definitions::kind::Kind;
use crate::definitions::{DefineError, Definitions};
use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

const ALL: &str = "/v1/sites/{site}/definitions";
const ONE: &str = "/v1/sites/{site}/definitions/{kind}/{id}";
const VERSIONS: &str = "/v1/sites/{site}/definitions/{kind}/{id}/versions";

/// Reading needs what reading live numbers needs, or the right to change.
const READING: &[Scope] = &[Scope::LiveRead, Scope::DefinitionsWrite];
const WRITING: &[Scope] = &[Scope::DefinitionsWrite];

/// The URLs.
pub(super) fn routes() -> Vec<Entry> {
    let (reading, writing) = (Needs::Scope(READING), Needs::Scope(WRITING));
    vec![
        entry(Method::GET, ALL, reading, list),
        entry(Method::GET, ONE, reading, get),
        entry(Method::PUT, ONE, writing, put),
        entry(Method::DELETE, ONE, writing, delete),
        entry(Method::GET, VERSIONS, reading, versions),
    ]
}

type Place = web::Path<(String, String, String)>;

/// Everything that is defined, those of the sites file too.
async fn list(
    request: HttpRequest,
    site: web::Path<String>,
    access: web::Data<Access>,
    definitions: web::Data<Definitions>,
) -> Result<HttpResponse, ApiError> {
    let site = access.allowed(&request, Some(&site), READING)?;
    let in_file = in_file::all(&site);
    let defined = definitions.book().current(&site.id);
    let defined = defined
        .iter()
        .filter(|(key, _)| !definitions.is_in_file(key))
        .map(|(key, version)| answer(key, version));
    let all: Vec<Value> = in_file.iter().map(from_file).chain(defined).collect();
    Ok(json_of(&json!({"site": site.id, "definitions": all})))
}

async fn get(
    request: HttpRequest,
    place: Place,
    access: web::Data<Access>,
    definitions: web::Data<Definitions>,
) -> Result<HttpResponse, ApiError> {
    let site = access.allowed(&request, Some(&place.0), READING)?;
    if let Some(found) = in_file::one(&site, &place.1, &place.2) {
        // It has no version to be held against: it is not changed here.
        return Ok(json_of(&from_file(&found)));
    }
    let key = key(&place)?;
    let version = definitions.book().get(&key).ok_or_else(|| unknown(&key))?;
    Ok(tagged(HttpResponse::Ok(), &key, &version))
}

/// Every version, oldest first; the one that removed it has no body. The sites file has one.
async fn versions(
    request: HttpRequest,
    place: Place,
    access: web::Data<Access>,
    definitions: web::Data<Definitions>,
) -> Result<HttpResponse, ApiError> {
    let site = access.allowed(&request, Some(&place.0), READING)?;
    if let Some(found) = in_file::one(&site, &place.1, &place.2) {
        return Ok(json_of(&json!({ "versions": [from_file(&found)] })));
    }
    let key = key(&place)?;
    let all = definitions
        .book()
        .versions(&key)
        .map_err(DefineError::from)?;
    if all.is_empty() {
        return Err(unknown(&key));
    }
    let all: Vec<_> = all.iter().map(|version| answer(&key, version)).collect();
    Ok(json_of(&json!({ "versions": all })))
}

async fn put(
    request: HttpRequest,
    place: Place,
    body: web::Json<Value>,
    access: web::Data<Access>,
    definitions: web::Data<Definitions>,
) -> Result<HttpResponse, ApiError> {
    let key = key(&place)?;
    access.allowed(&request, Some(&key.site), WRITING)?;
    let expected = expected(&request)?;
    let version = definitions
        .change(key.clone(), Some(body.into_inner()), expected)
        .await?;
    let response = match version.version {
        1 => HttpResponse::Created(),
        _ => HttpResponse::Ok(),
    };
    Ok(tagged(response, &key, &version))
}

async fn delete(
    request: HttpRequest,
    place: Place,
    access: web::Data<Access>,
    definitions: web::Data<Definitions>,
) -> Result<HttpResponse, ApiError> {
    let key = key(&place)?;
    access.allowed(&request, Some(&key.site), WRITING)?;
    let expected = expected(&request)?;
    let version = definitions.change(key.clone(), None, expected).await?;
    Ok(tagged(HttpResponse::Ok(), &key, &version))
}

fn key(place: &Place) -> Result<Key, ApiError> {
    let (site, kind, id) = (&place.0, &place.1, &place.2);
    let kind = Kind::by_name(kind).ok_or_else(|| {
        let kinds: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        let kind = kind.escape_debug();
        ApiError::NotFound(format!(
            "nothing of kind {kind} can be defined; possible: {}",
            kinds.join(", ")
        ))
    })?;
    Ok(Key {
        site: site.clone(),
        kind,
        id: id.clone(),
    })
}

fn unknown(key: &Key) -> ApiError {
    let (kind, id) = (key.kind.name(), key.id.escape_debug());
    ApiError::NotFound(format!("there is no {kind} {id} that was defined here"))
}

/// What a request takes for granted.
fn expected(request: &HttpRequest) -> Result<Expected, ApiError> {
    let text = |name: header::HeaderName| {
        let value = request.headers().get(name)?;
        Some(value.to_str().unwrap_or_default().trim().to_owned())
    };
    if let Some(tag) = text(header::IF_MATCH) {
        let version = tag.trim_start_matches("W/").trim_matches('"').parse().ok();
        return version.map(Expected::Version).ok_or_else(|| {
            ApiError::BadRequest(
                "malformed_header",
                "If-Match must be a version: \"3\"".into(),
            )
        });
    }
    match text(header::IF_NONE_MATCH).as_deref() {
        None => Ok(Expected::Any),
        Some("*") => Ok(Expected::Nothing),
        Some(_) => Err(ApiError::BadRequest(
            "malformed_header",
            "If-None-Match must be * here".into(),
        )),
    }
}

fn from_file(InFile { kind, id, body }: &InFile) -> Value {
    json!({"kind": kind, "id": id, "source": "file", "version": 0, "body": body})
}

fn answer(key: &Key, version: &Version) -> Value {
    json!({
        "kind": key.kind.name(),
        "id": key.id,
        "source": "api",
        "version": version.version,
        "at_ms": version.at_ms,
        "body": version.body,
    })
}

fn tagged(
    mut response: actix_web::HttpResponseBuilder,
    key: &Key,
    version: &Version,
) -> HttpResponse {
    response
        .insert_header((header::ETAG, format!("\"{}\"", version.version)))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(answer(key, version))
}

fn json_of(body: &Value) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(body)
}

impl From<DefineError> for ApiError {
    fn from(error: DefineError) -> Self {
        let message = error.to_string();
        match error {
            DefineError::Invalid(_) => Self::BadRequest("invalid_definition", message),
            DefineError::InFile(_)
            | DefineError::TooMany(..)
            | DefineError::Book(BookError::Full) => Self::Conflict(message),
            DefineError::Book(BookError::Conflict(_)) => Self::PreconditionFailed(message),
            DefineError::UnknownSite | DefineError::Book(BookError::Unknown) => {
                Self::NotFound(message)
            }
            DefineError::Book(BookError::File(_)) | DefineError::Live(_) => {
                tracing::error!(%error, "a definition was not changed");
                Self::Unavailable(message, RETRY_AFTER_S)
            }
        }
    }
}
