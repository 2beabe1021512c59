//! The HTTP interface: every URL, and the way of one request from bytes to answer.

mod access;
mod answer;
mod body;
mod document;
mod failure;
mod form;
mod guard;
mod request;
mod run;

use std::future::Future;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::ContentType;
use actix_web::web::{self, Bytes, Data, Payload};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

pub(crate) use access::Access;
use answer::{Heading, KillOnDrop};
use document::{Joining, joining};
use failure::{Failure, code};
use request::{Wishes, bad, random_id, url_parameters};
use run::{Job, PIECES_WAITING_MAX, Work};

use crate::engine::{Role, Sessions};
use crate::sql::{self, DEFAULT_INPUT_FORMAT, DEFAULT_OUTPUT_FORMAT, Shape};

const WORKERS: usize = 2;
const CONNECTIONS_MAX: usize = 1024;
const REQUEST_HEAD_MAX: Duration = Duration::from_secs(10);
const KEEP_ALIVE: Duration = Duration::from_secs(30);

struct Interface {
    sessions: Arc<Sessions>,
    access: Access,
}

/// Serves until `shutdown` resolves and running requests have ended (at most the grace period).
pub(crate) async fn serve(
    listener: TcpListener,
    sessions: Arc<Sessions>,
    access: Access,
    shutdown: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let interface = Data::new(Interface { sessions, access });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(interface.clone())
            .route("/ping", web::get().to(ping))
            .route("/ping", web::head().to(ping))
            .route("/", web::get().to(query))
            .route("/", web::post().to(query))
            .route("/", web::head().to(ping))
            .route(
                "/",
                web::method(actix_web::http::Method::OPTIONS).to(options),
            )
            .default_service(web::to(nowhere))
    })
    .workers(WORKERS)
    .max_connections(CONNECTIONS_MAX)
    .client_request_timeout(REQUEST_HEAD_MAX)
    .keep_alive(KEEP_ALIVE)
    // A client that closes its side is gone: its request is dropped and its statement killed.
    .h1_allow_half_closed(false)
    .shutdown_timeout(crate::STOP_GRACE.as_secs())
    .disable_signals()
    .listen(listener)?
    .run();
    let handle = server.handle();
    let mut server = std::pin::pin!(server);
    tokio::select! {
        ended = &mut server => return ended,
        () = shutdown => {}
    }
    let ((), ended) = tokio::join!(handle.stop(true), server);
    ended
}

async fn ping() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=UTF-8")
        .body("Ok.\n")
}

async fn options() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header(("Allow", "GET, POST, HEAD, OPTIONS"))
        .finish()
}

async fn nowhere(request: HttpRequest) -> HttpResponse {
    HttpResponse::NotFound()
        .content_type(ContentType::plaintext())
        .body(format!(
            "There is no handle {} {}\nUse / with a query or /ping.\n",
            request.method(),
            request.path()
        ))
}

async fn query(request: HttpRequest, payload: Payload, interface: Data<Interface>) -> HttpResponse {
    match answer(&request, payload, &interface).await {
        Ok(answer) => answer,
        Err(failure) => {
            tracing::debug!(code = failure.code, "request refused or failed");
            failure.answer(&interface.sessions.version)
        }
    }
}

async fn answer(
    request: &HttpRequest,
    payload: Payload,
    interface: &Interface,
) -> Result<HttpResponse, Failure> {
    let url = url_parameters(request)?;
    let role = interface.access.role(request, &url)?;
    let mut wishes = Wishes::read(request, url)?;
    let body = body::collect(request, payload).await?;
    let mut data = body.bytes.clone();
    if let Some(boundary) = content_type(request).and_then(form::boundary) {
        for (name, value) in form::fields(boundary, &data)? {
            wishes.take(name, value)?;
        }
        data = Bytes::new();
    }
    if wishes.decompress {
        data = body::unpack_native(data).await?;
    }
    let (work, format) = work(&wishes, data)?;
    if role == Role::Analyst && matches!(work, Work::Insert { .. }) {
        return Err(guard::readonly());
    }
    if role == Role::Owner && *request.method() == actix_web::http::Method::GET {
        // As a ClickHouse server has it: GET does not change anything.
        wishes
            .settings
            .push(("readonly".to_owned(), "2".to_owned()));
    }

    let sessions = interface.sessions.clone();
    let turn = sessions
        .turn()
        .await
        .map_err(|error| run::refused(&error))?;
    let exception_tag = random_id()[..16].to_owned();
    let tag = random_id();
    let mut kill = KillOnDrop::new(sessions.clone(), tag.clone());
    if matches!(work, Work::Insert { .. }) {
        // The whole body is here: the insert is completed whether or not the client waits for it.
        kill.ended();
    }
    let heading = Heading {
        query_id: wishes.query_id,
        format,
        coding: wishes.coding,
        exception_tag: exception_tag.clone(),
        wait_end_of_query: wishes.wait_end_of_query,
    };
    let job = Job {
        sessions: sessions.clone(),
        role,
        database: wishes.database,
        settings: wishes.settings,
        params: wishes.params,
        work,
        tag,
        coding: wishes.coding,
        exception_tag,
    };
    let (sender, parts) = mpsc::channel(PIECES_WAITING_MAX);
    let runtime = Handle::current();
    actix_web::rt::task::spawn_blocking(move || {
        run::run(job, turn, &sender, &runtime);
        drop(body);
    });
    answer::build(heading, parts, kill, &sessions).await
}

/// What to run, and the format of its answer.
fn work(wishes: &Wishes, body: Bytes) -> Result<(Work, String), Failure> {
    let parameter = wishes.query.as_deref().unwrap_or_default();
    let default_format = wishes.default_format.clone();
    // With a statement in the URL, an INSERT's body is data; any other body continues the text.
    let mut rest = Vec::new();
    let text: Bytes = if parameter.trim().is_empty() {
        body
    } else if let Ok(Shape::Insert { .. }) = sql::shape(parameter.as_bytes()) {
        rest.push(body);
        Bytes::copy_from_slice(parameter.as_bytes())
    } else if body.is_empty() {
        Bytes::copy_from_slice(parameter.as_bytes())
    } else {
        Bytes::from([parameter.as_bytes(), b"\n", &body].concat())
    };
    match sql::shape(&text).map_err(|error| syntax(&error))? {
        Shape::Empty => Err(Failure::new(
            code::SYNTAX_ERROR,
            "SYNTAX_ERROR",
            "Empty query",
        )),
        Shape::Insert {
            statement,
            format,
            data,
        } => {
            let format = format
                .map(str::to_owned)
                .or(default_format)
                .unwrap_or_else(|| DEFAULT_INPUT_FORMAT.to_owned());
            rest.insert(0, text.slice_ref(data));
            Ok((
                Work::Insert {
                    statement,
                    format: format.clone(),
                    data: rest,
                },
                format,
            ))
        }
        Shape::Query {
            statement,
            format,
            select,
        } => {
            let format = format
                .map(str::to_owned)
                .or(default_format)
                .unwrap_or_else(|| DEFAULT_OUTPUT_FORMAT.to_owned());
            // Totals, extremes and array brackets do not belong to single pieces of a result.
            let whole = !select
                || sql::mentions(statement, "TOTALS")
                || sql::mentions(statement, "extremes")
                || sql::mentions(statement, "output_format_json_array_of_rows")
                || wishes.settings.iter().any(|(name, _)| {
                    name == "extremes" || name == "output_format_json_array_of_rows"
                });
            let joining = if whole {
                Joining::Whole
            } else {
                joining(&format)
            };
            Ok((
                Work::Query {
                    statement: statement.to_owned(),
                    format: format.clone(),
                    joining,
                },
                format,
            ))
        }
    }
}

fn syntax(error: &sql::ShapeError) -> Failure {
    match error {
        sql::ShapeError::NotText => bad(error),
        sql::ShapeError::MultipleStatements(_) => {
            Failure::new(code::SYNTAX_ERROR, "SYNTAX_ERROR", error)
        }
    }
}

fn content_type(request: &HttpRequest) -> Option<&str> {
    request
        .headers()
        .get("Content-Type")
        .and_then(|value| value.to_str().ok())
}
