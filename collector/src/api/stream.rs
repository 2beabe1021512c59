//! `GET /v1/stream`: batches up and answers down over one WebSocket.

use super::access::Access;
use super::agent::agent;
use super::client::Clients;
use super::collect::{self, WriteQuery};
use super::decode::{self, Form};
use super::error::ApiError;
use super::limits::{Limits, StreamSlot, prefix};
use crate::clock::now_ms;
use crate::config::Site;
use crate::ingest::Ingest;
use crate::ingest::record::Agent;
use crate::signals::{INBOX_MAX, Inbox, Presence, Signals};
use actix_web::{HttpRequest, HttpResponse, web};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseCode, CloseReason, Session};
use futures_util::StreamExt;
use metrics::gauge;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use upriver_wire::answer::Signal;
use upriver_wire::limits::FRAME_BYTES_MAX;

/// How often a stream is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(20);
/// Pings without any message back, after which a stream is given up.
const PINGS_UNANSWERED_MAX: u32 = 2;
/// Close code that tells a page to stop for good.
const CLOSE_FORBIDDEN: u16 = 4401;

/// Turns true when the process is stopping, so that streams end by themselves.
#[derive(Clone)]
pub struct Stopping(pub watch::Receiver<bool>);

/// Opens a stream. A browser cannot read why a handshake failed, so a refusal is said inside.
#[expect(
    clippy::too_many_arguments,
    reason = "each is a part of the service that the framework hands over by its type"
)]
pub async fn open(
    request: HttpRequest,
    query: web::Query<WriteQuery>,
    payload: web::Payload,
    access: web::Data<Access>,
    limits: web::Data<Limits>,
    ingest: web::Data<Ingest>,
    (signals, clients): (web::Data<Signals>, web::Data<Clients>),
    stopping: web::Data<Stopping>,
) -> Result<HttpResponse, ApiError> {
    let client = clients.address(&request);
    let address = prefix(client);
    let site = access.writer(query.key.as_deref(), &request);
    let slot = limits.stream(address)?;
    let (response, session, messages) = actix_ws::handle(&request, payload).map_err(|error| {
        ApiError::BadRequest(
            "websocket_expected",
            format!("a WebSocket is opened here: {error}"),
        )
    })?;
    let messages = messages
        .max_frame_size(FRAME_BYTES_MAX)
        .aggregate_continuations()
        .max_continuation_size(FRAME_BYTES_MAX);
    let stream = Stream {
        session,
        limits: limits.into_inner(),
        ingest: ingest.as_ref().clone(),
        signals: signals.as_ref().clone(),
        presence: None,
        form: Form::Binary,
        address,
        agent: agent(&request, clients.country(client)),
        _slot: slot,
    };
    match site {
        Ok(site) => {
            let stopping = stopping.0.clone();
            actix_web::rt::spawn(stream.run(site, messages, stopping));
        }
        Err(error) => {
            actix_web::rt::spawn(stream.refuse(error));
        }
    }
    Ok(response)
}

struct Stream {
    session: Session,
    limits: Arc<Limits>,
    ingest: Ingest,
    signals: Signals,
    /// That of the visitor whose batch came last.
    presence: Option<Presence>,
    /// That of the message which came last.
    form: Form,
    address: IpAddr,
    agent: Agent,
    _slot: StreamSlot,
}

impl Stream {
    async fn run(
        mut self,
        site: Arc<Site>,
        mut messages: AggregatedMessageStream,
        mut stopping: watch::Receiver<bool>,
    ) {
        gauge!("upriver_streams_open").increment(1);
        let mut ping = tokio::time::interval(PING_EVERY);
        let mut unanswered = 0;
        let (inbox, mut signals) = mpsc::channel(INBOX_MAX);
        let code = loop {
            tokio::select! {
                message = messages.next() => {
                    unanswered = 0;
                    let message = match message {
                        Some(Ok(message)) => message,
                        Some(Err(error)) => break reason(CloseCode::Size, &error.to_string()),
                        None => break reason(CloseCode::Normal, ""),
                    };
                    if let Some(code) = self.message(&site, message, &inbox).await {
                        break code;
                    }
                }
                Some(signal) = signals.recv() => {
                    if self.signal(&signal).await.is_err() {
                        break reason(CloseCode::Away, "gone");
                    }
                }
                _ = ping.tick() => {
                    unanswered += 1;
                    if unanswered > PINGS_UNANSWERED_MAX || self.session.ping(b"").await.is_err() {
                        break reason(CloseCode::Away, "no answer");
                    }
                }
                _ = stopping.wait_for(|stopping| *stopping) => {
                    break reason(CloseCode::Restart, "the collector is stopping");
                }
            }
        };
        gauge!("upriver_streams_open").decrement(1);
        // The other side may be gone already; then there is nobody to tell.
        let _ = self.session.close(Some(code)).await;
    }

    /// Takes one message. Returns why the stream must end, if it must.
    async fn message(
        &mut self,
        site: &Arc<Site>,
        message: AggregatedMessage,
        inbox: &Inbox,
    ) -> Option<CloseReason> {
        let sent = match message {
            AggregatedMessage::Binary(bytes) => {
                let answer = self.answer(site, &bytes, inbox).await;
                self.session.binary(answer).await
            }
            AggregatedMessage::Text(text) => {
                let answer = self.answer(site, text.as_bytes(), inbox).await;
                self.session
                    .text(String::from_utf8_lossy(&answer).into_owned())
                    .await
            }
            AggregatedMessage::Ping(bytes) => self.session.pong(&bytes).await,
            AggregatedMessage::Pong(_) => Ok(()),
            AggregatedMessage::Close(code) => {
                return Some(code.unwrap_or_else(|| reason(CloseCode::Normal, "")));
            }
        };
        sent.is_err().then(|| reason(CloseCode::Away, "gone"))
    }

    async fn answer(&mut self, site: &Arc<Site>, message: &[u8], inbox: &Inbox) -> Vec<u8> {
        self.form = Form::of(message);
        let taken = match self.limits.batch(self.address) {
            Ok(()) => {
                let agent = self.agent.clone();
                collect::take(&self.ingest, site, message, "stream", agent).await
            }
            Err(error) => Err(error),
        };
        match taken {
            Ok(taken) => {
                let (visitor, stream) = (taken.visitor, taken.stream);
                if !self
                    .presence
                    .as_ref()
                    .is_some_and(|own| own.is_of(visitor, stream))
                {
                    let inbox = inbox.clone();
                    let presence = self
                        .signals
                        .join(&site.id, visitor, stream, inbox, now_ms());
                    self.presence = Some(presence);
                }
                taken.answer(&[])
            }
            Err(error) => decode::refusal(self.form, &error),
        }
    }

    async fn signal(&mut self, signal: &Signal) -> Result<(), actix_ws::Closed> {
        let message = decode::signal(self.form, signal);
        match self.form {
            Form::Binary => self.session.binary(message).await,
            Form::Json => {
                let text = String::from_utf8_lossy(&message).into_owned();
                self.session.text(text).await
            }
        }
    }

    async fn refuse(mut self, error: ApiError) {
        let _ = self
            .session
            .binary(decode::refusal(Form::Binary, &error))
            .await;
        let code = CloseCode::Other(CLOSE_FORBIDDEN);
        let _ = self.session.close(Some(reason(code, error.code()))).await;
    }
}

fn reason(code: CloseCode, description: &str) -> CloseReason {
    // A close frame holds at most 123 bytes of text.
    let mut end = description.len().min(120);
    while !description.is_char_boundary(end) {
        end -= 1;
    }
    CloseReason {
        code,
        description: Some(description[..end].to_owned()),
    }
}
