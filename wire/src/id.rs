//! Identifiers: fixed-width bytes in the binary form, lower-case hexadecimal in JSON.

use alloc::string::String;
use core::fmt;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $int:ty, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $int);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(f, u128::from(self.0), $bytes * 2)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.to_le_bytes().serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let value = deserializer.deserialize_str(Hex { digits_max: $bytes * 2 })?;
                    Ok(Self(value as $int))
                } else {
                    <[u8; $bytes]>::deserialize(deserializer).map(|bytes| Self(<$int>::from_le_bytes(bytes)))
                }
            }
        }
    };
}

id!(
    /// One run of the recorder in one tab: the unit of sequence numbers. Random.
    StreamId, u128, 16
);
id!(
    /// One visitor of one site, as far as the page may know. Random, or derived when cookieless.
    VisitorId, u128, 16
);
id!(
    /// One visit: ends after 30 minutes without input.
    SessionId, u64, 8
);
id!(
    /// One showing of one page, route changes included.
    ViewId, u64, 8
);
id!(
    /// One element of a page: a hash of its identity, the same for every visitor.
    ElementId, u64, 8
);

/// Writes the lowest `digits` hexadecimal digits of a number, leading zeros included.
fn write_hex(f: &mut fmt::Formatter<'_>, value: u128, digits: u32) -> fmt::Result {
    for place in (0..digits).rev() {
        let digit = ((value >> (place * 4)) & 0xf) as u32;
        fmt::Write::write_char(f, char::from_digit(digit, 16).unwrap_or('0'))?;
    }
    Ok(())
}

struct Hex {
    digits_max: usize,
}

impl Visitor<'_> for Hex {
    type Value = u128;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a string of 1 to {} hexadecimal digits", self.digits_max)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u128, E> {
        // `from_str_radix` accepts a leading sign, which an identifier never has.
        let plain = !text.is_empty()
            && text.len() <= self.digits_max
            && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !plain {
            return Err(E::invalid_value(serde::de::Unexpected::Str(text), &self));
        }
        u128::from_str_radix(text, 16)
            .map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<u128, E> {
        self.visit_str(&text)
    }
}

impl ElementId {
    /// Hashes an element's canonical identity (FNV-1a, 64 bit). The same text gives the same id
    /// in every version of the wire.
    pub fn of(identity: &str) -> Self {
        Self::of_bytes(identity.as_bytes())
    }

    /// [`Self::of`] for a text that is at hand as UTF-8.
    pub fn of_bytes(identity: &[u8]) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in identity {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Self(hash)
    }
}
