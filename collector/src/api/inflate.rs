//! Bodies that a sender compressed: told by their first bytes, since a header would cost a page a
//! question before each request. Pure; never holds more than the limits allow, whatever a body claims.

use super::error::ApiError;
use actix_web::web::Bytes;
use flate2::read::GzDecoder;
use std::io::Read;
use upriver_wire::limits::BODY_DECODED_BYTES_MAX;

/// What every gzip stream begins with, and no form of a batch does.
const MAGIC: [u8; 2] = [0x1f, 0x8b];
/// A body may grow by this much; more is no batch but a bomb.
const RATIO_MAX: usize = 100;

/// The body as it was before it was compressed; one that was not is given back as it is.
///
/// # Errors
/// It is damaged, or larger than [`BODY_DECODED_BYTES_MAX`] or [`RATIO_MAX`] allow.
pub(super) fn inflate(body: Bytes) -> Result<Bytes, ApiError> {
    inflate_up_to(body, BODY_DECODED_BYTES_MAX)
}

/// The same with a limit of the caller's own, bytes.
///
/// # Errors
/// It is damaged, or larger than the limit or [`RATIO_MAX`] allow.
pub(super) fn inflate_up_to(body: Bytes, bytes_max: usize) -> Result<Bytes, ApiError> {
    if !body.starts_with(&MAGIC) {
        return Ok(body);
    }
    let room = bytes_max.min(body.len() * RATIO_MAX);
    let mut plain = Vec::new();
    // One byte more than there is room for tells that there is more.
    let mut stream = GzDecoder::new(&body[..]).take(room as u64 + 1);
    stream.read_to_end(&mut plain).map_err(|error| {
        ApiError::BadRequest(
            "malformed_gzip",
            format!("the gzip body is damaged: {error}"),
        )
    })?;
    if plain.len() > room {
        let message =
            format!("the gzip body is over {room} bytes when inflated; send smaller batches");
        return Err(ApiError::TooLarge(message));
    }
    Ok(plain.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("writes to memory");
        encoder.finish().expect("writes to memory").into()
    }

    #[test]
    fn what_was_compressed_comes_back_and_what_was_not_stays() {
        let plain = b"{\"stream\": 1} {\"stream\": 1}";
        assert_eq!(inflate(gzip(plain)).expect("inflates"), plain[..]);
        let own = Bytes::from_static(plain);
        assert_eq!(inflate(own.clone()).expect("stays"), own);
        assert_eq!(inflate(Bytes::new()).expect("stays"), Bytes::new());
    }

    #[test]
    fn bombs_and_damage_are_refused() {
        let code = |body: Bytes| inflate(body).expect_err("refused").code();
        // Over a megabyte, at a ratio of a few; and within a megabyte, at one of a thousand.
        let mut noise = 1_u32;
        let many: Vec<u8> = (0..BODY_DECODED_BYTES_MAX + 1)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (noise >> 28) as u8
            })
            .collect();
        assert_eq!(code(gzip(&many)), "too_large");
        assert!(inflate(gzip(&many[1..])).is_ok());
        assert_eq!(code(gzip(&[0; 900_000])), "too_large");
        let whole = gzip(b"a batch, or something like it");
        assert_eq!(code(whole.slice(..whole.len() - 3)), "malformed_gzip");
        let mut damaged = whole.to_vec();
        damaged[14] ^= 0x55;
        assert_eq!(code(damaged.into()), "malformed_gzip");
    }
}
