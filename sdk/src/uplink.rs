//! When to send what over which way: the stream, requests, or a last request on leaving.
//!
//! Owns the state of the connection and of the requests, and every wait. Refuses to know what
//! events mean and how bytes are moved: it takes time and news, and gives [`Command`]s.

use crate::answer::{Heard, read};
use crate::queue::{Queue, whereabouts};
use crate::retry::{Random, Retry};
use crate::shelf::RECORDS_MAX;
use alloc::vec::Vec;
use upriver_wire::answer::Refusal;
use upriver_wire::set_sent_at;

/// On the stream an event waits this long for others…
pub const STREAM_AGE_MS_MAX: u64 = 50;
/// … and this long if it is of a kind that can wait.
pub const STREAM_MINOR_AGE_MS_MAX: u64 = 250;
/// Without a stream an event waits this long for others…
pub const REQUEST_AGE_MS_MAX: u64 = 5_000;
/// … and this long while nothing reaches the collector, when a batch costs no request yet, and only
/// what is in one is written down.
pub const UNREACHED_AGE_MS_MAX: u64 = 1_000;
/// All that, so many times, where the visitor pays for bytes.
pub const THIN_AGES: u64 = 4;
/// A stream that has not opened after this long has failed.
pub const OPEN_MS_MAX: u64 = 3_000;
/// A stream on which a batch is not acked after this long is dead.
pub const ACK_MS_MAX: u64 = 15_000;
/// Bytes under way in requests that outlive the page; browsers allow 64 KiB for all of them.
pub const KEEPALIVE_BYTES_MAX: usize = 60 * 1024;
/// The stream is closed with this code when the key or the origin is not allowed.
pub const CLOSE_FORBIDDEN: u16 = 4401;
/// A time that never comes.
pub const NEVER_MS: u64 = u64::MAX;

/// What the shell must do next. A batch is named by its number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    /// Open the stream.
    Open,
    /// Close the stream and forget it: nothing more may be heard of it.
    Close,
    /// Send this batch over the stream.
    Send(u64),
    /// Send this batch in a request. `true`: it must outlive the page.
    Post(u64, bool),
    /// Write this batch down before it is sent, so that another page can send it.
    Keep(u64),
    /// Forget what was written down under this number.
    Forget(u64),
}

/// An [`Order`] with its bytes, for who has memory to spare.
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
    /// Write this batch down under this number, before it is sent.
    Keep(u64, Vec<u8>),
    /// Forget what was written down under this number.
    Forget(u64),
}

/// What is heard from below.
#[derive(Clone, Copy, Debug)]
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
    Closed(u64),
    /// Opening since.
    Opening(u64),
    Open,
}

/// The way up.
#[derive(Debug)]
pub struct Uplink {
    random: Random,
    socket: Socket,
    /// The shell has yet to close it.
    closing: bool,
    /// The stream has failed since it was last open.
    failed: bool,
    socket_retry: Retry,
    /// The collector asked that nothing be sent over the stream before this time.
    hold_until_ms: u64,
    request_retry: Retry,
    request_at_ms: u64,
    /// Whatever was tried last has reached the collector.
    reached: bool,
    /// What is not in a request yet goes into one that outlives the page.
    leaving: bool,
    off: Option<Transport>,
    /// Do not wait for a batch to age.
    pub hurry: bool,
    /// The visitor pays for bytes, or asked for few.
    pub thin: bool,
}

impl Uplink {
    /// A way up that opens the stream when it is first asked. The seed must be random.
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random(seed),
            socket: Socket::Closed(0),
            closing: false,
            failed: false,
            socket_retry: Retry::default(),
            hold_until_ms: 0,
            request_retry: Retry::default(),
            request_at_ms: 0,
            reached: false,
            leaving: false,
            off: None,
            hurry: false,
            thin: false,
        }
    }

    /// How events travel.
    pub fn transport(&self) -> Transport {
        match (self.off, self.socket) {
            (Some(off), _) => off,
            (None, Socket::Open) => Transport::Stream,
            _ if self.failed && !self.reached => Transport::Offline,
            _ if self.failed => Transport::Http,
            _ => Transport::Starting,
        }
    }

    /// Whether nothing is sent any more.
    pub fn is_off(&self) -> bool {
        self.off.is_some()
    }

    /// What to do next; to be asked until there is nothing more to do.
    pub fn next(&mut self, now_ms: u64, queue: &mut Queue) -> Option<Order> {
        if !self.is_off() && (self.hurry || now_ms >= self.ripe_ms(queue)) {
            while queue.seal() {}
            self.hurry = false;
        }
        match queue.noted() {
            Some((number, true)) => return Some(Order::Forget(number)),
            Some((number, false)) => return Some(Order::Keep(number)),
            None => {}
        }
        if self.leaving {
            if let Some(number) = leaving(queue) {
                hand_over(queue, number, whereabouts::IN_REQUEST, now_ms);
                return Some(Order::Post(number, true));
            }
            self.leaving = false;
        }
        match self.socket {
            Socket::Closed(at) if now_ms >= at => {
                self.socket = Socket::Opening(now_ms);
                return Some(Order::Open);
            }
            Socket::Closed(_) => {}
            _ if now_ms >= self.overdue(queue) => self.lost(now_ms, queue),
            _ => {}
        }
        if self.closing {
            self.closing = false;
            return Some(Order::Close);
        }
        if self.is_off() {
            return None;
        }
        match self.socket {
            Socket::Open if now_ms >= self.hold_until_ms => {
                let number = unsent(queue)?;
                hand_over(queue, number, whereabouts::ON_SOCKET, now_ms);
                Some(Order::Send(number))
            }
            Socket::Open => None,
            _ if self.failed => self.request(now_ms, queue),
            _ => None,
        }
    }

    /// When [`Self::next`] has something to do, ms; [`NEVER_MS`] when only news can change anything.
    pub fn due_ms(&self, queue: &Queue) -> u64 {
        if self.is_off() {
            return NEVER_MS;
        }
        let any = |at| queue.unacked.find(at, 0) < RECORDS_MAX;
        let send = match self.socket {
            _ if !any(whereabouts::HERE) => NEVER_MS,
            Socket::Open => self.hold_until_ms,
            _ if self.failed && !any(whereabouts::IN_REQUEST) => self.request_at_ms,
            _ => NEVER_MS,
        };
        let socket = match self.socket {
            Socket::Closed(at) => at,
            _ => self.overdue(queue),
        };
        send.min(socket).min(self.ripe_ms(queue))
    }

    /// When the next batch is to be cut. The more there are, the longer that takes: whoever is offline
    /// for an hour must not come back with a thousand.
    fn ripe_ms(&self, queue: &Queue) -> u64 {
        let (age, minor_age) = match self.socket {
            Socket::Open => (STREAM_AGE_MS_MAX, STREAM_MINOR_AGE_MS_MAX),
            _ if self.reached => (REQUEST_AGE_MS_MAX, REQUEST_AGE_MS_MAX),
            _ => (UNREACHED_AGE_MS_MAX, UNREACHED_AGE_MS_MAX),
        };
        let count = queue.unacked.count() as u64;
        let times = (1 + count * count / 16) * if self.thin { THIN_AGES } else { 1 };
        queue.ripe_ms(age * times, minor_age * times)
    }

    /// Takes news.
    pub fn hear(&mut self, now_ms: u64, news: News<'_>, queue: &mut Queue) {
        match news {
            News::Opened => {
                self.socket = Socket::Open;
                self.failed = false;
                self.reached = true;
            }
            News::Frame(bytes) => match read(bytes) {
                Some(answer) => self.answered(now_ms, answer, queue),
                // A collector that speaks another language: what it says cannot be an ack.
                None => self.lost(now_ms, queue),
            },
            News::Closed(CLOSE_FORBIDDEN) => self.forbidden(queue),
            News::Closed(_) => self.lost(now_ms, queue),
            News::Posted {
                number,
                status,
                retry_after_ms,
                body,
            } => match status {
                200..=299 => {
                    if let Some(Heard::Ack(stream, first_seq, next_seq, need)) = read(body) {
                        queue.acked(stream, (first_seq, next_seq), need);
                    }
                    // The status alone says that it is on disk.
                    queue.acked_batch(number);
                    self.request_retry.reset();
                    self.request_at_ms = 0;
                    self.reached = true;
                }
                401 | 403 => self.forbidden(queue),
                400..=428 | 430..=499 => queue.refused(number),
                _ => {
                    let asked_ms = retry_after_ms as u64;
                    self.request_at_ms =
                        now_ms + self.request_retry.wait_ms(&mut self.random, asked_ms);
                    self.reached = false;
                    queue.again(number);
                }
            },
        }
    }

    /// The page may be going: everything that is not acked goes out in requests that outlive it.
    pub fn leave(&mut self, queue: &mut Queue) {
        if !self.is_off() {
            while queue.seal() {}
            self.leaving = true;
        }
    }

    /// Closes the stream until [`Self::resume`], so that the page can be kept for going back to it.
    pub fn pause(&mut self) {
        self.closing |= !matches!(self.socket, Socket::Closed(_));
        self.socket = Socket::Closed(NEVER_MS);
    }

    /// The page is back: opens the stream, and forgets requests whose end nobody heard.
    pub fn resume(&mut self, queue: &mut Queue) {
        if self.is_off() || !matches!(self.socket, Socket::Closed(_)) {
            return;
        }
        self.socket = Socket::Closed(0);
        queue.back(whereabouts::ON_SOCKET);
        queue.back(whereabouts::IN_REQUEST);
    }

    /// Sends nothing more.
    pub fn stop(&mut self, why: Transport) {
        if !self.is_off() {
            self.pause();
            self.off = Some(why);
        }
    }

    fn forbidden(&mut self, queue: &mut Queue) {
        self.stop(Transport::Forbidden);
        queue.give_up();
    }

    /// When the stream is dead unless it opens or an ack comes first.
    fn overdue(&self, queue: &Queue) -> u64 {
        if let Socket::Opening(since) = self.socket {
            return since + OPEN_MS_MAX;
        }
        let mut first = NEVER_MS;
        let mut place = 0;
        while let Some(sealed) = queue.unacked.at(place) {
            if sealed.kind == whereabouts::ON_SOCKET {
                first = first.min(sealed.ms + ACK_MS_MAX);
            }
            place += 1;
        }
        first
    }

    fn lost(&mut self, now_ms: u64, queue: &mut Queue) {
        if self.is_off() || matches!(self.socket, Socket::Closed(_)) {
            return;
        }
        self.closing = true;
        self.socket = Socket::Closed(now_ms + self.socket_retry.wait_ms(&mut self.random, 0));
        self.failed = true;
        queue.back(whereabouts::ON_SOCKET);
    }

    fn request(&mut self, now_ms: u64, queue: &mut Queue) -> Option<Order> {
        let under_way = queue.unacked.find(whereabouts::IN_REQUEST, 0) < RECORDS_MAX;
        if under_way || now_ms < self.request_at_ms {
            return None;
        }
        let number = unsent(queue)?;
        hand_over(queue, number, whereabouts::IN_REQUEST, now_ms);
        Some(Order::Post(number, false))
    }

    fn answered(&mut self, now_ms: u64, answer: Heard<'_>, queue: &mut Queue) {
        match answer {
            Heard::Ack(stream, first_seq, next_seq, need) => {
                queue.acked(stream, (first_seq, next_seq), need);
                self.socket_retry.reset();
            }
            Heard::Refused(stream, first_seq, refusal, asked_ms) => {
                let number = queue.number_of(stream, first_seq);
                match refusal {
                    Refusal::Bad => queue.refused(number),
                    Refusal::Forbidden => self.forbidden(queue),
                    Refusal::Later => {
                        let asked_ms = u64::from(asked_ms);
                        let wait_ms = self.socket_retry.wait_ms(&mut self.random, asked_ms);
                        self.hold_until_ms = now_ms + wait_ms;
                        queue.again(number);
                    }
                }
            }
        }
    }
}

/// The first batch that is to be sent.
fn unsent(queue: &Queue) -> Option<u64> {
    let place = queue.unacked.find(whereabouts::HERE, 0);
    queue.unacked.at(place).map(|it| it.number)
}

/// The first batch of this page that is not in a request, if there is room for it beside those that
/// are. What others have left is written down, and can wait.
fn leaving(queue: &Queue) -> Option<u64> {
    let mut first = None;
    let mut bytes = 0;
    let mut place = 0;
    while let Some(sealed) = queue.unacked.at(place) {
        place += 1;
        if sealed.kind == whereabouts::IN_REQUEST {
            bytes += sealed.len;
        } else if first.is_none() && queue.is_own(sealed) {
            bytes += sealed.len;
            first = Some(sealed.number);
        }
    }
    first.filter(|_| bytes <= KEEPALIVE_BYTES_MAX)
}

/// Notes where a batch is from now on.
fn hand_over(queue: &mut Queue, number: u64, at: u8, now_ms: u64) {
    if let Some(sealed) = queue.sealed(number) {
        sealed.kind = at;
        sealed.ms = now_ms;
        let sealed = *sealed;
        let (upper, lower) = sealed.by;
        let later_ms = i64::from(upper) << 32 | i64::from(lower as u32);
        let sent_at = now_ms.saturating_add_signed(later_ms);
        set_sent_at(queue.unacked.bytes_mut(&sealed), sent_at);
    }
}
