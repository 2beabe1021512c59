//! How much one address may ask for. Addresses are kept in memory only, and only their prefix.

use super::error::ApiError;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

/// Addresses remembered before the quiet ones are let go.
const ADDRESSES_MAX: usize = 100_000;

/// What one address may do.
#[derive(Clone, Copy, Debug)]
pub struct LimitsConfig {
    /// Batches a second, over HTTP and all streams together.
    pub batches_per_s: NonZeroU32,
    /// Batches at once.
    pub batches_burst: NonZeroU32,
    /// Open streams.
    pub streams: usize,
}

/// The limits, and what was used of them.
pub struct Limits {
    config: LimitsConfig,
    batches: DefaultKeyedRateLimiter<IpAddr>,
    streams: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A stream that counts against its address for as long as this lives.
pub struct StreamSlot {
    address: IpAddr,
    streams: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Limits {
    /// With nothing used.
    pub fn new(config: LimitsConfig) -> Self {
        let quota = Quota::per_second(config.batches_per_s).allow_burst(config.batches_burst);
        Self {
            config,
            batches: RateLimiter::keyed(quota),
            streams: Arc::default(),
        }
    }

    /// Uses one batch of an address's share.
    ///
    /// # Errors
    /// Nothing is left; says when to come back.
    pub fn batch(&self, address: IpAddr) -> Result<(), ApiError> {
        if self.batches.len() > ADDRESSES_MAX {
            self.batches.retain_recent();
        }
        self.batches.check_key(&address).map_err(|not_until| {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            let message = format!(
                "more than {} batches a second came from this address",
                self.config.batches_per_s
            );
            ApiError::TooMany(message, wait.as_secs() as u32 + 1)
        })
    }

    /// Opens one stream of an address's share.
    ///
    /// # Errors
    /// Nothing is left.
    pub fn stream(&self, address: IpAddr) -> Result<StreamSlot, ApiError> {
        let mut streams = self
            .streams
            .lock()
            .unwrap_or_else(|error| error.into_inner());
        let open = streams.entry(address).or_default();
        if *open >= self.config.streams {
            let message = format!("{open} streams are open from this address already");
            return Err(ApiError::TooMany(message, 10));
        }
        *open += 1;
        Ok(StreamSlot {
            address,
            streams: self.streams.clone(),
        })
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        let mut streams = self
            .streams
            .lock()
            .unwrap_or_else(|error| error.into_inner());
        if let Some(open) = streams.get_mut(&self.address) {
            *open -= 1;
            if *open == 0 {
                streams.remove(&self.address);
            }
        }
    }
}

/// What of an address counts: the whole of an IPv4 address, 64 bits of IPv6.
pub fn prefix(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => {
            let bits = u128::from(address) & (u128::MAX << 64);
            IpAddr::V6(bits.into())
        }
        address => address,
    }
}
