//! Reads what the collector answers, by hand.
//!
//! Owns nothing of the format: `upriver_wire` does, and the tests hold this to it byte for byte. The
//! generic decoder is there for every type and every transport; in a page it weighs 3 KB after
//! compression, this 0.4 KB.

use upriver_wire::answer::Refusal;
use upriver_wire::envelope::VERSION;
use upriver_wire::limits::NEED_MAX;

/// An answer, without the words for a person; the bytes are those it was read from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Heard<'a> {
    /// The events of this stream from one number to before another are on disk, and the elements whose
    /// identities follow each other here must be described again.
    Ack(&'a [u8], u64, u64, &'a [u8]),
    /// The batch of this stream that begins with this event is refused, so; for [`Refusal::Later`] with
    /// a wait, ms.
    Refused(&'a [u8], u64, Refusal, u32),
}

/// Reads an answer; none when it is not one.
pub fn read(bytes: &[u8]) -> Option<Heard<'_>> {
    let mut rest = bytes;
    let [version, kind] = *rest.split_off(..2)? else {
        return None;
    };
    let stream = rest.split_off(..16)?;
    let first_seq = number(&mut rest)?;
    let heard = match (version, kind) {
        (VERSION, 0) => {
            let next_seq = number(&mut rest)?;
            let count = number(&mut rest)?;
            if count > NEED_MAX as u64 {
                return None;
            }
            Heard::Ack(
                stream,
                first_seq,
                next_seq,
                rest.split_off(..8 * count as usize)?,
            )
        }
        (VERSION, 1) => {
            let refusal = match rest.split_off_first()? {
                0 => Refusal::Bad,
                1 => Refusal::Forbidden,
                2 => Refusal::Later,
                _ => return None,
            };
            let retry_after_ms = number(&mut rest)?.try_into().ok()?;
            let words = number(&mut rest)?.try_into().ok()?;
            rest.split_off(..words)?;
            Heard::Refused(stream, first_seq, refusal, retry_after_ms)
        }
        _ => return None,
    };
    rest.is_empty().then_some(heard)
}

/// A variable-length number of at most 64 bits.
pub(crate) fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for place in 0..10 {
        let byte = *rest.split_off_first()?;
        value |= u64::from(byte & 0x7f) << (place * 7);
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
    use upriver_wire::answer::{Ack, Answer, Refused};
    use upriver_wire::envelope::{decode_answer, encode_answer};
    use upriver_wire::{ElementId, StreamId};

    /// What was heard, with what it borrows.
    #[derive(Debug, PartialEq)]
    enum Known {
        Ack(Ack),
        Refused(StreamId, u64, Refusal, u32),
    }

    fn known(answer: Answer) -> Known {
        match answer {
            Answer::Ack(ack) => Known::Ack(ack),
            Answer::Refused(it) => {
                Known::Refused(it.stream, it.first_seq, it.refusal, it.retry_after_ms)
            }
            Answer::Signal(_) => panic!("the shell takes signals away before"),
        }
    }

    fn of(stream: &[u8]) -> StreamId {
        StreamId(u128::from_le_bytes(stream.try_into().expect("16 bytes")))
    }

    fn read(bytes: &[u8]) -> Option<Known> {
        Some(match super::read(bytes)? {
            Heard::Ack(stream, first_seq, next_seq, need) => Known::Ack(Ack {
                stream: of(stream),
                first_seq,
                next_seq,
                need: need
                    .chunks(8)
                    .map(|id| ElementId(u64::from_le_bytes(id.try_into().expect("8 bytes"))))
                    .collect(),
            }),
            Heard::Refused(stream, first_seq, refusal, ms) => {
                Known::Refused(of(stream), first_seq, refusal, ms)
            }
        })
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
            prop_assert_eq!(read(&encode_answer(&answer)), Some(known(answer)));
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
            let by_wire = decode_answer(&bytes).ok().filter(texts_ok).map(known);
            // Only the words, which are not read here, may make the wire refuse what this takes.
            if by_wire.is_some() || matches!(answer, Answer::Ack(_)) {
                prop_assert_eq!(read(&bytes), by_wire);
            }
            bytes.truncate(cut.index(bytes.len()));
            let _ = read(&bytes);
        }
    }
}
