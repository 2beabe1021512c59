//! The shape of a statement: what the front must know before the engine sees it (where an INSERT's
//! data begins, which format the answer has, whether there is more than one statement). It does not
//! judge whether the statement is valid; that is the engine's business.

mod lexer;

pub(crate) use lexer::{Kind, Lexer, Token};

/// The format of an answer when nobody names one.
pub(crate) const DEFAULT_OUTPUT_FORMAT: &str = "TabSeparated";
/// The format of an INSERT's data when nobody names one.
pub(crate) const DEFAULT_INPUT_FORMAT: &str = "Values";

/// A statement sorted by how it must be run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shape<'a> {
    /// Nothing but blanks and comments.
    Empty,
    /// `INSERT … [FORMAT f] data`, whose data goes through the engine's insert stream.
    Insert {
        /// The statement without FORMAT clause and data.
        statement: String,
        /// The named format, if any.
        format: Option<&'a str>,
        /// The beginning of the data, if it follows in the same text.
        data: &'a [u8],
    },
    /// Anything else.
    Query {
        /// The statement without a final `;`.
        statement: &'a str,
        /// The named output format, if any.
        format: Option<&'a str>,
        /// A SELECT whose result the engine can hand out piece by piece.
        select: bool,
    },
}

/// Why a text has no usable shape.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ShapeError {
    #[error("the statement is not valid UTF-8")]
    NotText,
    #[error(
        "multi-statements are not allowed: a second statement begins at position {0}; send one statement a request"
    )]
    MultipleStatements(usize),
}

/// Finds the shape of `text`, which for an INSERT may end in data of any bytes.
pub(crate) fn shape(text: &[u8]) -> Result<Shape<'_>, ShapeError> {
    let Some(first) = Lexer::new(text).find(|token| token.kind != Kind::Symbol(b'(')) else {
        return Ok(Shape::Empty);
    };
    if is(text, first, "INSERT")
        && let Some(insert) = insert_shape(text)?
    {
        return Ok(insert);
    }
    query_shape(text, first)
}

/// True if `token` is this keyword, in any case.
pub(crate) fn is(text: &[u8], token: Token, keyword: &str) -> bool {
    token.kind == Kind::Word
        && text[token.start..token.end].eq_ignore_ascii_case(keyword.as_bytes())
}

fn utf8(bytes: &[u8]) -> Result<&str, ShapeError> {
    std::str::from_utf8(bytes).map_err(|_| ShapeError::NotText)
}

/// `None` if the statement takes no data from the request (`INSERT … SELECT`, `… VALUES (…)`).
fn insert_shape(text: &[u8]) -> Result<Option<Shape<'_>>, ShapeError> {
    let mut tokens = Lexer::new(text);
    let mut before: Option<Token> = None;
    while let Some(token) = tokens.next() {
        // A table may bear a keyword's name.
        let is_name = before
            .replace(token)
            .is_some_and(|before| before.kind == Kind::Symbol(b'.') || is(text, before, "INTO"));
        if token.kind == Kind::Symbol(b';') && token.depth == 0 {
            // `INSERT INTO t;` names a target only; what follows the request's text is the data.
            let statement = utf8(&text[..token.start])?.to_owned();
            return Ok(Some(Shape::Insert {
                statement,
                format: None,
                data: &text[token.end..],
            }));
        }
        if token.depth != 0 || is_name {
            continue;
        }
        if is(text, token, "VALUES") {
            let rest = &text[token.end..];
            let empty = Lexer::new(rest).all(|token| token.kind == Kind::Symbol(b';'));
            let statement = utf8(&text[..token.start])?.to_owned();
            return Ok(empty.then_some(Shape::Insert {
                statement,
                format: Some("Values"),
                data: b"",
            }));
        }
        if ["SELECT", "WITH", "FROM", "WATCH"]
            .iter()
            .any(|word| is(text, token, word))
        {
            return Ok(None);
        }
        if token.kind == Kind::Symbol(b'(') {
            let inner = tokens.next();
            if inner.is_some_and(|inner| is(text, inner, "SELECT") || is(text, inner, "WITH")) {
                return Ok(None);
            }
        }
        if is(text, token, "FORMAT")
            && let Some(format) = tokens.next().filter(|next| next.kind == Kind::Word)
        {
            let (settings, data) = settings_after_format(text, format.end);
            let mut statement = utf8(&text[..token.start])?.to_owned();
            statement.push_str(utf8(settings)?);
            let format = Some(utf8(&text[format.start..format.end])?);
            return Ok(Some(Shape::Insert {
                statement,
                format,
                data,
            }));
        }
    }
    let statement = utf8(text)?.to_owned();
    Ok(Some(Shape::Insert {
        statement,
        format: None,
        data: b"",
    }))
}

/// `FORMAT f SETTINGS a = 1, b = 2 <data>`: the clause, which belongs before FORMAT for the insert
/// stream, and the data.
fn settings_after_format(text: &[u8], at: usize) -> (&[u8], &[u8]) {
    let rest = &text[at..];
    let mut tokens = Lexer::new(rest);
    let Some(settings) = tokens.next().filter(|token| is(rest, *token, "SETTINGS")) else {
        return (b"", data_start(rest));
    };
    let mut end = settings.end;
    while let (Some(_name), Some(equals)) = (tokens.next(), tokens.next()) {
        if equals.kind != Kind::Symbol(b'=') {
            break;
        }
        let Some(mut value) = tokens.next() else {
            break;
        };
        if value.kind == Kind::Symbol(b'-') {
            let Some(number) = tokens.next() else { break };
            value = number;
        }
        end = value.end;
        if !tokens
            .next()
            .is_some_and(|token| token.kind == Kind::Symbol(b','))
        {
            break;
        }
    }
    (&rest[settings.start..end], data_start(&rest[end..]))
}

/// The data begins after the blanks of the clause's line and at most one line end.
fn data_start(rest: &[u8]) -> &[u8] {
    let blanks = rest
        .iter()
        .take_while(|b| matches!(b, b' ' | b'\t' | 0x0c))
        .count();
    let rest = &rest[blanks..];
    if rest.trim_ascii() == b";" {
        return b"";
    }
    let rest = rest.strip_prefix(b"\r").unwrap_or(rest);
    rest.strip_prefix(b"\n").unwrap_or(rest)
}

fn query_shape(text: &[u8], first: Token) -> Result<Shape<'_>, ShapeError> {
    let text = utf8(text)?.as_bytes();
    let mut end = text.len();
    let mut format = None;
    // FORMAT and the name after it, waiting for the next token to prove that it is a clause.
    let (mut before, mut candidate): (Option<Token>, Option<Token>) = (None, None);
    for token in Lexer::new(text) {
        let ends_clause = token.kind == Kind::Symbol(b';')
            || is(text, token, "SETTINGS")
            || is(text, token, "INTO");
        if end != text.len() && token.kind != Kind::Symbol(b';') {
            return Err(ShapeError::MultipleStatements(token.start + 1));
        }
        if let Some(name) = candidate.take()
            && ends_clause
        {
            format = Some(name);
        }
        if token.depth == 0 && token.kind == Kind::Symbol(b';') && end == text.len() {
            end = token.start;
        }
        if token.depth == 0
            && token.kind == Kind::Word
            && before.is_some_and(|before| is(text, before, "FORMAT") && before.depth == 0)
        {
            candidate = Some(token);
        }
        before = Some(token);
    }
    let format = candidate.or(format);
    let statement = utf8(&text[..end])?;
    if end == first.start {
        return Ok(Shape::Empty);
    }
    Ok(Shape::Query {
        statement,
        format: format
            .map(|token| utf8(&text[token.start..token.end]))
            .transpose()?,
        select: ["SELECT", "WITH", "FROM"]
            .iter()
            .any(|word| is(text, first, word)),
    })
}

/// True if the text has this keyword outside quotes and comments, at any depth.
pub(crate) fn mentions(text: &str, keyword: &str) -> bool {
    Lexer::new(text.as_bytes()).any(|token| is(text.as_bytes(), token, keyword))
}

#[cfg(test)]
mod tests;
