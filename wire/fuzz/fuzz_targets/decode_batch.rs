//! Any bytes as a batch: no panic, and what is accepted reads the same once written again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use upriver_wire::{decode, encode};

fuzz_target!(|bytes: &[u8]| {
    if let Ok((batch, sent_at_ms)) = decode(bytes) {
        let again = encode(&batch, sent_at_ms);
        let (batch, sent_at_ms) = decode(&again).expect("what was written can be read");
        assert_eq!(encode(&batch, sent_at_ms), again);
        assert!(again.len() <= bytes.len(), "no other form is shorter");
    }
});
