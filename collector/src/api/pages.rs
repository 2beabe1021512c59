//! The dashboard's own pages: files embedded in the binary, logging in, and what the pages ask
//! about themselves.

use super::access::{Access, TICKET_AGE};
use super::error::ApiError;
use super::reader::Reader;
use super::rights::Who;
use crate::config::Scope;
use crate::live::Live;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use rust_embed::Embed;
use serde::Deserialize;
use serde_json::json;

/// The built dashboard. In a debug build without it the pages say how to build it.
#[derive(Embed)]
#[folder = "../dashboard/dist"]
#[allow_missing = true]
struct Files;

/// `GET /`.
pub async fn index(access: web::Data<Access>) -> HttpResponse {
    page("index.html", &access)
}

/// `GET /overlay.js`: loaded by the SDK inside a site's own page, so from any origin.
pub async fn overlay(access: web::Data<Access>) -> HttpResponse {
    let mut response = page("overlay.js", &access);
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    headers.insert(
        header::HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("cross-origin"),
    );
    response
}

/// `GET /assets/…`: named by their content, so kept for ever.
pub async fn asset(path: web::Path<String>, access: web::Data<Access>) -> HttpResponse {
    let mut response = page(&format!("assets/{path}"), &access);
    if response.status().is_success() {
        let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, forever);
    }
    response
}

fn page(name: &str, access: &Access) -> HttpResponse {
    let Some(file) = Files::get(name) else {
        let built = Files::get("index.html").is_some();
        let text = if built {
            "not found\n"
        } else {
            "the dashboard is not built: cargo xtask build\n"
        };
        return HttpResponse::NotFound()
            .content_type("text/plain; charset=utf-8")
            .body(text);
    };
    HttpResponse::Ok()
        .content_type(file.metadata.mimetype())
        .insert_header((header::CONTENT_SECURITY_POLICY, policy(access)))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(file.data.into_owned())
}

/// Nothing but our own code, and frames of the sites' own pages for drawing heat maps over them.
fn policy(access: &Access) -> String {
    let sites = access.sites().iter();
    let frames: Vec<&str> = sites
        .filter_map(|site| origin_of(site.base_url.as_deref()?))
        .filter(|origin| !origin.contains([';', ',', ' ']))
        .collect();
    let frames = if frames.is_empty() {
        "'none'".to_owned()
    } else {
        frames.join(" ")
    };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'; font-src 'self'; frame-src {frames}; frame-ancestors 'none'; \
         base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'"
    )
}

/// `https://shop.example` of `https://shop.example/path`.
fn origin_of(url: &str) -> Option<&str> {
    let host = url.find("://")? + 3;
    Some(url[host..].find('/').map_or(url, |end| &url[..host + end]))
}

/// The query of a login link.
#[derive(Debug, Deserialize)]
pub struct LoginQuery {
    code: String,
}

/// `GET /login?code=…`: trades the code of a login link for a session and goes on to the dashboard.
pub async fn login(
    request: HttpRequest,
    query: web::Query<LoginQuery>,
    access: web::Data<Access>,
) -> HttpResponse {
    match access.log_in(&query.code, &request) {
        Ok(cookie) => HttpResponse::SeeOther()
            .cookie(cookie)
            .insert_header((header::LOCATION, "/"))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .finish(),
        Err(error) => HttpResponse::Forbidden()
            .content_type("text/plain; charset=utf-8")
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .body(format!("{}\n", error.message())),
    }
}

/// `GET /v1/me`: who asks, and which sites they reach with which scopes.
pub async fn me(reader: Reader, live: web::Data<Live>) -> Result<HttpResponse, ApiError> {
    let rights = reader.rights;
    let sites: Vec<_> = rights
        .granted()
        .iter()
        .map(|(site, scopes)| {
            let index = match scopes.has(Scope::LiveRead) {
                true => live.index(&site.id),
                false => None,
            };
            let funnels = index.map(|index| index.funnels).unwrap_or_default();
            let funnels: Vec<_> = funnels
                .into_iter()
                .map(|(id, name)| json!({"id": id, "name": name}))
                .collect();
            json!({
                "id": site.id,
                "name": site.display_name(),
                "base_url": site.base_url,
                "scopes": scopes.names(),
                "funnels": funnels,
            })
        })
        .collect();
    let (by, token) = match &rights.who {
        Who::Login => ("login", None),
        Who::Ticket => ("ticket", None),
        Who::Token(name) => ("token", Some(name)),
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(json!({"by": by, "token": token, "sites": sites})))
}

/// The body of a ticket request.
#[derive(Debug, Deserialize)]
pub struct TicketRequest {
    site: String,
}

/// `POST /v1/tickets`: a short-lived right to read one site's live resources from its own pages.
pub async fn ticket(
    request: HttpRequest,
    body: web::Json<TicketRequest>,
    access: web::Data<Access>,
) -> Result<HttpResponse, ApiError> {
    let reader = access.rights(&request)?;
    // A ticket buys no ticket, or it would never end.
    if reader.who == Who::Ticket {
        return Err(ApiError::Forbidden("a ticket buys no other ticket".into()));
    }
    let site = reader.site(Some(&body.site), &[Scope::LiveRead])?;
    let ticket = access.ticket(&site.id)?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(json!({"ticket": ticket, "expires_in_s": TICKET_AGE.as_secs()})))
}
