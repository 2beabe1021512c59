//! SQL text: literals that no value can break out of, and the clauses every query shares.

use crate::row::NEWS_MS;

/// A string literal of ClickHouse.
pub(crate) fn literal(text: &str) -> String {
    let mut sql = String::with_capacity(text.len() + 2);
    sql.push('\'');
    for c in text.chars() {
        match c {
            '\'' => sql.push_str("\\'"),
            '\\' => sql.push_str("\\\\"),
            c if c.is_ascii_control() => sql.push_str(&format!("\\x{:02x}", c as u32)),
            c => sql.push(c),
        }
    }
    sql.push('\'');
    sql
}

/// A condition that a column matches a pattern in which `*` stands for any characters.
pub(crate) fn glob(column: &str, pattern: &str) -> String {
    if !pattern.contains('*') {
        return format!("{column} = {}", literal(pattern));
    }
    let mut like = String::with_capacity(pattern.len() + 8);
    for c in pattern.chars() {
        match c {
            '*' => like.push('%'),
            '%' | '_' | '\\' => {
                like.push('\\');
                like.push(c);
            }
            c => like.push(c),
        }
    }
    format!("{column} LIKE {}", literal(&like))
}

/// A moment, as a value of the columns `time` and `received_at`.
pub(crate) fn moment(ms: u64) -> String {
    format!("fromUnixTimestamp64Milli(toInt64({ms}), 'UTC')")
}

/// A moment in whole seconds, as a value of the columns `hour` and `minute` of roll-ups.
pub(crate) fn hour(ms: u64) -> String {
    format!("toDateTime({}, 'UTC')", ms / 1000)
}

/// The rows of a site within the live range.
pub(crate) fn in_range(site: &str, from_ms: u64) -> String {
    format!("site = {} AND time >= {}", literal(site), moment(from_ms))
}

/// What tells events of the same order apart: [`super::site::tie`].
pub(crate) const TIE: &str = "bitShiftRight(bitXor(bitXor(\
    toUInt64(bitShiftRight(toUInt128(stream), 64)), \
    bitRotateLeft(toUInt64(bitAnd(toUInt128(stream), 18446744073709551615)), 32)), \
    seq * 11400714819323198485) * 18397679294719823053, 32)";

/// The rows that were told as they happened: [`crate::row::EventRow::is_news`].
pub(crate) fn news() -> String {
    format!("(NOT imported OR received_at <= time + INTERVAL {NEWS_MS} MILLISECOND)")
}

/// Whether a text matches a pattern in which `*` stands for any characters.
pub(crate) fn glob_matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // The last star, and where in the text what follows it is being tried.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            retry = Some((p + 1, t));
            p += 1;
        } else if p < pattern.len() && pattern[p] == text[t] {
            p += 1;
            t += 1;
        } else if let Some((after_star, from)) = retry {
            retry = Some((after_star, from + 1));
            p = after_star;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out_of_a_literal() {
        assert_eq!(literal("a'b\\c\n\0d"), r"'a\'b\\c\x0a\x00d'");
        assert_eq!(glob("path", "/a'b"), r"path = '/a\'b'");
        assert_eq!(glob("path", r"/100%_\*"), r"path LIKE '/100\\%\\_\\\\%'");
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        let check = |pattern, text, expected| {
            assert_eq!(glob_matches(pattern, text), expected, "{pattern} on {text}");
        };
        check("/product/*", "/product/kettle?colour=red", true);
        check("/product/*", "/product/", true);
        check("/product/*", "/product", false);
        check("*", "", true);
        check("", "", true);
        check("", "a", false);
        check("/a*b*c", "/a-b-b-c", true);
        check("/a*b*c", "/a-b-b-cd", false);
        check("*aab", "aaaab", true);
        check("/ü*", "/übel", true);
    }
}
