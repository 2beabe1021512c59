//! How long to wait before trying again.
//!
//! Owns the growth of the wait and its jitter. Refuses to know clocks and what is being tried.

/// First wait.
pub const WAIT_MS_MIN: u64 = 1_000;
/// Longest wait of our own choosing.
pub const WAIT_MS_MAX: u64 = 60_000;
/// Longest wait a server may ask for.
pub const ASKED_MS_MAX: u64 = 600_000;

/// Numbers that look random, from a random seed. Good for jitter and names, not for secrets.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits (xorshift).
    pub fn bits(&mut self) -> u64 {
        // Of a seed of nothing comes nothing.
        let mut bits = self.0 | u64::from(self.0 == 0);
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        self.0 = bits;
        bits
    }

    /// At least 0, less than `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        ((self.bits() >> 32) * end) >> 32
    }
}

/// Doubling waits with jitter, until something succeeds.
#[derive(Clone, Debug, Default)]
pub struct Retry {
    attempts: u32,
}

impl Retry {
    /// Nothing was tried yet.
    pub const fn new() -> Self {
        Self { attempts: 0 }
    }

    /// The wait before the next attempt, ms: half to all of a doubling time; never less than
    /// `asked_ms`, which a server may have asked for.
    #[inline(never)]
    pub fn wait_ms(&mut self, random: &mut Random, asked_ms: u64) -> u64 {
        let half = (WAIT_MS_MIN << self.attempts.min(6)).min(WAIT_MS_MAX) / 2;
        self.attempts += 1;
        let own = half + random.below(half);
        // Everybody is asked for the same time; they must not all come back at once.
        let asked = asked_ms.min(ASKED_MS_MAX);
        own.max(asked + random.below(asked / 4))
    }

    /// Something succeeded.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_limit_and_differ() {
        let mut random = Random(7);
        let mut retry = Retry::new();
        let waits: Vec<u64> = (0..12).map(|_| retry.wait_ms(&mut random, 0)).collect();
        assert!(waits[0] >= WAIT_MS_MIN / 2 && waits[0] <= WAIT_MS_MIN);
        assert!(waits.iter().all(|wait| *wait <= WAIT_MS_MAX));
        assert!(waits[11] >= WAIT_MS_MAX / 2);
        assert_ne!(waits[10], waits[11]);
        retry.reset();
        assert!(retry.wait_ms(&mut random, 0) <= WAIT_MS_MIN);
    }

    #[test]
    fn a_server_may_ask_for_longer() {
        let mut random = Random(7);
        assert!(Retry::new().wait_ms(&mut random, 30_000) >= 30_000);
        assert!(Retry::new().wait_ms(&mut random, 1 << 40) <= ASKED_MS_MAX * 5 / 4);
    }
}
