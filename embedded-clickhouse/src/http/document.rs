//! Joins the pieces of a streamed result. The engine hands out each piece as a document of its own,
//! header included; this knows which formats may simply be joined, which have a header to drop from
//! later pieces, and which cannot be streamed.

use bytes::Bytes;

/// How the documents of a format become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joining {
    /// One after the other.
    Plain,
    /// Text lines; the first `n` of a piece are its header. Quoted names may hold line ends.
    HeaderLines(usize),
    /// `RowBinaryWithNames…`: a column count, names, and types if `true`.
    BinaryHeader {
        /// Types follow the names.
        types: bool,
    },
    /// Brackets, totals or footers: the result must be made in one piece.
    Whole,
}

/// How to join pieces of `format`.
pub(crate) fn joining(format: &str) -> Joining {
    const PLAIN: &[&str] = &[
        "tabseparated",
        "tsv",
        "tabseparatedraw",
        "tsvraw",
        "raw",
        "csv",
        "jsoneachrow",
        "jsonlines",
        "ndjson",
        "jsonl",
        "jsonstringseachrow",
        "jsoncompacteachrow",
        "jsoncompactstringseachrow",
        "rowbinary",
        "native",
        "tskv",
        "lineasstring",
        "rawblob",
        "bsoneachrow",
        "msgpack",
        "null",
    ];
    let format = format.to_ascii_lowercase();
    if PLAIN.contains(&format.as_str()) {
        return Joining::Plain;
    }
    let text = [
        "tabseparated",
        "tsv",
        "csv",
        "jsoncompacteachrow",
        "jsoncompactstringseachrow",
    ];
    match format.as_str() {
        "rowbinarywithnames" => Joining::BinaryHeader { types: false },
        "rowbinarywithnamesandtypes" => Joining::BinaryHeader { types: true },
        other => match (
            other.strip_suffix("withnames"),
            other.strip_suffix("withnamesandtypes"),
        ) {
            (Some(base), _) if text.contains(&base) => Joining::HeaderLines(1),
            (_, Some(base)) if text.contains(&base) => Joining::HeaderLines(2),
            _ => Joining::Whole,
        },
    }
}

/// Joins pieces in order.
pub(crate) struct Joiner {
    joining: Joining,
    header: Option<Bytes>,
}

impl Joiner {
    pub(crate) fn new(joining: Joining) -> Self {
        Self {
            joining,
            header: None,
        }
    }

    /// What of this piece belongs into the joined document. An error means the piece does not
    /// begin with the first piece's header.
    pub(crate) fn piece(&mut self, mut piece: Bytes) -> Result<Bytes, String> {
        if let Some(header) = &self.header {
            if !piece.starts_with(header) {
                return Err("a piece of the result has another header than the first".to_owned());
            }
            return Ok(piece.split_off(header.len()));
        }
        let length = match self.joining {
            Joining::Plain | Joining::Whole => return Ok(piece),
            Joining::HeaderLines(lines) => lines_length(&piece, lines),
            Joining::BinaryHeader { types } => binary_length(&piece, types),
        };
        let length = length.ok_or("the first piece of the result has no header")?;
        self.header = Some(piece.slice(..length));
        Ok(piece)
    }
}

fn lines_length(piece: &[u8], lines: usize) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    let mut left = lines;
    for (at, byte) in piece.iter().enumerate() {
        match byte {
            // A name in JSON holds its quotes escaped; in CSV doubled, which closes and opens.
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b'\n' if !quoted => left -= 1,
            _ => {}
        }
        if left == 0 {
            return Some(at + 1);
        }
    }
    None
}

fn binary_length(piece: &[u8], types: bool) -> Option<usize> {
    let mut rest = piece;
    let columns = varint(&mut rest)?;
    let texts = if types {
        columns.checked_mul(2)?
    } else {
        columns
    };
    for _ in 0..texts {
        let length = usize::try_from(varint(&mut rest)?).ok()?;
        rest = rest.get(length..)?;
    }
    Some(piece.len() - rest.len())
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(format: &str, pieces: &[&'static [u8]], expected: &[u8]) {
        let mut joiner = Joiner::new(joining(format));
        let joined: Vec<u8> = pieces
            .iter()
            .flat_map(|piece| joiner.piece(Bytes::from_static(piece)).unwrap())
            .collect();
        assert_eq!(joined, expected, "{format}");
    }

    #[test]
    fn headers_are_kept_once() {
        check(
            "CSVWithNames",
            &[b"\"a\n\"\"b\"\n1\n", b"\"a\n\"\"b\"\n2\n"],
            b"\"a\n\"\"b\"\n1\n2\n",
        );
        check(
            "TSVWithNamesAndTypes",
            &[b"a\nUInt8\n1\n", b"a\nUInt8\n2\n"],
            b"a\nUInt8\n1\n2\n",
        );
        check(
            "JSONCompactEachRowWithNames",
            &[b"[\"a\\\"\"]\n[1]\n", b"[\"a\\\"\"]\n[2]\n"],
            b"[\"a\\\"\"]\n[1]\n[2]\n",
        );
        check(
            "RowBinaryWithNamesAndTypes",
            &[b"\x01\x01a\x05UInt8\x07", b"\x01\x01a\x05UInt8\x08"],
            b"\x01\x01a\x05UInt8\x07\x08",
        );
        check("jsoneachrow", &[b"{}\n", b"{}\n"], b"{}\n{}\n");
    }

    #[test]
    fn a_changed_header_is_an_error_and_brackets_are_not_streamed() {
        let mut joiner = Joiner::new(Joining::HeaderLines(1));
        joiner.piece(Bytes::from_static(b"a\n1\n")).unwrap();
        assert!(joiner.piece(Bytes::from_static(b"b\n1\n")).is_err());
        for format in [
            "JSON",
            "JSONCompact",
            "Parquet",
            "Arrow",
            "Pretty",
            "Values",
            "XML",
            "TSVRawWithNames",
        ] {
            assert_eq!(joining(format), Joining::Whole, "{format}");
        }
    }

    proptest! {
        #[test]
        fn any_first_piece_is_joined_or_refused(piece in proptest::collection::vec(any::<u8>(), 0..200)) {
            for joining in [Joining::HeaderLines(2), Joining::BinaryHeader { types: true }] {
                let _ = Joiner::new(joining).piece(piece.clone().into());
            }
        }
    }
}
