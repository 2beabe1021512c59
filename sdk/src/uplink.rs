//! When to send what over which way: the stream, requests, or a last request on leaving.
//!
//! Owns the state of the connection and of the requests, and every wait. Refuses to know what
//! events mean and how bytes are moved: it takes time and news, and says what to do next.

use crate::answer::{self, read};
use crate::encode::Bytes;
use crate::queue::{ACKED, Queue, REFUSED, whereabouts};
use crate::retry::{Random, Retry};

/// On the stream an event waits this long for others…
pub const STREAM_AGE_MS_MAX: i64 = 50;
/// … and this long if it is of a kind that can wait.
pub const STREAM_MINOR_AGE_MS_MAX: i64 = 250;
/// Without a stream an event waits this long for others…
pub const REQUEST_AGE_MS_MAX: i64 = 8_000;
/// … and this long while nothing reaches the collector, when a batch costs no request yet, and only
/// what is in one is written down.
pub const UNREACHED_AGE_MS_MAX: i64 = 1_000;
/// All that, so many times, where the visitor pays for bytes.
pub const THIN_AGES: i64 = 4;
/// A stream that has not opened after this long has failed.
pub const OPEN_MS_MAX: i64 = 3_000;
/// A stream on which a batch is not acked after this long is dead.
pub const ACK_MS_MAX: i64 = 15_000;
/// Bytes under way in requests that outlive the page; browsers allow 64 KiB for all of them.
pub const KEEPALIVE_BYTES_MAX: usize = 60 * 1024;
/// The stream is closed with this code when the key or the origin is not allowed.
pub const CLOSE_FORBIDDEN: i32 = 4401;
/// A time that never comes.
pub const NEVER_MS: i64 = i64::MAX;

/// What the shell must do next; a batch is the one [`Uplink::batch`] says.
pub mod order {
    /// Nothing more.
    pub const NONE: u8 = 0;
    /// Open the stream.
    pub const OPEN: u8 = 1;
    /// Close the stream and forget it: nothing more may be heard of it.
    pub const CLOSE: u8 = 2;
    /// Send the batch over the stream.
    pub const SEND: u8 = 3;
    /// Send the batch in a request.
    pub const POST: u8 = 4;
    /// The same, in one that outlives the page.
    pub const POST_LAST: u8 = 5;
    /// Write the batch down before it is sent, so that another page can send it.
    pub const KEEP: u8 = 6;
    /// Forget what was written down under its number.
    pub const FORGET: u8 = 7;
}

/// How events travel at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Not known yet.
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

// What the stream is.
const CLOSED: u8 = 0;
const OPENING: u8 = 1;
const OPEN: u8 = 2;

/// The way up.
#[derive(Debug)]
pub struct Uplink {
    socket: u8,
    /// When a closed one is to be opened, or one that opens has failed, ms.
    socket_ms: i64,
    /// The shell has yet to close it.
    closing: bool,
    /// The stream has failed since it was last open.
    failed: bool,
    /// Whatever was tried last has reached the collector.
    reached: bool,
    /// What is not in a request yet goes into one that outlives the page.
    leaving: bool,
    /// Do not wait for a batch to age.
    pub hurry: bool,
    /// The visitor pays for bytes, or asked for few.
    pub thin: bool,
    /// Why nothing is sent any more; [`Transport::Starting`] when that is not so.
    off: Transport,
    random: Random,
    socket_retry: Retry,
    request_retry: Retry,
    /// The collector asked that nothing be sent over the stream before this time.
    hold_until_ms: i64,
    request_at_ms: i64,
    /// The batch of the order taken last.
    pub batch: u64,
}

impl Uplink {
    /// A way up that opens the stream when it is first asked. The seed must be random.
    pub const fn new(seed: u64) -> Self {
        Self {
            socket: CLOSED,
            socket_ms: 0,
            closing: false,
            failed: false,
            reached: false,
            leaving: false,
            hurry: false,
            thin: false,
            off: Transport::Starting,
            random: Random(seed),
            socket_retry: Retry::new(),
            request_retry: Retry::new(),
            hold_until_ms: 0,
            request_at_ms: 0,
            batch: 0,
        }
    }

    /// How events travel.
    pub fn transport(&self) -> Transport {
        if self.is_off() {
            self.off
        } else if self.socket == OPEN {
            Transport::Stream
        } else if !self.failed {
            Transport::Starting
        } else if self.reached {
            Transport::Http
        } else {
            Transport::Offline
        }
    }

    /// Whether nothing is sent any more.
    pub fn is_off(&self) -> bool {
        self.off != Transport::Starting
    }

    /// What to do next; to be asked until there is nothing more to do.
    pub fn next(&mut self, now_ms: i64, queue: &mut Queue) -> u8 {
        if !self.is_off() && (self.hurry || now_ms >= self.ripe_ms(queue)) {
            queue.seal();
            self.hurry = false;
        }
        if let Some((number, ended)) = queue.noted() {
            self.batch = number;
            return order::KEEP + u8::from(ended);
        }
        if self.leaving {
            let place = leaving(queue);
            if self.hand_over(place, whereabouts::IN_REQUEST, now_ms, queue) {
                return order::POST_LAST;
            }
            self.leaving = false;
        }
        if self.socket == CLOSED {
            if now_ms >= self.socket_ms {
                self.socket = OPENING;
                self.socket_ms = now_ms + OPEN_MS_MAX;
                return order::OPEN;
            }
        } else if now_ms >= self.overdue(queue) {
            self.lost(now_ms, queue);
        }
        if self.closing {
            self.closing = false;
            return order::CLOSE;
        }
        if self.is_off() {
            return order::NONE;
        }
        let unsent = queue.unacked.find(whereabouts::HERE);
        if self.socket == OPEN {
            if now_ms >= self.hold_until_ms
                && self.hand_over(unsent, whereabouts::ON_SOCKET, now_ms, queue)
            {
                return order::SEND;
            }
        } else if self.may_request(queue)
            && now_ms >= self.request_at_ms
            && self.hand_over(unsent, whereabouts::IN_REQUEST, now_ms, queue)
        {
            return order::POST;
        }
        order::NONE
    }

    /// Notes where a batch is from now on, if there is one at that place.
    #[inline(never)]
    fn hand_over(&mut self, place: usize, at: u8, now_ms: i64, queue: &mut Queue) -> bool {
        let Some(sealed) = queue.unacked.at_mut(place) else {
            return false;
        };
        sealed.kind = at;
        sealed.ms = now_ms;
        self.batch = sealed.number;
        let sent_at = (now_ms as u64).wrapping_add(sealed.field);
        // After the version, in six bytes.
        queue.unacked.set(place, sent_at, 6);
        true
    }

    /// Whether a batch may go in a request: there is no stream, and one at a time.
    fn may_request(&self, queue: &Queue) -> bool {
        self.failed && queue.unacked.find(whereabouts::IN_REQUEST) >= queue.unacked.count
    }

    /// When [`Self::next`] has something to do, ms; [`NEVER_MS`] when only news can change anything.
    pub fn due_ms(&self, queue: &Queue) -> i64 {
        if self.is_off() {
            return NEVER_MS;
        }
        let mut due = self.ripe_ms(queue).min(if self.socket == CLOSED {
            self.socket_ms
        } else {
            self.overdue(queue)
        });
        if queue.unacked.find(whereabouts::HERE) < queue.unacked.count {
            if self.socket == OPEN {
                due = due.min(self.hold_until_ms);
            } else if self.may_request(queue) {
                due = due.min(self.request_at_ms);
            }
        }
        due
    }

    /// When the next batch is to be cut. The more there are, the longer that takes: whoever is offline
    /// for an hour must not come back with a thousand.
    #[inline(never)]
    fn ripe_ms(&self, queue: &Queue) -> i64 {
        let mut age = UNREACHED_AGE_MS_MAX;
        let mut minor_age = age;
        if self.socket == OPEN {
            age = STREAM_AGE_MS_MAX;
            minor_age = STREAM_MINOR_AGE_MS_MAX;
        } else if self.reached {
            age = REQUEST_AGE_MS_MAX;
            minor_age = age;
        }
        let count = queue.unacked.count as i64;
        let times = (1 + count * count / 16) * if self.thin { THIN_AGES } else { 1 };
        queue.ripe_ms(age * times, minor_age * times)
    }

    /// The stream has opened.
    pub fn opened(&mut self) {
        self.socket = OPEN;
        self.socket_ms = NEVER_MS;
        self.failed = false;
        self.reached = true;
    }

    /// The stream has closed or failed, with this code.
    pub fn closed(&mut self, now_ms: i64, code: i32, queue: &mut Queue) {
        if code == CLOSE_FORBIDDEN {
            self.forbidden(queue);
        } else {
            self.lost(now_ms, queue);
        }
    }

    /// A frame arrived on the stream.
    pub fn frame(&mut self, now_ms: i64, bytes: &mut Bytes, queue: &mut Queue) {
        let heard = read(bytes);
        match heard.kind {
            answer::ACK => {
                acked(&heard, bytes, queue);
                self.socket_retry.reset();
            }
            answer::BAD => queue.ended(heard.stream, heard.first_seq, 0, REFUSED),
            answer::FORBIDDEN => self.forbidden(queue),
            answer::LATER => {
                let wait_ms = self.socket_retry.wait_ms(&mut self.random, heard.next_seq) as i64;
                self.hold_until_ms = now_ms + wait_ms;
                let mut place = 0;
                while let Some(sealed) = queue.unacked.at_mut(place) {
                    if sealed.element == heard.stream
                        && sealed.at as u64 == heard.first_seq
                        && sealed.kind != whereabouts::ENDED
                    {
                        sealed.kind = whereabouts::HERE;
                    }
                    place += 1;
                }
            }
            // A collector that speaks another language: what it says cannot be an ack.
            _ => self.lost(now_ms, queue),
        }
    }

    /// A request has ended: the number of its batch, the HTTP status (0 when there was no answer), the wait
    /// asked for (ms), and the body of a 2xx.
    pub fn posted(
        &mut self,
        now_ms: i64,
        (number, status, asked_ms): (u64, i32, u64),
        body: &mut Bytes,
        queue: &mut Queue,
    ) {
        let place = queue.unacked.called(number);
        match status {
            200..=299 => {
                // The status alone says that it is on disk.
                queue.end(place, ACKED);
                let heard = read(body);
                if heard.kind == answer::ACK {
                    acked(&heard, body, queue);
                }
                self.request_retry.reset();
                self.request_at_ms = 0;
                self.reached = true;
            }
            401 | 403 => self.forbidden(queue),
            400..=428 | 430..=499 => queue.end(place, REFUSED),
            _ => {
                self.request_at_ms =
                    now_ms + self.request_retry.wait_ms(&mut self.random, asked_ms) as i64;
                self.reached = false;
                if let Some(sealed) = queue.unacked.at_mut(place)
                    && sealed.kind != whereabouts::ENDED
                {
                    sealed.kind = whereabouts::HERE;
                }
            }
        }
    }

    /// The page may be going: everything that is not acked goes out in requests that outlive it.
    pub fn leave(&mut self, queue: &mut Queue) {
        if !self.is_off() {
            queue.seal();
            self.leaving = true;
        }
    }

    /// Closes the stream until [`Self::resume`], so that the page can be kept for going back to it.
    #[inline(never)]
    pub fn pause(&mut self) {
        self.closing |= self.socket != CLOSED;
        self.socket = CLOSED;
        self.socket_ms = NEVER_MS;
    }

    /// The page is back: opens the stream, and forgets requests whose end nobody heard.
    pub fn resume(&mut self, queue: &mut Queue) {
        if !self.is_off() && self.socket == CLOSED {
            self.socket_ms = 0;
            queue.back(whereabouts::ON_SOCKET);
            queue.back(whereabouts::IN_REQUEST);
        }
    }

    /// Sends nothing more.
    #[inline(never)]
    pub fn stop(&mut self, why: Transport) {
        if !self.is_off() {
            self.pause();
            self.off = why;
        }
    }

    #[inline(never)]
    fn forbidden(&mut self, queue: &mut Queue) {
        self.stop(Transport::Forbidden);
        queue.give_up();
    }

    /// When the stream is dead unless it opens or an ack comes first.
    #[inline(never)]
    fn overdue(&self, queue: &Queue) -> i64 {
        let mut first = self.socket_ms;
        let mut place = 0;
        while let Some(sealed) = queue.unacked.at(place) {
            if sealed.kind == whereabouts::ON_SOCKET {
                first = first.min(sealed.ms + ACK_MS_MAX);
            }
            place += 1;
        }
        first
    }

    #[inline(never)]
    fn lost(&mut self, now_ms: i64, queue: &mut Queue) {
        if !self.is_off() && self.socket != CLOSED {
            self.closing = true;
            self.socket = CLOSED;
            self.socket_ms = now_ms + self.socket_retry.wait_ms(&mut self.random, 0) as i64;
            self.failed = true;
            queue.back(whereabouts::ON_SOCKET);
        }
    }
}

#[inline(never)]
fn acked(heard: &answer::Heard, bytes: &mut Bytes, queue: &mut Queue) {
    queue.ended(heard.stream, heard.first_seq, heard.next_seq, ACKED);
    while bytes.at < bytes.len {
        queue.words.want(bytes.long(), true);
    }
}

/// The first batch of this page that is not in a request, if there is room for it beside those that
/// are. What others have left is written down, and can wait.
fn leaving(queue: &Queue) -> usize {
    let mut first = usize::MAX;
    let mut bytes = 0;
    let mut place = 0;
    while let Some(sealed) = queue.unacked.at(place) {
        let asked = sealed.kind == whereabouts::IN_REQUEST;
        let next = !asked && first == usize::MAX && queue.is_own(sealed);
        if next {
            first = place;
        }
        if asked || next {
            bytes += sealed.len;
        }
        place += 1;
    }
    if bytes <= KEEPALIVE_BYTES_MAX {
        first
    } else {
        usize::MAX
    }
}
