//! Numbers and gestures as the wire writes them.
//!
//! Owns nothing of the format: `upriver_wire` does, and the tests hold every batch made here to it
//! byte for byte. The generic encoder is there for every type and every transport; in a page it
//! weighs 4 KB after compression, this a few hundred bytes.

use alloc::vec::Vec;
use upriver_wire::batch::Scroll;

/// Appends a whole number of variable length.
pub fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a number that may be negative.
pub fn signed(out: &mut Vec<u8>, value: i32) {
    number(out, u64::from((value << 1 ^ value >> 31) as u32));
}

/// A scroll but for its container: the byte that says which fields follow, and these.
pub fn scroll(scroll: &Scroll) -> Vec<u8> {
    let mut out = Vec::from([0]);
    let zigzag = |value: i32| (value << 1 ^ value >> 31) as u32;
    let fields = [
        zigzag(scroll.dx),
        zigzag(scroll.dy),
        scroll.detour,
        u32::from(scroll.reversals),
        scroll.duration_ms,
    ];
    let mut bit = 1;
    let mut present = 0;
    for field in fields {
        bit <<= 1;
        if field != 0 {
            present |= bit;
            number(&mut out, u64::from(field));
        }
    }
    if let Some(first) = out.first_mut() {
        *first = present;
    }
    out
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
            prop_assert!(encode(&batch, 0).ends_with(&scroll(&gesture)));
            let mut by_sign = Vec::new();
            signed(&mut by_sign, dx);
            let mut by_number = Vec::new();
            number(&mut by_number, u64::from((dx << 1 ^ dx >> 31) as u32));
            prop_assert_eq!(by_sign, by_number);
        }
    }
}
