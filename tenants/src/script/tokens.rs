//! SQL's tokens, as far as finding names in a text needs them.

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Kind {
    Space,
    Word,
    Quoted,
    String,
    Other,
}

pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
}

impl<'a> Token<'a> {
    pub(crate) fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    pub(crate) fn name(&self) -> Option<String> {
        match self.kind {
            Kind::Word => Some(self.text.to_lowercase()),
            Kind::Quoted => Some(self.inner().replace("\"\"", "\"")),
            _ => None,
        }
    }

    pub(crate) fn names(&self, schema: &str) -> bool {
        self.name().is_some_and(|n| n == schema)
    }

    /// The text between the quotes.
    pub(crate) fn inner(&self) -> &'a str {
        let text = self
            .text
            .trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '&');
        if self.kind == Kind::String && text.starts_with('$') {
            let tag = text[1..].find('$').map_or(1, |n| n + 2);
            return text.get(tag..text.len().saturating_sub(tag)).unwrap_or("");
        }
        text.get(1..text.len().saturating_sub(1)).unwrap_or("")
    }

    /// The same token around another text, whose slots are counted as inside single quotes.
    pub(crate) fn with_inner(&self, inner: &str) -> String {
        let start = self.text.find(['\'', '$']).unwrap_or(0);
        if self.text[start..].starts_with('$') {
            let tag = &self.text[..self.text[1..].find('$').map_or(1, |n| n + 2)];
            // Nothing needs doubling between dollar quotes.
            let inner = inner.replace("\0sq", "\0s").replace("\0nq", "\0n");
            return format!("{tag}{inner}{tag}");
        }
        format!("{}'{inner}'", &self.text[..start])
    }
}

pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    tokens_until(text, usize::MAX)
}

pub(crate) fn tokens_until(text: &str, limit: usize) -> Vec<Token<'_>> {
    let mut out = Vec::new();
    let mut rest = text;
    while !rest.is_empty() && out.len() < limit {
        let (kind, len) = next_token(rest);
        out.push(Token {
            kind,
            text: &rest[..len],
        });
        rest = &rest[len..];
    }
    out
}

/// Kind and length in bytes of the token at the start of a text that is not empty.
fn next_token(text: &str) -> (Kind, usize) {
    let first = text.chars().next().unwrap_or(' ');
    if first.is_whitespace() {
        return (Kind::Space, text.len() - text.trim_start().len());
    }
    if text.starts_with("--") {
        return (Kind::Space, text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return (Kind::Space, comment_len(text));
    }
    if text.starts_with("::") {
        return (Kind::Other, 2);
    }
    match first {
        '\'' => (Kind::String, quoted_len(text, 0, '\'', false)),
        '"' => (Kind::Quoted, quoted_len(text, 0, '"', false)),
        '$' => match dollar_len(text) {
            Some(len) => (Kind::String, len),
            None => (Kind::Other, 1),
        },
        c if is_word(c) => {
            let len = text.find(|c| !is_word(c)).unwrap_or(text.len());
            let quote = text[len..].starts_with('\'');
            match (len, first.to_ascii_lowercase()) {
                (1, 'e') if quote => (Kind::String, quoted_len(text, 1, '\'', true)),
                (1, 'n' | 'b' | 'x') if quote => (Kind::String, quoted_len(text, 1, '\'', false)),
                (1, 'u') if text[1..].starts_with("&'") => {
                    (Kind::String, quoted_len(text, 2, '\'', false))
                }
                _ if first.is_ascii_digit() => (Kind::Other, len),
                _ => (Kind::Word, len),
            }
        }
        c => (Kind::Other, c.len_utf8()),
    }
}

/// The length of a quoted token whose quote is at byte `start`; a doubled quote does not end it.
fn quoted_len(text: &str, start: usize, quote: char, backslash: bool) -> usize {
    let mut chars = text[start + 1..].char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if backslash && c == '\\' {
            chars.next();
        } else if c == quote {
            if chars.peek().is_some_and(|(_, next)| *next == quote) {
                chars.next();
            } else {
                return start + 1 + at + c.len_utf8();
            }
        }
    }
    text.len()
}

fn dollar_len(text: &str) -> Option<usize> {
    let tag = text[1..].find('$')? + 2;
    let name = &text[1..tag - 1];
    if name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(is_word) {
        return None;
    }
    let close = text[tag..].find(&text[..tag])?;
    Some(tag + close + tag)
}

fn comment_len(text: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}
