//! Cuts ClickHouse SQL into tokens. Knows quotes, comments and brackets; knows no statement.

/// What a token is. Comments and white space are not tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A bare word: keyword, name or number.
    Word,
    /// A name in backticks or double quotes.
    QuotedName,
    /// A string literal or heredoc.
    Literal,
    /// One byte of punctuation.
    Symbol(u8),
}

/// A token: bytes `start..end` of the text, `depth` brackets deep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) depth: usize,
}

/// An iterator over the tokens of a text.
pub(crate) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
        }
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = &self.text[self.at..];
            let skipped = match rest {
                [b, ..] if b.is_ascii_whitespace() || matches!(b, 0x0b | 0) => 1,
                [b'-', b'-', ..] | [b'#', b' ' | b'!', ..] => line_length(rest),
                [b'/', b'/', ..] => line_length(rest),
                [b'/', b'*', ..] => find(&rest[2..], b"*/").map_or(rest.len(), |at| at + 4),
                _ => return,
            };
            self.at += skipped;
        }
    }

    /// The length of a quoted run that starts at `at`; both `\` and a doubled quote escape.
    fn quoted_length(&self, quote: u8) -> usize {
        let rest = &self.text[self.at..];
        let mut at = 1;
        while at < rest.len() {
            match rest[at] {
                b'\\' => at += 2,
                b if b == quote && rest.get(at + 1) == Some(&quote) => at += 2,
                b if b == quote => return at + 1,
                _ => at += 1,
            }
        }
        rest.len()
    }

    fn heredoc_length(&self) -> Option<usize> {
        let rest = &self.text[self.at..];
        let tag = rest[1..].iter().position(|b| *b == b'$')? + 2;
        rest[1..tag - 1].iter().all(|b| is_word(*b)).then_some(())?;
        find(&rest[tag..], &rest[..tag]).map(|at| tag + at + tag)
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.skip_blanks();
        let start = self.at;
        let first = *self.text.get(start)?;
        let mut depth = self.depth;
        let (kind, length) = match first {
            b'\'' => (Kind::Literal, self.quoted_length(first)),
            b'`' | b'"' => (Kind::QuotedName, self.quoted_length(first)),
            b'$' if self.heredoc_length().is_some() => {
                (Kind::Literal, self.heredoc_length().unwrap_or(1))
            }
            b if is_word(b) => (
                Kind::Word,
                self.text[start..]
                    .iter()
                    .take_while(|b| is_word(**b))
                    .count(),
            ),
            b'(' | b'[' | b'{' => {
                self.depth += 1;
                (Kind::Symbol(first), 1)
            }
            b')' | b']' | b'}' => {
                self.depth = self.depth.saturating_sub(1);
                depth = self.depth;
                (Kind::Symbol(first), 1)
            }
            _ => (Kind::Symbol(first), 1),
        };
        self.at = (start + length).min(self.text.len());
        Some(Token {
            kind,
            start,
            end: self.at,
            depth,
        })
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn line_length(rest: &[u8]) -> usize {
    rest.iter()
        .position(|b| *b == b'\n')
        .map_or(rest.len(), |at| at + 1)
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

    fn words(text: &str) -> Vec<&str> {
        Lexer::new(text.as_bytes())
            .map(|token| &text[token.start..token.end])
            .collect()
    }

    #[test]
    fn quotes_comments_and_heredocs_are_one_token_or_none() {
        assert_eq!(
            words("a--x\n/* ; */b # c\n'it''s\\'; '"),
            ["a", "b", "'it''s\\'; '"]
        );
        assert_eq!(words("$t$ ; ' $t$;"), ["$t$ ; ' $t$", ";"]);
        assert_eq!(
            words("`a``b`.\"c\"(1)"),
            ["`a``b`", ".", "\"c\"", "(", "1", ")"]
        );
        assert_eq!(words("'never closed ;"), ["'never closed ;"]);
        assert_eq!(words("/* never closed ;"), Vec::<&str>::new());
    }

    proptest! {
        #[test]
        fn any_bytes_give_ordered_tokens_inside_the_text(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut last = 0;
            for token in Lexer::new(&text) {
                prop_assert!(token.start >= last && token.end > token.start && token.end <= text.len());
                last = token.end;
            }
        }
    }
}
