//! Numbers and gestures as the wire writes them.
//!
//! Owns nothing of the format: `upriver_wire` does, and the tests hold every batch made here to it
//! byte for byte. The generic encoder is there for every type and every transport; in a page it
//! weighs 4 KB after compression, this a few hundred bytes.

use upriver_wire::batch::Scroll;

/// Bytes under construction, in a room of somebody else's. What does not fit is cut off: whoever
/// gives the room knows what comes.
#[derive(Debug)]
pub struct Bytes<'a> {
    room: &'a mut [u8],
    len: usize,
}

impl<'a> Bytes<'a> {
    /// None yet.
    pub fn new(room: &'a mut [u8]) -> Self {
        Self { room, len: 0 }
    }

    /// What there is so far.
    pub fn done(&self) -> &[u8] {
        self.room.get(..self.len).unwrap_or_default()
    }

    /// Appends one.
    pub fn push(&mut self, byte: u8) {
        if let Some(place) = self.room.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
        debug_assert!(self.len <= self.room.len(), "no room for another byte");
    }

    /// Appends several.
    pub fn all(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.push(*byte);
        }
    }
}

/// Appends a whole number of variable length.
pub fn number(out: &mut Bytes<'_>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a number that may be negative.
pub fn signed(out: &mut Bytes<'_>, value: i32) {
    number(out, u64::from(zigzag(value)));
}

/// A number that may be negative as one that is not: 0, -1, 1, -2, …
pub fn zigzag(value: i32) -> u32 {
    (value << 1 ^ value >> 31) as u32
}

/// A scroll but for its container: the byte that says which fields follow, and these.
pub fn scroll(out: &mut Bytes<'_>, scroll: &Scroll) {
    let fields = [
        zigzag(scroll.dx),
        zigzag(scroll.dy),
        scroll.detour,
        u32::from(scroll.reversals),
        scroll.duration_ms,
    ];
    let mut present = 0;
    for field in fields.iter().rev() {
        present = (present | u8::from(*field != 0)) << 1;
    }
    out.push(present);
    for field in fields.iter().filter(|field| **field != 0) {
        number(out, u64::from(*field));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use upriver_wire::{Batch, Body, Event, encode};

    proptest! {
        #[test]
        fn writes_what_the_wire_writes(
            (dx, dy, detour) in any::<(i32, i32, u32)>(),
            (reversals, duration_ms, kept) in any::<(u16, u32, u8)>(),
        ) {
            let keep = |bit: u8| kept >> bit & 1;
            let gesture = Scroll {
                container: 0,
                dx: dx * i32::from(keep(0)),
                dy: dy * i32::from(keep(1)),
                detour: detour * u32::from(keep(2)),
                reversals: reversals * u16::from(keep(3)),
                duration_ms: duration_ms * u32::from(keep(4)),
            };
            let event = Event { delta_ms: 0, body: Body::Scroll(gesture) };
            let batch = Batch { events: vec![event], ..Batch::default() };
            let mut rooms = [[0; 64]; 3];
            let [mut by_scroll, mut by_sign, mut by_number] = rooms.each_mut().map(|room| Bytes::new(room));
            scroll(&mut by_scroll, &gesture);
            prop_assert!(encode(&batch, 0).ends_with(by_scroll.done()));
            signed(&mut by_sign, dx);
            number(&mut by_number, u64::from((dx << 1 ^ dx >> 31) as u32));
            prop_assert_eq!(by_sign.done(), by_number.done());
        }
    }
}
