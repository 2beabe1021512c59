//! The bytes on the wire: ClickHouse's own block framing and the HTTP content codings. Knows no
//! statement and no connection.
//!
//! ClickHouse's block: 16 bytes CityHash128 of what follows, 1 byte method, 4 bytes compressed size
//! (these 9 bytes included), 4 bytes size after, payload. Numbers are little-endian.

use std::io::{self, Read, Write};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use cityhash_rs::cityhash_102_128;
use flate2::write::GzEncoder;
use lz4_flex::{block, frame};

/// Bytes of plain data in one native block.
const NATIVE_BLOCK_BYTES_MAX: usize = 1 << 20;
/// The largest plain size a received native block may announce.
const NATIVE_BLOCK_PLAIN_BYTES_MAX: usize = 64 << 20;
const CHECKSUM_BYTES: usize = 16;
const HEADER_BYTES: usize = 9;
const METHOD_NONE: u8 = 0x02;
const METHOD_LZ4: u8 = 0x82;
const METHOD_ZSTD: u8 = 0x90;

/// Why received bytes could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("the body is larger than {0} bytes after decompression; send it in smaller batches")]
    TooLarge(usize),
    #[error("checksum of a compressed block does not match its bytes: the body was damaged or cut")]
    Checksum,
    #[error("a compressed block is damaged: {0}")]
    Damaged(String),
    #[error("unknown compression method 0x{0:02x} in a native block")]
    UnknownMethod(u8),
    #[error("Content-Encoding `{0}` is not supported; use gzip, lz4, zstd or none")]
    UnknownCoding(String),
}

fn damaged(error: impl std::fmt::Display) -> DecodeError {
    DecodeError::Damaged(error.to_string())
}

/// Unpacks a body sent with `decompress=1`: a run of native blocks.
pub(crate) fn decode_native(mut body: &[u8], bytes_max: usize) -> Result<Vec<u8>, DecodeError> {
    let mut plain = Vec::new();
    while !body.is_empty() {
        if body.len() < CHECKSUM_BYTES + HEADER_BYTES {
            return Err(damaged("the body ends inside a block's header"));
        }
        let checksum = (u128::from(body.get_u64_le()) << 64) | u128::from(body.get_u64_le());
        let method = body[0];
        let packed_bytes = u32::from_le_bytes([body[1], body[2], body[3], body[4]]) as usize;
        let plain_bytes = u32::from_le_bytes([body[5], body[6], body[7], body[8]]) as usize;
        if packed_bytes < HEADER_BYTES || packed_bytes > body.len() {
            return Err(damaged("the body ends inside a block"));
        }
        if plain_bytes > NATIVE_BLOCK_PLAIN_BYTES_MAX || plain.len() + plain_bytes > bytes_max {
            return Err(DecodeError::TooLarge(bytes_max));
        }
        if cityhash_102_128(&body[..packed_bytes]) != checksum {
            return Err(DecodeError::Checksum);
        }
        let payload = &body[HEADER_BYTES..packed_bytes];
        let begin = plain.len();
        match method {
            METHOD_NONE => plain.extend_from_slice(payload),
            METHOD_LZ4 => {
                plain.resize(begin + plain_bytes, 0);
                let written =
                    block::decompress_into(payload, &mut plain[begin..]).map_err(damaged)?;
                plain.truncate(begin + written);
            }
            METHOD_ZSTD => {
                let decoder = ruzstd::decoding::StreamingDecoder::new(payload).map_err(damaged)?;
                decoder
                    .take(plain_bytes as u64 + 1)
                    .read_to_end(&mut plain)
                    .map_err(damaged)?;
            }
            other => return Err(DecodeError::UnknownMethod(other)),
        }
        if plain.len() - begin != plain_bytes {
            return Err(damaged("a block unpacks to another size than it announces"));
        }
        body = &body[packed_bytes..];
    }
    Ok(plain)
}

/// Unpacks a body by its `Content-Encoding`. `None` means it is plain already. A body may be
/// several frames one after the other; clients send one for each block of rows.
pub(crate) fn decode_content(
    coding: &str,
    mut body: &[u8],
    bytes_max: usize,
) -> Result<Option<Vec<u8>>, DecodeError> {
    let coding = coding.trim().to_ascii_lowercase();
    let mut plain = Vec::new();
    while !body.is_empty() {
        // One more byte than allowed tells a body at the limit from one beyond it.
        let left = (bytes_max - plain.len()) as u64 + 1;
        let body = &mut body;
        match coding.as_str() {
            "" | "identity" => return Ok(None),
            "gzip" | "x-gzip" => {
                let frame = flate2::bufread::GzDecoder::new(body);
                frame.take(left).read_to_end(&mut plain).map_err(damaged)?;
            }
            "lz4" => {
                let length =
                    lz4_frame_length(body).ok_or_else(|| damaged("an lz4 frame is cut"))?;
                let (frame, rest) = body.split_at(length);
                frame::FrameDecoder::new(frame)
                    .take(left)
                    .read_to_end(&mut plain)
                    .map_err(damaged)?;
                *body = rest;
            }
            "zstd" => {
                let frame = ruzstd::decoding::StreamingDecoder::new(body).map_err(damaged)?;
                frame.take(left).read_to_end(&mut plain).map_err(damaged)?;
            }
            _ => return Err(DecodeError::UnknownCoding(coding)),
        }
        if plain.len() > bytes_max {
            return Err(DecodeError::TooLarge(bytes_max));
        }
    }
    Ok(Some(plain))
}

/// The length of the LZ4 frame that `body` begins with, end mark and checksums included. The decoder
/// takes the end of its input for the end of the frame, so a cut frame must be noticed here.
fn lz4_frame_length(body: &[u8]) -> Option<usize> {
    const BLOCK_CHECKSUM: u8 = 1 << 4;
    const CONTENT_SIZE: u8 = 1 << 3;
    const CONTENT_CHECKSUM: u8 = 1 << 2;
    const DICTIONARY_ID: u8 = 1;
    let flags = *body.get(4)?;
    let when = |flag: u8, bytes: usize| if flags & flag == 0 { 0 } else { bytes };
    // Magic, flags, block descriptor, optional fields, header checksum.
    let mut at = 4 + 2 + when(CONTENT_SIZE, 8) + when(DICTIONARY_ID, 4) + 1;
    loop {
        let size = u32::from_le_bytes(body.get(at..at + 4)?.try_into().ok()?);
        at += 4;
        if size == 0 {
            let end = at + when(CONTENT_CHECKSUM, 4);
            return (end <= body.len()).then_some(end);
        }
        // The highest bit says that the block is not compressed.
        at += (size & 0x7fff_ffff) as usize + when(BLOCK_CHECKSUM, 4);
    }
}

/// How an answer is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Plain,
    /// ClickHouse's own blocks (`compress=1`), without a `Content-Encoding`.
    Native,
    Gzip,
    Lz4,
}

impl Coding {
    /// The first coding of an `Accept-Encoding` that this server can produce.
    pub(crate) fn accepted(header: &str) -> Self {
        let mut offers = header.split(',').filter_map(|offer| {
            let (name, quality) = offer.split_once(";q=").unwrap_or((offer, "1"));
            (quality.trim().parse::<f32>().unwrap_or(1.0) > 0.0).then(|| name.trim())
        });
        offers
            .find_map(|name| match name {
                "lz4" => Some(Self::Lz4),
                "gzip" => Some(Self::Gzip),
                _ => None,
            })
            .unwrap_or(Self::Plain)
    }

    /// The `Content-Encoding` to announce.
    pub(crate) fn content_encoding(self) -> Option<&'static str> {
        match self {
            Self::Plain | Self::Native => None,
            Self::Gzip => Some("gzip"),
            Self::Lz4 => Some("lz4"),
        }
    }
}

/// Packs an answer piece by piece; each piece can be unpacked as soon as it arrives.
pub(crate) enum Encoder {
    Plain,
    Native,
    Gzip(GzEncoder<Vec<u8>>),
    Lz4(Box<frame::FrameEncoder<Vec<u8>>>),
}

impl Encoder {
    pub(crate) fn new(coding: Coding) -> Self {
        match coding {
            Coding::Plain => Self::Plain,
            Coding::Native => Self::Native,
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::fast())),
            Coding::Lz4 => Self::Lz4(Box::new(frame::FrameEncoder::new(Vec::new()))),
        }
    }

    /// Packs one piece.
    pub(crate) fn piece(&mut self, plain: Bytes) -> io::Result<Bytes> {
        match self {
            Self::Plain => Ok(plain),
            Self::Native => Ok(encode_native(&plain)),
            Self::Gzip(encoder) => {
                encoder.write_all(&plain)?;
                encoder.flush()?;
                Ok(std::mem::take(encoder.get_mut()).into())
            }
            Self::Lz4(encoder) => {
                encoder.write_all(&plain)?;
                encoder.flush()?;
                Ok(std::mem::take(encoder.get_mut()).into())
            }
        }
    }

    /// The bytes that end the answer.
    pub(crate) fn finish(self) -> io::Result<Bytes> {
        match self {
            Self::Plain | Self::Native => Ok(Bytes::new()),
            Self::Gzip(encoder) => encoder.finish().map(Bytes::from),
            Self::Lz4(encoder) => encoder.finish().map(Bytes::from).map_err(io::Error::other),
        }
    }
}

/// Packs plain bytes into native LZ4 blocks.
fn encode_native(plain: &[u8]) -> Bytes {
    let mut packed = BytesMut::new();
    for chunk in plain.chunks(NATIVE_BLOCK_BYTES_MAX) {
        let begin = packed.len();
        packed.resize(begin + CHECKSUM_BYTES + HEADER_BYTES, 0);
        packed.extend_from_slice(&block::compress(chunk));
        let sealed = &mut packed[begin..];
        let packed_bytes = (sealed.len() - CHECKSUM_BYTES) as u32;
        let mut header = &mut sealed[CHECKSUM_BYTES..CHECKSUM_BYTES + HEADER_BYTES];
        header.put_u8(METHOD_LZ4);
        header.put_u32_le(packed_bytes);
        header.put_u32_le(chunk.len() as u32);
        let checksum = cityhash_102_128(&sealed[CHECKSUM_BYTES..]);
        let mut head = &mut sealed[..CHECKSUM_BYTES];
        head.put_u64_le((checksum >> 64) as u64);
        head.put_u64_le(checksum as u64);
    }
    packed.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: usize = 1 << 24;

    #[test]
    fn codings_are_chosen_in_the_clients_order() {
        assert_eq!(Coding::accepted("br, lz4, gzip"), Coding::Lz4);
        assert_eq!(Coding::accepted("gzip;q=0, zstd"), Coding::Plain);
        assert_eq!(Coding::accepted("zstd,gzip"), Coding::Gzip);
        assert_eq!(Coding::accepted(""), Coding::Plain);
    }

    /// Read back by the `clickhouse` crate and by ClickHouse's own clients; must never change.
    #[test]
    fn the_native_block_of_one_row() {
        let golden: &[u8] = &[
            0xde, 0x79, 0xcf, 0x08, 0x7f, 0xb6, 0x35, 0x04, 0x9d, 0xb8, 0x16, 0xdf, 0x19, 0x5b,
            0x01, 0x6b, 0x82, 0x0c, 0, 0, 0, 0x02, 0, 0, 0, 0x20, b'1', b'\n',
        ];
        assert_eq!(encode_native(b"1\n"), golden);
        assert_eq!(decode_native(golden, LIMIT).unwrap(), b"1\n");
    }

    #[test]
    fn limits_hold_before_memory_is_taken() {
        let bomb = encode_native(&vec![0; 3 << 20]);
        assert!(matches!(
            decode_native(&bomb, 1 << 20),
            Err(DecodeError::TooLarge(_))
        ));
        let mut encoder = Encoder::new(Coding::Gzip);
        let mut packed = encoder.piece(vec![0; 3 << 20].into()).unwrap().to_vec();
        packed.extend_from_slice(&encoder.finish().unwrap());
        assert!(matches!(
            decode_content("gzip", &packed, 1 << 20),
            Err(DecodeError::TooLarge(_))
        ));
    }

    #[test]
    fn a_cut_or_damaged_block_is_refused() {
        let packed = encode_native(b"some rows, some rows, some rows");
        for length in 1..packed.len() {
            assert!(
                decode_native(&packed[..length], LIMIT).is_err(),
                "cut at {length}"
            );
        }
        for at in 0..packed.len() {
            let mut damaged = packed.to_vec();
            damaged[at] ^= 1;
            assert!(decode_native(&damaged, LIMIT).is_err(), "flipped at {at}");
        }
    }

    /// A frame made by the reference implementation of the text `rows;rows`.
    const ZSTD_FRAME: &[u8] = &[
        0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x09, 0x49, 0x00, 0x00, 0x72, 0x6f, 0x77, 0x73, 0x3b, 0x72,
        0x6f, 0x77, 0x73,
    ];

    fn frames() -> [(&'static str, Vec<u8>); 3] {
        let pack = |coding| {
            let mut encoder = Encoder::new(coding);
            let mut packed = encoder
                .piece(Bytes::from_static(b"rows;rows"))
                .unwrap()
                .to_vec();
            packed.extend_from_slice(&encoder.finish().unwrap());
            packed
        };
        [
            ("gzip", pack(Coding::Gzip)),
            ("lz4", pack(Coding::Lz4)),
            ("zstd", ZSTD_FRAME.to_vec()),
        ]
    }

    #[test]
    fn frames_one_after_the_other_are_all_read() {
        for (coding, frame) in frames() {
            let plain = decode_content(coding, &frame.repeat(3), LIMIT)
                .unwrap()
                .unwrap();
            assert_eq!(plain, b"rows;rows".repeat(3), "{coding}");
        }
    }

    #[test]
    fn a_cut_frame_is_refused() {
        for (coding, frame) in frames() {
            let body = frame.repeat(2);
            for length in (1..body.len()).filter(|length| *length != frame.len()) {
                assert!(
                    decode_content(coding, &body[..length], LIMIT).is_err(),
                    "{coding} cut at {length}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn every_coding_round_trips(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..3000), 1..4)) {
            let plain: Vec<u8> = pieces.concat();
            for coding in [Coding::Plain, Coding::Native, Coding::Gzip, Coding::Lz4] {
                let mut encoder = Encoder::new(coding);
                let mut packed = Vec::new();
                for piece in &pieces {
                    packed.extend_from_slice(&encoder.piece(Bytes::copy_from_slice(piece)).unwrap());
                }
                packed.extend_from_slice(&encoder.finish().unwrap());
                let unpacked = match coding {
                    Coding::Native => decode_native(&packed, LIMIT).unwrap(),
                    other => decode_content(other.content_encoding().unwrap_or(""), &packed, LIMIT)
                        .unwrap()
                        .unwrap_or(packed),
                };
                prop_assert_eq!(&unpacked, &plain);
            }
        }

        #[test]
        fn any_bytes_are_refused_without_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode_native(&body, LIMIT);
            for coding in ["gzip", "lz4", "zstd"] {
                let _ = decode_content(coding, &body, LIMIT);
            }
        }
    }
}
