//! What a connection listens to, as server-sent events or WebSocket frames, with signs of life in
//! between. Knows neither what is listened to nor who may.

use crate::api::error::ApiError;
use crate::live::{Published, Subscription};
use actix_web::http::header;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseCode, CloseReason, Session};
use futures_util::{StreamExt, stream};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use upriver_wire::live::Extent;

/// How often a subscriber to whom nothing is sent hears that the line is alive.
const ALIVE_EVERY: Duration = Duration::from_secs(15);
/// Pings without any message back, after which a client is given up.
const PINGS_UNANSWERED_MAX: u32 = 2;
/// How long a client may take to make room for a message before it is given up.
const SEND_MAX: Duration = Duration::from_secs(60);

/// A message to a client.
pub(super) struct Message {
    /// Its name among server-sent events.
    pub(super) event: &'static str,
    /// Its id among server-sent events, where one stream has one resource: the cursor.
    pub(super) id: Option<Arc<str>>,
    /// All of it. JSON, so it holds no line break.
    pub(super) json: Arc<str>,
}

/// What one connection listens to.
pub(super) trait Source: 'static {
    /// Longest message a client may send, bytes.
    const CLIENT_BYTES_MAX: usize;

    /// The next message; none when the engine has ended. Nothing is lost where the wait for it is
    /// given up.
    async fn next(&mut self) -> Option<Message>;

    /// Obeys a client, and says what there is to be said to it.
    async fn hear(&mut self, said: &str) -> Option<Message>;
}

/// One resource on a connection of its own.
impl Source for Subscription {
    // It has nothing to say but pongs.
    const CLIENT_BYTES_MAX: usize = 1_024;

    async fn next(&mut self) -> Option<Message> {
        let published = self.recv().await?;
        Some(Message {
            event: event_name(&published),
            id: Some(published.cursor),
            json: published.json,
        })
    }

    async fn hear(&mut self, _: &str) -> Option<Message> {
        None
    }
}

/// How an update is called among server-sent events.
pub(super) fn event_name(published: &Published) -> &'static str {
    match published.extent {
        Extent::Snapshot => "snapshot",
        Extent::Delta => "delta",
    }
}

/// Answers with a stream of events: first those given, then the source's. It ends when the engine
/// does or the client goes.
pub(super) fn events(first: Vec<Message>, source: impl Source) -> HttpResponse {
    let events = stream::unfold(source, |mut source| async {
        let text = match timeout(ALIVE_EVERY, source.next()).await {
            Ok(Some(message)) => event(&message),
            Ok(None) => return None,
            Err(_) => ": alive\n\n".to_owned(),
        };
        Some((text, source))
    });
    let first: Vec<_> = first.iter().map(event).collect();
    let events = stream::iter(first).chain(events);
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Neither a proxy nor a compressor may hold an event back.
        .insert_header(("x-accel-buffering", "no"))
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .streaming(events.map(|text| Ok::<_, Infallible>(Bytes::from(text))))
}

fn event(message: &Message) -> String {
    let id = message.id.as_ref().map(|id| format!("id: {id}\n"));
    format!(
        "{}event: {}\ndata: {}\n\n",
        id.unwrap_or_default(),
        message.event,
        message.json
    )
}

/// Upgrades to a WebSocket, one text frame a message.
pub(super) fn websocket<S: Source>(
    request: &HttpRequest,
    payload: web::Payload,
    source: S,
) -> Result<HttpResponse, ApiError> {
    let (response, session, messages) = actix_ws::handle(request, payload)
        .map_err(|error| ApiError::BadRequest("websocket_expected", error.to_string()))?;
    let messages = messages
        .max_frame_size(S::CLIENT_BYTES_MAX)
        .aggregate_continuations()
        .max_continuation_size(S::CLIENT_BYTES_MAX);
    actix_web::rt::spawn(serve(session, messages, source));
    Ok(response)
}

async fn serve(
    mut session: Session,
    mut messages: AggregatedMessageStream,
    mut source: impl Source,
) {
    let mut alive = tokio::time::interval(ALIVE_EVERY);
    let mut unanswered = 0;
    let (code, why) = loop {
        // A client that is slow to read holds up this task only: its queue fills, and the engine
        // replaces what it missed by a snapshot.
        let sent = tokio::select! {
            message = source.next() => match message {
                Some(message) => timeout(SEND_MAX, session.text(message.json.to_string())).await,
                None => break (CloseCode::Restart, "the collector is stopping"),
            },
            message = messages.next() => {
                unanswered = 0;
                match message {
                    Some(Ok(AggregatedMessage::Ping(bytes))) => {
                        timeout(SEND_MAX, session.pong(&bytes)).await
                    }
                    Some(Ok(AggregatedMessage::Close(_))) | None => break (CloseCode::Normal, ""),
                    Some(Ok(AggregatedMessage::Text(said))) => match source.hear(&said).await {
                        Some(message) => timeout(SEND_MAX, session.text(message.json.to_string())).await,
                        None => continue,
                    },
                    // A pong, or bytes that mean nothing here.
                    Some(Ok(_)) => continue,
                    Some(Err(_)) => break (CloseCode::Protocol, "malformed or too large"),
                }
            }
            _ = alive.tick() => {
                unanswered += 1;
                if unanswered > PINGS_UNANSWERED_MAX {
                    break (CloseCode::Away, "no answer");
                }
                timeout(SEND_MAX, session.ping(b"")).await
            }
        };
        if !matches!(sent, Ok(Ok(()))) {
            break (CloseCode::Away, "too slow or gone");
        }
    };
    let reason = CloseReason {
        code,
        description: Some(why.to_owned()),
    };
    // The other side may be gone, or its line full; then there is nobody to tell.
    let _ = timeout(SEND_MAX, session.close(Some(reason))).await;
}
