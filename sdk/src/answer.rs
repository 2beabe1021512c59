//! Reads what the collector answers, by hand.
//!
//! Owns nothing of the format: `upriver_wire` does, and the tests hold this to it byte for byte. The
//! generic decoder is there for every type and every transport; in a page it weighs 3 KB after
//! compression, this 0.2 KB.

use crate::encode::Bytes;
use upriver_wire::envelope::VERSION;
use upriver_wire::limits::{FRAME_BYTES_MAX, NEED_MAX};

/// It is none.
pub const NONE: u8 = 255;
/// Events are on disk.
pub const ACK: u8 = 0;
/// A batch is refused for good.
pub const BAD: u8 = 1;
/// This page is not allowed.
pub const FORBIDDEN: u8 = 2;
/// A batch is to be sent again.
pub const LATER: u8 = 3;

/// An answer, without the words for a person. What is left to read of an ack are the elements (8 bytes
/// each) that must be described again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// One of those above.
    pub kind: u8,
    /// Lower half of the name of the stream it is about.
    pub stream: u64,
    /// Its events from this number…
    pub first_seq: u64,
    /// … to before this one; of [`LATER`] the wait, ms.
    pub next_seq: u64,
}

/// Reads an answer.
pub fn read(bytes: &mut Bytes) -> Heard {
    let known = bytes.byte() == VERSION;
    let refused = bytes.byte();
    let stream = bytes.long();
    bytes.long();
    let first_seq = bytes.varying();
    let mut kind = ACK;
    if refused == 1 {
        kind = BAD.saturating_add(bytes.byte());
    }
    let next_seq = bytes.varying();
    // Elements, or letters.
    let count = bytes.varying();
    let each = if refused == 1 { 1 } else { 8 };
    if !known
        || refused > 1
        || kind > LATER
        || refused == 1 && next_seq > u64::from(u32::MAX)
        || refused == 0 && count > NEED_MAX as u64
        || (count.min(FRAME_BYTES_MAX as u64) * each) as usize != bytes.len.wrapping_sub(bytes.at)
    {
        kind = NONE;
    }
    Heard {
        kind,
        stream,
        first_seq,
        next_seq,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use upriver_wire::answer::{Ack, Answer, Refusal, Refused};
    use upriver_wire::envelope::{decode_answer, encode_answer};
    use upriver_wire::{ElementId, StreamId};

    /// What was heard, with the elements it asks for.
    type Known = (u8, u64, u64, u64, Vec<u64>);

    fn known(answer: Answer) -> Known {
        match answer {
            Answer::Ack(it) => {
                let need = it.need.iter().map(|id| id.0).collect();
                (ACK, it.stream.0 as u64, it.first_seq, it.next_seq, need)
            }
            Answer::Refused(it) => {
                let kind = match it.refusal {
                    Refusal::Bad => BAD,
                    Refusal::Forbidden => FORBIDDEN,
                    Refusal::Later => LATER,
                };
                let wait = it.retry_after_ms.into();
                (kind, it.stream.0 as u64, it.first_seq, wait, vec![])
            }
            Answer::Signal(_) => panic!("the shell takes signals away before"),
        }
    }

    fn read(answer: &[u8]) -> Option<Known> {
        let mut bytes = Bytes::new();
        bytes.clear();
        bytes.all(answer);
        let heard = super::read(&mut bytes);
        let mut need = vec![];
        while heard.kind == ACK && bytes.at < bytes.len {
            need.push(bytes.long());
        }
        let Heard {
            kind,
            stream,
            first_seq,
            next_seq,
        } = heard;
        (kind != NONE).then_some((kind, stream, first_seq, next_seq, need))
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
