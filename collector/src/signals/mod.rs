//! Signals to visitors' pages: whose streams are open, and what waits for who is not there.
//!
//! Owns who gets which signal, in memory only: a restart forgets what waits. Refuses to know HTTP,
//! WebSockets and clocks; whoever calls says what time it is. Never waits: a stream that is too slow
//! for a signal finds it waiting when it comes again.
//!
//! A signal goes to every open stream of its visitor. It is also held until it expires: for the next
//! page of a visitor who was not there, or for the same page when its stream broke and it comes back
//! or goes on by requests. So a page may get one twice, and acts on its number once.

mod address;
pub mod book;
pub mod deliver;
pub mod firing;
pub mod message;
pub mod outbox;
pub mod post;
pub mod rule;
#[cfg(test)]
mod tests;

use metrics::counter;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::mpsc;
use upriver_wire::answer::Signal;
use upriver_wire::limits::ANSWERS_MAX;
use upriver_wire::{StreamId, VisitorId};

/// Signals held for one visitor.
pub const HELD_A_VISITOR_MAX: usize = ANSWERS_MAX - 1;
/// Signals held for all visitors together.
pub const HELD_MAX: usize = 100_000;
/// Signals on their way to one stream.
pub const INBOX_MAX: usize = 2 * HELD_A_VISITOR_MAX;
/// Streams that one signal is remembered to have gone to; more get it when they come, not again.
const GIVEN_MAX: usize = 64;
/// Bits of a signal's number: as many as a script holds exactly.
const NUMBER_BITS: u32 = 53;
/// What has expired is looked for at most this often, ms.
const SWEEP_EVERY_MS: u64 = 10_000;

/// Why a signal was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignalError {
    /// This visitor's pages have none of those sent before.
    #[error("{HELD_A_VISITOR_MAX} signals wait for this visitor already")]
    VisitorFull,
    /// Too many wait in all.
    #[error("{HELD_MAX} signals wait for visitors already")]
    Full,
}

/// Where signals for one stream are put.
pub type Inbox = mpsc::Sender<Arc<Signal>>;

/// Who is there and what waits. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Signals {
    state: Arc<Mutex<State>>,
}

type Who = (String, VisitorId);

#[derive(Default)]
struct State {
    open: HashMap<Who, Vec<Open>>,
    held: HashMap<Who, Vec<Held>>,
    /// How many are held in all.
    count: usize,
    swept_ms: u64,
    next_presence: u64,
}

struct Open {
    presence: u64,
    stream: StreamId,
    inbox: Inbox,
}

struct Held {
    signal: Arc<Signal>,
    /// The streams it went to.
    given: Vec<StreamId>,
}

/// A stream that is there for as long as this lives.
pub struct Presence {
    signals: Signals,
    who: Who,
    stream: StreamId,
    number: u64,
}

/// A number nobody can guess and no other signal has.
///
/// # Errors
/// The system has no randomness.
pub fn new_number() -> Result<u64, getrandom::Error> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes) >> (u64::BITS - NUMBER_BITS))
}

impl Signals {
    /// Sends a signal to a visitor's open streams and holds it for what comes later. Returns how many
    /// streams it went to.
    ///
    /// # Errors
    /// Too many wait.
    pub fn send(
        &self,
        site: &str,
        visitor: VisitorId,
        signal: Signal,
        now_ms: u64,
    ) -> Result<usize, SignalError> {
        let mut state = self.lock();
        let state = &mut *state;
        if now_ms >= state.swept_ms + SWEEP_EVERY_MS {
            state.sweep(now_ms);
        }
        let who = (site.to_owned(), visitor);
        state.expire(&who, now_ms);
        if let Some(held) = state.held.get_mut(&who)
            && held.len() >= HELD_A_VISITOR_MAX
        {
            // The oldest that some page has makes room; what nobody has is not thrown away.
            let given = held.iter().position(|held| !held.given.is_empty());
            held.remove(given.ok_or(SignalError::VisitorFull)?);
            state.count -= 1;
        }
        if state.count >= HELD_MAX {
            return Err(SignalError::Full);
        }
        let signal = Arc::new(signal);
        let open = state.open.get(&who).map_or(&[][..], Vec::as_slice);
        let given: Vec<StreamId> = open
            .iter()
            .filter(|open| open.inbox.try_send(signal.clone()).is_ok())
            .map(|open| open.stream)
            .take(GIVEN_MAX)
            .collect();
        let streams = given.len();
        state
            .held
            .entry(who)
            .or_default()
            .push(Held { signal, given });
        state.count += 1;
        counter!("upriver_signals_total").increment(1);
        Ok(streams)
    }

    /// Drops what waits for a visitor.
    pub fn forget(&self, site: &str, visitor: VisitorId) {
        let mut state = self.lock();
        if let Some(held) = state.held.remove(&(site.to_owned(), visitor)) {
            state.count -= held.len();
        }
    }

    /// A stream of this visitor is open: it gets what waits for it, and from now on what comes.
    pub fn join(
        &self,
        site: &str,
        visitor: VisitorId,
        stream: StreamId,
        inbox: Inbox,
        now_ms: u64,
    ) -> Presence {
        let mut state = self.lock();
        let who = (site.to_owned(), visitor);
        state.expire(&who, now_ms);
        for held in state.held.get_mut(&who).into_iter().flatten() {
            if held.is_for(stream) && inbox.try_send(held.signal.clone()).is_ok() {
                held.give(stream);
            }
        }
        state.next_presence += 1;
        let number = state.next_presence;
        state.open.entry(who.clone()).or_default().push(Open {
            presence: number,
            stream,
            inbox,
        });
        Presence {
            signals: self.clone(),
            who,
            stream,
            number,
        }
    }

    /// Takes what waits for this stream, to go with an answer. It is not held any longer.
    pub fn take(
        &self,
        site: &str,
        visitor: VisitorId,
        stream: StreamId,
        now_ms: u64,
    ) -> Vec<Arc<Signal>> {
        let mut state = self.lock();
        let state = &mut *state;
        // Almost nobody has any: nothing is allocated for who has none.
        if state.count == 0 {
            return Vec::new();
        }
        let who = (site.to_owned(), visitor);
        state.expire(&who, now_ms);
        let Some(held) = state.held.get_mut(&who) else {
            return Vec::new();
        };
        let taken: Vec<_> = held
            .extract_if(.., |held| held.is_for(stream))
            .map(|held| held.signal)
            .collect();
        if held.is_empty() {
            state.held.remove(&who);
        }
        state.count -= taken.len();
        taken
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|error| error.into_inner())
    }
}

impl Presence {
    /// Whether it is that of this stream of this visitor.
    pub fn is_of(&self, visitor: VisitorId, stream: StreamId) -> bool {
        (self.who.1, self.stream) == (visitor, stream)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut state = self.signals.lock();
        if let Some(open) = state.open.get_mut(&self.who) {
            open.retain(|open| open.presence != self.number);
            if open.is_empty() {
                state.open.remove(&self.who);
            }
        }
    }
}

impl Held {
    /// Nobody has it, or this stream does and may have lost it.
    fn is_for(&self, stream: StreamId) -> bool {
        self.given.is_empty() || self.given.contains(&stream)
    }

    fn give(&mut self, stream: StreamId) {
        if !self.given.contains(&stream) {
            self.given.push(stream);
        }
    }
}

impl State {
    fn expire(&mut self, who: &Who, now_ms: u64) {
        let Some(held) = self.held.get_mut(who) else {
            return;
        };
        let before = held.len();
        held.retain(|held| held.signal.expires_ms > now_ms);
        self.count -= before - held.len();
        if held.is_empty() {
            self.held.remove(who);
        }
    }

    fn sweep(&mut self, now_ms: u64) {
        self.held.retain(|_, held| {
            held.retain(|held| held.signal.expires_ms > now_ms);
            !held.is_empty()
        });
        self.count = self.held.values().map(Vec::len).sum();
        self.swept_ms = now_ms;
    }
}
