//! Any bytes as an answer, and as several: no panic, and what is accepted reads the same once written again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use upriver_wire::envelope::{decode_answer, decode_answers, encode_answer};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(answer) = decode_answer(bytes) {
        assert_eq!(decode_answer(&encode_answer(&answer)), Ok(answer));
    }
    if let Ok(answers) = decode_answers(bytes) {
        let again: Vec<u8> = answers.iter().flat_map(encode_answer).collect();
        assert_eq!(decode_answers(&again), Ok(answers));
    }
});
