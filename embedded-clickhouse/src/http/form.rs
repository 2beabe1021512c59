//! Form fields of a `multipart/form-data` body, which clients use for long parameters. Files
//! (ClickHouse's external tables) are refused.

use super::failure::{Failure, code};
use super::request::bad;

/// Fields of one form.
const FIELDS_MAX: usize = 1000;

/// The boundary, if this content type is a form.
pub(crate) fn boundary(content_type: &str) -> Option<&str> {
    let rest = content_type.strip_prefix("multipart/form-data")?;
    let (_, boundary) = rest.split_once("boundary=")?;
    Some(
        boundary
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .trim_matches('"'),
    )
}

/// The fields in order, name and value.
pub(crate) fn fields(boundary: &str, body: &[u8]) -> Result<Vec<(String, String)>, Failure> {
    if boundary.is_empty() || boundary.len() > 70 {
        return Err(bad("the form's boundary must have 1 to 70 bytes"));
    }
    let delimiter = format!("\r\n--{boundary}");
    // The first delimiter has no line end before it.
    let mut rest = match find(body, &delimiter.as_bytes()[2..]) {
        Some(at) => &body[at + delimiter.len() - 2..],
        None => return Err(bad("the form has no part")),
    };
    let mut fields = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Ok(fields);
        }
        if fields.len() == FIELDS_MAX {
            return Err(bad(format_args!("more than {FIELDS_MAX} form fields")));
        }
        let end = find(rest, delimiter.as_bytes())
            .ok_or_else(|| bad("the form breaks off inside a part"))?;
        fields.push(field(&rest[..end])?);
        rest = &rest[end + delimiter.len()..];
    }
}

/// One part: a line end, headers, an empty line, the value.
fn field(part: &[u8]) -> Result<(String, String), Failure> {
    let head_end = find(part, b"\r\n\r\n").ok_or_else(|| bad("a form part has no header"))?;
    let head = std::str::from_utf8(&part[..head_end])
        .map_err(|_| bad("a form part's header is not text"))?;
    let disposition = head
        .lines()
        .find(|line| {
            line.to_ascii_lowercase()
                .starts_with("content-disposition:")
        })
        .ok_or_else(|| bad("a form part has no Content-Disposition"))?;
    if disposition.contains("filename=") {
        return Err(Failure::new(
            code::NOT_IMPLEMENTED,
            "NOT_IMPLEMENTED",
            "external tables (files in a form) are not supported; use a temporary table or a parameter",
        ));
    }
    let name = disposition
        .split_once("name=")
        .map(|(_, rest)| {
            rest.trim_start_matches('"')
                .split(['"', ';'])
                .next()
                .unwrap_or_default()
                .trim()
        })
        .filter(|name| !name.is_empty())
        .ok_or_else(|| bad("a form part has no name"))?;
    let value = String::from_utf8(part[head_end + 4..].to_vec())
        .map_err(|_| bad(format_args!("the form field `{name}` is not UTF-8")))?;
    Ok((name.to_owned(), value))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_keep_their_line_ends_and_dashes() {
        let body = b"--b\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT 1\r\n--\r\n--b\r\nContent-Disposition: form-data; name=\"param_x\"\r\nContent-Type: text/plain\r\n\r\n\r\n--b--\r\n";
        let fields = fields(
            boundary("multipart/form-data; boundary=\"b\"").unwrap(),
            body,
        )
        .unwrap();
        assert_eq!(
            fields,
            [
                ("query".into(), "SELECT 1\r\n--".into()),
                ("param_x".into(), String::new())
            ]
        );
    }

    #[test]
    fn files_and_torn_forms_are_refused() {
        let file =
            b"--b\r\nContent-Disposition: form-data; name=\"t\"; filename=\"t\"\r\n\r\n1\r\n--b--";
        assert_eq!(fields("b", file).unwrap_err().code, code::NOT_IMPLEMENTED);
        for torn in [&file[..20], b"", b"--b", b"--b\r\n\r\n--b--"] {
            assert_eq!(fields("b", torn).unwrap_err().code, code::BAD_ARGUMENTS);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = fields("b", &body);
        }
    }
}
