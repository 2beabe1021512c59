//! When to send what over which way: the stream, requests, or a last request on leaving.
//!
//! Owns the state of the connection and of the requests, and every wait. Refuses to know what
//! events mean and how bytes are moved: it takes time and news, and gives [`Command`]s.

use crate::answer::{Heard, read};
use crate::queue::{Queue, UNACKED_BATCHES_MAX, Whereabouts};
use crate::retry::{Random, Retry};
use alloc::vec::Vec;
use upriver_wire::answer::Refusal;
use upriver_wire::set_sent_at;

/// A batch waits this long on the stream after its first event.
pub const STREAM_BATCH_AGE_MS_MAX: f64 = 250.0;
/// A batch waits this long for a request after its first event.
pub const REQUEST_BATCH_AGE_MS_MAX: f64 = 5_000.0;
/// A stream that has not opened after this long has failed.
pub const OPEN_MS_MAX: f64 = 3_000.0;
/// A stream on which a batch is not acked after this long is dead.
pub const ACK_MS_MAX: f64 = 15_000.0;
/// Bytes under way in requests that outlive the page; browsers allow 64 KiB for all of them.
pub const KEEPALIVE_BYTES_MAX: usize = 60 * 1024;
/// The stream is closed with this code when the key or the origin is not allowed.
pub const CLOSE_FORBIDDEN: u16 = 4401;

/// What the shell must do.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Open the stream.
    Open,
    /// Close the stream and forget it: nothing more may be heard of it.
    Close,
    /// Send this over the stream.
    Send(Vec<u8>),
    /// Send this in a request; its result is told with this number. `true`: it must outlive the page.
    Post(u64, Vec<u8>, bool),
}

/// What is heard from below.
#[derive(Clone, Debug)]
pub enum News<'a> {
    /// The stream has opened.
    Opened,
    /// A frame arrived on the stream.
    Frame(&'a [u8]),
    /// The stream has closed or failed, with this code.
    Closed(u16),
    /// A request has ended: its number, the status (0: none), the wait asked for, the body.
    Posted {
        /// The number it was given.
        number: u64,
        /// HTTP status; 0 when there was no answer.
        status: u16,
        /// `Retry-After`, ms; 0 when there was none.
        retry_after_ms: f64,
        /// The body of a 2xx.
        body: &'a [u8],
    },
}

/// How events travel at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// Not known yet.
    #[default]
    Starting,
    /// Over the stream.
    Stream,
    /// In requests.
    Http,
    /// Not at all: neither way works at the moment.
    Offline,
    /// Not at all: the site stopped us.
    Stopped,
    /// Not at all: the collector does not allow it.
    Forbidden,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Socket {
    /// Closed, to be opened again at this time.
    Closed(f64),
    /// Opening since.
    Opening(f64),
    Open,
}

/// The way up.
#[derive(Debug)]
pub struct Uplink {
    random: Random,
    socket: Socket,
    /// The stream has failed since it was last open.
    failed: bool,
    socket_retry: Retry,
    /// The collector asked that nothing be sent over the stream before this time.
    hold_until_ms: f64,
    request_retry: Retry,
    request_at_ms: f64,
    requests_fail: bool,
    off: Option<Transport>,
    /// Do not wait for a batch to age.
    pub hurry: bool,
}

impl Uplink {
    /// A way up that opens the stream when it is first asked. The seed must be random.
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random(seed),
            socket: Socket::Closed(0.0),
            failed: false,
            socket_retry: Retry::default(),
            hold_until_ms: 0.0,
            request_retry: Retry::default(),
            request_at_ms: 0.0,
            requests_fail: false,
            off: None,
            hurry: false,
        }
    }

    /// How events travel.
    pub fn transport(&self) -> Transport {
        match (self.off, self.socket) {
            (Some(off), _) => off,
            (None, Socket::Open) => Transport::Stream,
            _ if self.failed && self.requests_fail => Transport::Offline,
            _ if self.failed => Transport::Http,
            _ => Transport::Starting,
        }
    }

    /// Whether nothing is sent any more.
    pub fn is_off(&self) -> bool {
        self.off.is_some()
    }

    /// Does what is due.
    pub fn pump(&mut self, now_ms: f64, queue: &mut Queue, out: &mut Vec<Command>) {
        if self.off.is_some() {
            return;
        }
        match self.socket {
            Socket::Closed(at) if now_ms >= at => {
                out.push(Command::Open);
                self.socket = Socket::Opening(now_ms);
            }
            Socket::Opening(since) if now_ms - since >= OPEN_MS_MAX => {
                self.lost(now_ms, queue, out)
            }
            Socket::Open if now_ms >= self.overdue(queue) => {
                self.lost(now_ms, queue, out);
            }
            _ => {}
        }
        match self.socket {
            Socket::Open => self.stream(now_ms, queue, out),
            _ if self.failed => self.request(now_ms, queue, out),
            _ => {}
        }
    }

    /// When [`Self::pump`] has something to do next, ms; infinite when only news can change anything.
    pub fn due_ms(&self, queue: &mut Queue) -> f64 {
        if self.off.is_some() {
            return f64::INFINITY;
        }
        let mut here = false;
        let mut requested = false;
        for sealed in queue.unacked() {
            here |= sealed.at == Whereabouts::Here;
            requested |= sealed.at == Whereabouts::InRequest;
        }
        let full = queue.unacked().len() >= UNACKED_BATCHES_MAX;
        let waiting = |age: f64| match queue.waiting_ms() {
            _ if here => 0.0,
            // Only an answer makes room.
            Some(first) if !full => first + if self.hurry { 0.0 } else { age },
            _ => f64::INFINITY,
        };
        let send = match self.socket {
            Socket::Open => waiting(STREAM_BATCH_AGE_MS_MAX).max(self.hold_until_ms),
            _ if self.failed && !requested => {
                waiting(REQUEST_BATCH_AGE_MS_MAX).max(self.request_at_ms)
            }
            _ => f64::INFINITY,
        };
        let socket = match self.socket {
            Socket::Closed(at) => at,
            Socket::Opening(since) => since + OPEN_MS_MAX,
            Socket::Open => self.overdue(queue),
        };
        send.min(socket)
    }

    /// Takes news. `out` as in [`Self::pump`], which should follow.
    pub fn hear(
        &mut self,
        now_ms: f64,
        news: &News<'_>,
        queue: &mut Queue,
        out: &mut Vec<Command>,
    ) {
        match news {
            News::Opened => {
                self.socket = Socket::Open;
                self.failed = false;
            }
            News::Frame(bytes) => match read(bytes) {
                Some(answer) => self.answered(now_ms, answer, queue, out),
                // A collector that speaks another language: what it says cannot be an ack.
                None => self.lost(now_ms, queue, out),
            },
            News::Closed(CLOSE_FORBIDDEN) => self.forbidden(queue, out),
            News::Closed(_) => self.lost(now_ms, queue, out),
            News::Posted {
                number,
                status,
                retry_after_ms,
                body,
            } => {
                self.posted(
                    now_ms,
                    *number,
                    (*status, *retry_after_ms, body),
                    queue,
                    out,
                );
            }
        }
    }

    /// The page may be going: everything that is not acked goes out in requests that outlive it.
    pub fn leave(&mut self, now_ms: f64, queue: &mut Queue, out: &mut Vec<Command>) {
        if self.off.is_some() {
            return;
        }
        while queue.seal(now_ms) {}
        let in_request = |at: Whereabouts| at == Whereabouts::InRequest;
        let mut bytes: usize = queue
            .unacked()
            .iter()
            .map(|sealed| {
                if in_request(sealed.at) {
                    sealed.bytes.len()
                } else {
                    0
                }
            })
            .sum();
        for sealed in queue
            .unacked()
            .iter_mut()
            .filter(|sealed| !in_request(sealed.at))
        {
            if bytes + sealed.bytes.len() > KEEPALIVE_BYTES_MAX {
                break;
            }
            bytes += sealed.bytes.len();
            set_sent_at(&mut sealed.bytes, now_ms as u64);
            sealed.at = Whereabouts::InRequest;
            out.push(Command::Post(sealed.first_seq, sealed.bytes.clone(), true));
        }
    }

    /// Closes the stream until [`Self::resume`], so that the page can be kept for going back to it.
    pub fn pause(&mut self, out: &mut Vec<Command>) {
        if !matches!(self.socket, Socket::Closed(_)) {
            out.push(Command::Close);
        }
        self.socket = Socket::Closed(f64::INFINITY);
    }

    /// The page is back: opens the stream, and forgets requests whose end nobody heard.
    pub fn resume(&mut self, queue: &mut Queue) {
        if self.off.is_some() || !matches!(self.socket, Socket::Closed(_)) {
            return;
        }
        self.socket = Socket::Closed(0.0);
        for sealed in queue.unacked() {
            sealed.at = Whereabouts::Here;
        }
    }

    /// Sends nothing more.
    pub fn stop(&mut self, why: Transport, out: &mut Vec<Command>) {
        if self.off.is_none() {
            self.pause(out);
            self.off = Some(why);
        }
    }

    fn forbidden(&mut self, queue: &mut Queue, out: &mut Vec<Command>) {
        self.stop(Transport::Forbidden, out);
        queue.give_up();
    }

    /// When the stream is dead unless an ack comes first; infinite when none is awaited.
    fn overdue(&self, queue: &mut Queue) -> f64 {
        let mut first = f64::INFINITY;
        for sealed in queue.unacked() {
            if let Whereabouts::OnSocket(at) = sealed.at {
                first = first.min(at + ACK_MS_MAX);
            }
        }
        first
    }

    fn lost(&mut self, now_ms: f64, queue: &mut Queue, out: &mut Vec<Command>) {
        if self.off.is_some() || matches!(self.socket, Socket::Closed(_)) {
            return;
        }
        out.push(Command::Close);
        let wait = self.socket_retry.wait_ms(&mut self.random, 0.0);
        self.socket = Socket::Closed(now_ms + wait);
        self.failed = true;
        for sealed in queue.unacked() {
            if matches!(sealed.at, Whereabouts::OnSocket(_)) {
                sealed.at = Whereabouts::Here;
            }
        }
    }

    fn stream(&mut self, now_ms: f64, queue: &mut Queue, out: &mut Vec<Command>) {
        if now_ms < self.hold_until_ms {
            return;
        }
        let aged = queue
            .waiting_ms()
            .is_some_and(|ms| now_ms - ms >= STREAM_BATCH_AGE_MS_MAX);
        if self.hurry || aged {
            while queue.seal(now_ms) {}
            self.hurry = false;
        }
        for sealed in queue
            .unacked()
            .iter_mut()
            .filter(|sealed| sealed.at == Whereabouts::Here)
        {
            set_sent_at(&mut sealed.bytes, now_ms as u64);
            sealed.at = Whereabouts::OnSocket(now_ms);
            out.push(Command::Send(sealed.bytes.clone()));
        }
    }

    fn request(&mut self, now_ms: f64, queue: &mut Queue, out: &mut Vec<Command>) {
        let busy = queue
            .unacked()
            .iter()
            .any(|sealed| sealed.at == Whereabouts::InRequest);
        if busy || now_ms < self.request_at_ms {
            return;
        }
        if !queue
            .unacked()
            .iter()
            .any(|sealed| sealed.at == Whereabouts::Here)
        {
            let aged = queue
                .waiting_ms()
                .is_some_and(|ms| now_ms - ms >= REQUEST_BATCH_AGE_MS_MAX);
            if !(self.hurry || aged) {
                return;
            }
            self.hurry = queue.seal(now_ms) && self.hurry;
        }
        if let Some(sealed) = queue
            .unacked()
            .iter_mut()
            .find(|sealed| sealed.at == Whereabouts::Here)
        {
            set_sent_at(&mut sealed.bytes, now_ms as u64);
            sealed.at = Whereabouts::InRequest;
            out.push(Command::Post(sealed.first_seq, sealed.bytes.clone(), false));
        }
    }

    fn answered(&mut self, now_ms: f64, answer: Heard, queue: &mut Queue, out: &mut Vec<Command>) {
        match answer {
            Heard::Ack(ack) => {
                queue.acked(&ack);
                self.socket_retry.reset();
            }
            Heard::Refused(first_seq, refusal, retry_after_ms) => match refusal {
                Refusal::Bad => queue.refused(first_seq),
                Refusal::Forbidden => self.forbidden(queue, out),
                Refusal::Later => {
                    let asked = f64::from(retry_after_ms);
                    let wait = self.socket_retry.wait_ms(&mut self.random, asked);
                    self.hold_until_ms = now_ms + wait;
                    for sealed in queue
                        .unacked()
                        .iter_mut()
                        .filter(|it| it.first_seq == first_seq)
                    {
                        sealed.at = Whereabouts::Here;
                    }
                }
            },
        }
    }

    fn posted(
        &mut self,
        now_ms: f64,
        number: u64,
        (status, retry_after_ms, body): (u16, f64, &[u8]),
        queue: &mut Queue,
        out: &mut Vec<Command>,
    ) {
        match status {
            200..=299 => {
                if let Some(Heard::Ack(ack)) = read(body) {
                    queue.acked(&ack);
                }
                // The status alone says that it is on disk.
                queue.acked_batch(number);
                self.request_retry.reset();
                self.request_at_ms = 0.0;
                self.requests_fail = false;
            }
            401 | 403 => self.forbidden(queue, out),
            400..=428 | 430..=499 => queue.refused(number),
            _ => {
                let wait = self.request_retry.wait_ms(&mut self.random, retry_after_ms);
                self.request_at_ms = now_ms + wait;
                self.requests_fail = true;
                for sealed in queue
                    .unacked()
                    .iter_mut()
                    .filter(|sealed| sealed.first_seq == number)
                {
                    if sealed.at == Whereabouts::InRequest {
                        sealed.at = Whereabouts::Here;
                    }
                }
            }
        }
    }
}
