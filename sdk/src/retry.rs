//! How long to wait before trying again.
//!
//! Owns the growth of the wait and its jitter. Refuses to know clocks and what is being tried.

/// First wait.
pub const WAIT_MS_MIN: f64 = 1_000.0;
/// Longest wait of our own choosing.
pub const WAIT_MS_MAX: f64 = 60_000.0;
/// Longest wait a server may ask for.
pub const ASKED_MS_MAX: f64 = 600_000.0;

/// Numbers that look random, from a random seed. Good for jitter and names, not for secrets.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits (SplitMix64).
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// At least 0, less than 1.
    pub fn fraction(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Doubling waits with jitter, until something succeeds.
#[derive(Clone, Debug, Default)]
pub struct Retry {
    attempts: u32,
}

impl Retry {
    /// The wait before the next attempt, ms: half to all of a doubling time; never less than
    /// `asked_ms`, which a server may have asked for.
    pub fn wait_ms(&mut self, random: &mut Random, asked_ms: f64) -> f64 {
        let doubled = WAIT_MS_MIN * f64::from(1_u32 << self.attempts.min(10));
        self.attempts = self.attempts.saturating_add(1);
        let own = doubled.min(WAIT_MS_MAX) * (0.5 + random.fraction() / 2.0);
        // Everybody is asked for the same time; they must not all come back at once.
        let asked = asked_ms.min(ASKED_MS_MAX) * (1.0 + random.fraction() / 4.0);
        own.max(asked)
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
        let mut retry = Retry::default();
        let waits: Vec<f64> = (0..12).map(|_| retry.wait_ms(&mut random, 0.0)).collect();
        assert!(waits[0] >= WAIT_MS_MIN / 2.0 && waits[0] <= WAIT_MS_MIN);
        assert!(waits.iter().all(|wait| *wait <= WAIT_MS_MAX));
        assert!(waits[11] >= WAIT_MS_MAX / 2.0);
        assert_ne!(waits[10], waits[11]);
        retry.reset();
        assert!(retry.wait_ms(&mut random, 0.0) <= WAIT_MS_MIN);
    }

    #[test]
    fn a_server_may_ask_for_longer() {
        let mut random = Random(7);
        assert!(Retry::default().wait_ms(&mut random, 30_000.0) >= 30_000.0);
        assert!(Retry::default().wait_ms(&mut random, 1e12) <= ASKED_MS_MAX * 1.25);
    }
}
