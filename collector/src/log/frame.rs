//! The bytes of the log: a segment header, then group frames. Pure; touches no file.
//!
//! ```text
//! segment: "UPRLOG01" | base position: u64 LE          (16 bytes)
//! group:   MAGIC: u32 | payload bytes: u32 | crc32: u32 | position: u64 LE | payload
//! payload: ( record bytes: u32 LE | record )*
//! ```
//! A position is the number of bytes of log before a frame, counted over all segments: it only
//! grows. The checksum covers length, position and payload, so neither a frame from another place
//! nor a stale one is taken for real.

/// First bytes of every segment.
pub const SEGMENT_MAGIC: &[u8; 8] = b"UPRLOG01";
/// Bytes of a segment's header.
pub const SEGMENT_HEADER_BYTES: u64 = 16;
/// Bytes of a group's header.
pub const GROUP_HEADER_BYTES: usize = 20;
/// Largest payload of one group.
pub const GROUP_PAYLOAD_BYTES_MAX: usize = 32 * 1024 * 1024;
const GROUP_MAGIC: u32 = 0x5052_5547;

/// A frame found in a segment.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A whole frame.
    Group {
        /// Its records.
        payload: &'a [u8],
        /// Its length, header included.
        frame_bytes: usize,
    },
    /// Nothing more: the bytes end exactly here.
    End,
    /// Bytes that are no whole, valid frame.
    Bad,
}

/// The header of a segment that begins at `base`.
pub fn segment_header(base: u64) -> [u8; SEGMENT_HEADER_BYTES as usize] {
    let mut header = [0; SEGMENT_HEADER_BYTES as usize];
    header[..8].copy_from_slice(SEGMENT_MAGIC);
    header[8..].copy_from_slice(&base.to_le_bytes());
    header
}

/// The base position in a segment's header, if it is one.
pub fn segment_base(bytes: &[u8]) -> Option<u64> {
    let base = bytes.strip_prefix(SEGMENT_MAGIC)?.first_chunk::<8>()?;
    Some(u64::from_le_bytes(*base))
}

/// Appends one record to a payload.
pub fn push_record(payload: &mut Vec<u8>, record: &[u8]) {
    payload.extend_from_slice(&(record.len() as u32).to_le_bytes());
    payload.extend_from_slice(record);
}

/// Splits a payload into its records. Stops at the first length that does not fit, which a valid
/// checksum rules out.
pub fn records(payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = payload;
    std::iter::from_fn(move || {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let record = tail.get(..u32::from_le_bytes(*length) as usize)?;
        rest = &tail[record.len()..];
        Some(record)
    })
}

/// Appends one group frame.
pub fn push_group(out: &mut Vec<u8>, position: u64, payload: &[u8]) {
    let length = payload.len() as u32;
    out.extend_from_slice(&GROUP_MAGIC.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&checksum(length, position, payload).to_le_bytes());
    out.extend_from_slice(&position.to_le_bytes());
    out.extend_from_slice(payload);
}

/// Looks for the frame at the start of `bytes`, which must lie at `position`.
pub fn find_group(bytes: &[u8], position: u64) -> Found<'_> {
    if bytes.is_empty() {
        return Found::End;
    }
    let Some((header, rest)) = bytes.split_first_chunk::<GROUP_HEADER_BYTES>() else {
        return Found::Bad;
    };
    let (magic, length, crc) = (word(header, 0), word(header, 4), word(header, 8));
    let at = u64::from_le_bytes([
        header[12], header[13], header[14], header[15], header[16], header[17], header[18],
        header[19],
    ]);
    if magic != GROUP_MAGIC || at != position || length as usize > GROUP_PAYLOAD_BYTES_MAX {
        return Found::Bad;
    }
    match rest.get(..length as usize) {
        Some(payload) if checksum(length, position, payload) == crc => Found::Group {
            payload,
            frame_bytes: GROUP_HEADER_BYTES + payload.len(),
        },
        _ => Found::Bad,
    }
}

/// Where the next valid frame begins in `bytes`, which lie at `position`; to look past damage.
pub fn next_group(bytes: &[u8], position: u64) -> Option<usize> {
    (0..bytes.len().saturating_sub(GROUP_HEADER_BYTES - 1)).find(|&offset| {
        bytes[offset..].starts_with(&GROUP_MAGIC.to_le_bytes())
            && matches!(
                find_group(&bytes[offset..], position + offset as u64),
                Found::Group { .. }
            )
    })
}

fn word(header: &[u8; GROUP_HEADER_BYTES], at: usize) -> u32 {
    u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
}

fn checksum(length: u32, position: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(&position.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_group_reads_back_and_no_flipped_bit_passes(
            records_in in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
            position in any::<u64>(),
            flip in any::<prop::sample::Index>(),
        ) {
            let mut payload = Vec::new();
            for record in &records_in {
                push_record(&mut payload, record);
            }
            let mut bytes = Vec::new();
            push_group(&mut bytes, position, &payload);
            let Found::Group { payload: read, frame_bytes } = find_group(&bytes, position) else {
                panic!("a whole frame was not found");
            };
            prop_assert_eq!(frame_bytes, bytes.len());
            let out: Vec<Vec<u8>> = records(read).map(<[u8]>::to_vec).collect();
            prop_assert_eq!(out, records_in);

            let bit = flip.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(find_group(&bytes, position), Found::Bad);
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = find_group(&bytes, 7);
            let _ = next_group(&bytes, 7);
            let _ = records(&bytes).count();
        }
    }

    #[test]
    fn a_frame_from_another_place_is_refused() {
        let mut bytes = Vec::new();
        push_group(&mut bytes, 100, b"\x01\0\0\0x");
        assert_eq!(find_group(&bytes, 101), Found::Bad);
    }
}
