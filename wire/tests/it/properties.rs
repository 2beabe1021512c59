//! What holds for every message and for any bytes at all.

use crate::{sample, strategy};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, proptest};
use proptest::{prop_assert, prop_assert_eq};
use upriver_wire::envelope::{VERSION, decode_answer, decode_answers, encode_answer};
use upriver_wire::limits::ANSWERS_MAX;
use upriver_wire::{Answer, Batch, WireError, decode, encode};

proptest! {
    #[test]
    fn a_batch_survives_the_journey(batch in strategy::batch(), sent_at_ms in 0..1_u64 << 48) {
        let bytes = encode(&batch, sent_at_ms);
        prop_assert_eq!(decode(&bytes), Ok((batch.clone(), sent_at_ms)));
        let json = serde_json::to_string(&batch).expect("JSON");
        prop_assert_eq!(serde_json::from_str::<Batch>(&json).expect("read back"), batch);
    }

    #[test]
    fn an_answer_survives_the_journey(answer in strategy::answer()) {
        prop_assert_eq!(decode_answer(&encode_answer(&answer)), Ok(answer.clone()));
        let json = serde_json::to_string(&answer).expect("JSON");
        prop_assert_eq!(serde_json::from_str::<Answer>(&json).expect("read back"), answer);
    }

    #[test]
    fn answers_that_follow_each_other_are_told_apart(
        answers in vec(strategy::answer(), 1..=ANSWERS_MAX),
        one_more in strategy::answer(),
    ) {
        let mut bytes = answers.iter().flat_map(encode_answer).collect::<Vec<u8>>();
        prop_assert_eq!(decode_answers(&bytes), Ok(answers.clone()));
        let more = encode_answer(&one_more);
        bytes.extend_from_slice(&more);
        let read = decode_answers(&bytes);
        if answers.len() < ANSWERS_MAX {
            prop_assert_eq!(read.map(|read| read.len()), Ok(answers.len() + 1));
        } else {
            prop_assert_eq!(read, Err(WireError::Trailing(more.len())));
        }
    }

    /// Whatever is accepted can be written again and then reads the same: there is no message
    /// that only a hostile encoder could have made.
    #[test]
    fn any_bytes_are_read_or_refused(mut bytes in vec(any::<u8>(), 0..2_000)) {
        read_both(&bytes)?;
        if let Some(version) = bytes.first_mut() {
            *version = VERSION;
        }
        read_both(&bytes)?;
    }

    #[test]
    fn any_damage_to_a_batch_is_read_or_refused(
        batch in strategy::batch(),
        damage in vec(damage(), 1..8),
    ) {
        let mut bytes = encode(&batch, sample::SENT_AT_MS);
        damage.into_iter().for_each(|damage| damage.apply(&mut bytes));
        read_both(&bytes)?;
    }

    #[test]
    fn any_damage_to_an_answer_is_read_or_refused(
        answer in strategy::answer(),
        damage in vec(damage(), 1..4),
    ) {
        let mut bytes = encode_answer(&answer);
        damage.into_iter().for_each(|damage| damage.apply(&mut bytes));
        read_both(&bytes)?;
    }

    #[test]
    fn any_damage_to_json_is_read_or_refused(
        batch in strategy::batch(),
        damage in vec(damage(), 1..4),
    ) {
        let mut bytes = serde_json::to_vec(&batch).expect("JSON");
        damage.into_iter().for_each(|damage| damage.apply(&mut bytes));
        if let Ok(read) = serde_json::from_slice::<Batch>(&bytes) {
            let again = serde_json::to_vec(&read).expect("JSON");
            prop_assert_eq!(serde_json::from_slice::<Batch>(&again).expect("read back"), read);
        }
    }
}

fn read_both(bytes: &[u8]) -> Result<(), proptest::test_runner::TestCaseError> {
    if let Ok((batch, sent_at_ms)) = decode(bytes) {
        let again = encode(&batch, sent_at_ms);
        // Bytes, not values: a property may be NaN, which equals nothing.
        let twice = decode(&again).map(|(batch, sent_at_ms)| encode(&batch, sent_at_ms));
        prop_assert_eq!(twice, Ok(again.clone()));
        prop_assert!(
            again.len() <= bytes.len(),
            "an accepted form is never shorter than ours"
        );
    }
    if let Ok(answer) = decode_answer(bytes) {
        prop_assert_eq!(decode_answer(&encode_answer(&answer)), Ok(answer));
    }
    if let Ok(answers) = decode_answers(bytes) {
        let again: Vec<u8> = answers.iter().flat_map(encode_answer).collect();
        prop_assert_eq!(decode_answers(&again), Ok(answers));
    }
    Ok(())
}

/// One thing a network, a bug or an attacker does to bytes. Places are taken modulo the length.
#[derive(Clone, Debug)]
enum Damage {
    Flip(usize, u8),
    Set(usize, u8),
    Cut(usize),
    Drop(usize, usize),
    Repeat(usize, usize),
    /// A length or number of the largest size a varint can hold.
    Huge(usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = any::<usize>;
    proptest::prop_oneof![
        (place(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (place(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        place().prop_map(Damage::Cut),
        (place(), 1..40_usize).prop_map(|(at, count)| Damage::Drop(at, count)),
        (place(), 1..40_usize).prop_map(|(at, count)| Damage::Repeat(at, count)),
        place().prop_map(Damage::Huge),
    ]
}

impl Damage {
    fn apply(self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        if length == 0 {
            return;
        }
        match self {
            Self::Flip(at, bit) => bytes[at % length] ^= 1 << bit,
            Self::Set(at, byte) => bytes[at % length] = byte,
            Self::Cut(at) => bytes.truncate(at % length),
            Self::Drop(at, count) => {
                let from = at % length;
                bytes.drain(from..(from + count).min(length));
            }
            Self::Repeat(at, count) => {
                let from = at % length;
                let part = bytes[from..(from + count).min(length)].to_vec();
                bytes.splice(from..from, part);
            }
            Self::Huge(at) => {
                let at = at % length;
                bytes.splice(at..at, [0xff, 0xff, 0xff, 0xff, 0x0f]);
            }
        }
    }
}
