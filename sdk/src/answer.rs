//! Reads what the collector answers, by hand.
//!
//! Owns nothing of the format: `upriver_wire` does, and the tests hold this to it byte for byte. The
//! generic decoder is there for every type and every transport; in a page it weighs 3 KB after
//! compression, this 0.4 KB.

use alloc::vec::Vec;
use upriver_wire::answer::{Ack, Refusal};
use upriver_wire::envelope::VERSION;
use upriver_wire::limits::NEED_MAX;
use upriver_wire::{ElementId, StreamId};

/// An answer, without the words for a person.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// These events are on disk.
    Ack(Ack),
    /// The batch that begins with this event is refused, so; for [`Refusal::Later`] with a wait, ms.
    Refused(u64, Refusal, u32),
}

/// Reads an answer; none when it is not one.
pub fn read(bytes: &[u8]) -> Option<Heard> {
    let mut rest = bytes;
    if byte(&mut rest)? != VERSION {
        return None;
    }
    let kind = byte(&mut rest)?;
    let mut stream = [0; 16];
    stream.copy_from_slice(rest.split_off(..16)?);
    let first_seq = number(&mut rest)?;
    let heard = match kind {
        0 => {
            let next_seq = number(&mut rest)?;
            let count = number(&mut rest)?;
            let mut need = Vec::new();
            if count > NEED_MAX as u64 {
                return None;
            }
            for _ in 0..count {
                let mut id = [0; 8];
                id.copy_from_slice(rest.split_off(..8)?);
                need.push(ElementId(u64::from_le_bytes(id)));
            }
            let stream = StreamId(u128::from_le_bytes(stream));
            Heard::Ack(Ack {
                stream,
                first_seq,
                next_seq,
                need,
            })
        }
        1 => {
            let refusal = match byte(&mut rest)? {
                0 => Refusal::Bad,
                1 => Refusal::Forbidden,
                2 => Refusal::Later,
                _ => return None,
            };
            let retry_after_ms = u32::try_from(number(&mut rest)?).ok()?;
            let reason = number(&mut rest)?;
            rest.split_off(..usize::try_from(reason).ok()?)?;
            Heard::Refused(first_seq, refusal, retry_after_ms)
        }
        _ => return None,
    };
    rest.is_empty().then_some(heard)
}

fn byte(rest: &mut &[u8]) -> Option<u8> {
    rest.split_off_first().copied()
}

/// A variable-length number of at most 64 bits.
fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for place in 0..10 {
        let byte = byte(rest)?;
        value |= u64::from(byte & 0x7f).checked_shl(place * 7)?;
        if byte < 0x80 {
            // The tenth byte has room for one bit.
            return (place < 9 || byte < 2).then_some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use upriver_wire::answer::{Answer, Refused};
    use upriver_wire::envelope::{decode_answer, encode_answer};

    fn heard(answer: Answer) -> Heard {
        match answer {
            Answer::Ack(ack) => Heard::Ack(ack),
            Answer::Refused(refused) => {
                Heard::Refused(refused.first_seq, refused.refusal, refused.retry_after_ms)
            }
        }
    }

    fn answers() -> impl Strategy<Value = Answer> {
        let need = proptest::collection::vec(any::<u64>().prop_map(ElementId), 0..20);
        let ack =
            (any::<u128>(), any::<u64>(), any::<u64>(), need).prop_map(|(stream, a, b, need)| {
                Answer::Ack(Ack {
                    stream: StreamId(stream),
                    first_seq: a,
                    next_seq: b,
                    need,
                })
            });
        let kinds = prop_oneof![
            Just(Refusal::Bad),
            Just(Refusal::Forbidden),
            Just(Refusal::Later)
        ];
        let refused = (any::<u128>(), any::<u64>(), kinds, any::<u32>(), ".{0,40}");
        let refused = refused.prop_map(|(stream, first_seq, refusal, retry_after_ms, reason)| {
            let stream = StreamId(stream);
            Answer::Refused(Refused {
                stream,
                first_seq,
                refusal,
                retry_after_ms,
                reason,
            })
        });
        prop_oneof![ack, refused]
    }

    proptest! {
        #[test]
        fn reads_what_the_wire_writes(answer in answers()) {
            prop_assert_eq!(read(&encode_answer(&answer)), Some(heard(answer)));
        }

        #[test]
        fn agrees_with_the_wire_on_damaged_answers(
            answer in answers(),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = encode_answer(&answer);
            let place = at.index(bytes.len());
            bytes[place] = byte;
            let texts_ok = |answer: &Answer| matches!(answer, Answer::Ack(_) | Answer::Refused(_));
            let by_wire = decode_answer(&bytes).ok().filter(texts_ok).map(heard);
            // Only the words, which are not read here, may make the wire refuse what this takes.
            if by_wire.is_some() || matches!(answer, Answer::Ack(_)) {
                prop_assert_eq!(read(&bytes), by_wire);
            }
            bytes.truncate(cut.index(bytes.len()));
            let _ = read(&bytes);
        }
    }
}
