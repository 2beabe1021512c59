//! A subscription to server-sent events or WebSocket frames, with signs of life in between.

use crate::api::error::ApiError;
use crate::live::{Published, Subscription};
use actix_web::http::header;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseCode, CloseReason, Session};
use futures_util::{StreamExt, stream};
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::timeout;
use upriver_wire::live::Extent;

/// How often a subscriber to whom nothing is sent hears that the line is alive.
const ALIVE_EVERY: Duration = Duration::from_secs(15);
/// Pings without any message back, after which a client is given up.
const PINGS_UNANSWERED_MAX: u32 = 2;
/// How long a client may take to make room for a message before it is given up.
const SEND_MAX: Duration = Duration::from_secs(60);
/// Largest message of a client; it has nothing to say but pongs.
const CLIENT_FRAME_BYTES_MAX: usize = 1_024;

/// Answers with a stream of events. It ends when the engine does or the client goes.
pub(super) fn events(subscription: Subscription) -> HttpResponse {
    let events = stream::unfold(subscription, |mut subscription| async {
        let text = match timeout(ALIVE_EVERY, subscription.recv()).await {
            Ok(Some(message)) => event(&message),
            Ok(None) => return None,
            Err(_) => ": alive\n\n".to_owned(),
        };
        Some((Ok::<_, Infallible>(Bytes::from(text)), subscription))
    });
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Neither a proxy nor a compressor may hold an event back.
        .insert_header(("x-accel-buffering", "no"))
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .streaming(events)
}

/// JSON holds no line break, so one `data` line is enough.
fn event(message: &Published) -> String {
    let name = match message.extent {
        Extent::Snapshot => "snapshot",
        Extent::Delta => "delta",
    };
    format!(
        "id: {}\nevent: {name}\ndata: {}\n\n",
        message.seq, message.json
    )
}

/// Upgrades to a WebSocket, one text frame a message.
pub(super) fn websocket(
    request: &HttpRequest,
    payload: web::Payload,
    subscription: Subscription,
) -> Result<HttpResponse, ApiError> {
    let (response, session, messages) = actix_ws::handle(request, payload)
        .map_err(|error| ApiError::BadRequest("websocket_expected", error.to_string()))?;
    let messages = messages
        .max_frame_size(CLIENT_FRAME_BYTES_MAX)
        .aggregate_continuations()
        .max_continuation_size(CLIENT_FRAME_BYTES_MAX);
    actix_web::rt::spawn(serve(session, messages, subscription));
    Ok(response)
}

async fn serve(
    mut session: Session,
    mut messages: AggregatedMessageStream,
    mut subscription: Subscription,
) {
    let mut alive = tokio::time::interval(ALIVE_EVERY);
    let mut unanswered = 0;
    let (code, why) = loop {
        // A client that is slow to read holds up this task only: its queue fills, and the engine
        // replaces what it missed by a snapshot.
        let sent = tokio::select! {
            message = subscription.recv() => match message {
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
                    // A client may say what it likes; there is nothing to be said.
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
