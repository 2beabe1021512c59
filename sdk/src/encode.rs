//! Numbers as the wire writes them.
//!
//! Owns nothing of the format: `upriver_wire` does, and the tests hold every batch made here to it
//! byte for byte. The generic encoder is there for every type and every transport; in a page it
//! weighs 4 KB after compression, this a few hundred bytes.

use crate::room::Room;
use upriver_wire::limits::FRAME_BYTES_MAX;

/// Bytes that are written, or read, one after the other; at most a frame of the wire. What does not fit
/// is cut off: whoever writes knows what comes.
#[derive(Debug)]
#[repr(C)]
pub struct Bytes {
    /// How many there are.
    pub(crate) len: usize,
    /// Where reading goes on; beyond `len` when what was read was not there.
    pub(crate) at: usize,
    room: Room<u8, FRAME_BYTES_MAX>,
}

/// Where reading goes on when what was read makes no sense.
const NOWHERE: usize = usize::MAX / 2;

impl Bytes {
    /// None.
    pub const fn new() -> Self {
        Self {
            len: 0,
            at: 0,
            room: Room::new(0),
        }
    }

    /// None again.
    pub fn clear(&mut self) {
        self.room.open(0);
        self.len = 0;
        self.at = 0;
    }

    /// Makes room for so many; where that is. None when there is not so much.
    pub(crate) fn take(&mut self, len: usize) -> Option<&mut [u8]> {
        self.len = 0;
        self.at = 0;
        let room = self.room.get_mut(..len)?;
        self.len = len;
        Some(room)
    }

    /// All there are.
    pub fn done(&self) -> &[u8] {
        self.room.split_at_checked(self.len).unwrap_or_default().0
    }

    /// Those not read yet.
    pub(crate) fn rest(&self) -> &[u8] {
        self.room.get(self.at..self.len).unwrap_or_default()
    }

    /// Appends one.
    #[inline(never)]
    pub fn push(&mut self, byte: u8) {
        if let Some(place) = self.room.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
        debug_assert!(self.len <= self.room.len(), "no room for another byte");
    }

    /// Appends several.
    #[inline(never)]
    pub fn all(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.push(*byte);
        }
    }

    /// Appends a whole number of variable length.
    #[inline(never)]
    pub fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8);
    }

    /// Appends a number that may be negative.
    #[inline(never)]
    pub fn signed(&mut self, value: i32) {
        self.number(u64::from(zigzag(value)));
    }

    /// Appends the lowest so many bytes of a number, the lowest first.
    #[inline(never)]
    pub fn fixed(&mut self, mut value: u64, bytes: usize) {
        for _ in 0..bytes {
            self.push(value as u8);
            value >>= 8;
        }
    }

    /// Reads one; 0 beyond the last.
    #[inline(never)]
    pub(crate) fn byte(&mut self) -> u8 {
        let byte = self.rest().first().copied().unwrap_or(0);
        self.at += 1;
        byte
    }

    /// Reads 8 bytes as [`Self::fixed`] writes them.
    #[inline(never)]
    pub(crate) fn long(&mut self) -> u64 {
        let mut value = 0;
        for place in 0..8 {
            value |= u64::from(self.byte()) << (8 * place);
        }
        value
    }

    /// Reads a number as [`Self::number`] writes it.
    #[inline(never)]
    pub(crate) fn varying(&mut self) -> u64 {
        let mut value = 0;
        for place in 0..10 {
            let byte = self.byte();
            value |= u64::from(byte & 127) << (7 * place);
            // The tenth byte has room for one bit.
            if place == 9 && byte > 1 {
                self.at = NOWHERE;
            }
            if byte < 128 {
                break;
            }
        }
        value
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Self::new()
    }
}

/// From one time to another, ms; nothing when the other is earlier, which the time of an event may be
/// than that of what was heard before it.
#[inline(never)]
pub fn span(from_ms: i64, to_ms: i64) -> u32 {
    (to_ms - from_ms).clamp(0, i64::from(u32::MAX)) as u32
}

/// A number that may be negative as one that is not: 0, -1, 1, -2, …
pub fn zigzag(value: i32) -> u32 {
    (value << 1 ^ value >> 31) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reads_what_it_writes(
            number in any::<u64>(),
            bits in 0..64_u32,
            sign in any::<i32>(),
            fixed in any::<u64>(),
        ) {
            let number = number >> bits;
            let mut bytes = Bytes::new();
            bytes.clear();
            bytes.number(number);
            prop_assert_eq!(bytes.len, (64 - number.leading_zeros()).div_ceil(7).max(1) as usize);
            bytes.signed(sign);
            bytes.fixed(fixed, 8);
            prop_assert_eq!(bytes.varying(), number);
            let zigzag = bytes.varying() as u32;
            prop_assert_eq!((zigzag >> 1) as i32 ^ -((zigzag & 1) as i32), sign);
            prop_assert_eq!(bytes.long(), fixed);
            prop_assert_eq!(bytes.at, bytes.len);
            bytes.byte();
            prop_assert!(bytes.at > bytes.len, "what is not there is not read");
        }
    }
}
