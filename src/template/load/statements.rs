//! Cuts a file of plain SQL into its statements, as `psql` would: quotes, comments, parentheses and routine bodies are one piece.

/// One statement of a file, without the semicolon behind it.
#[derive(Debug, PartialEq, Eq)]
pub struct Statement<'a> {
    /// The line that it begins on, from 1.
    pub line: usize,
    /// Its text from the first token to the last.
    pub text: &'a str,
    /// Its tokens, without blanks and comments.
    pub tokens: Vec<Token>,
    /// The rows that follow a `copy .. from stdin`.
    pub rows: Option<&'a str>,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A keyword or a bare name.
    Word,
    /// A name in double quotes.
    Quoted,
    /// A string constant, in single quotes or between dollars.
    Text,
    /// Operators, numbers, punctuation.
    Symbol,
}

/// A token: what it is, and where in the statement's text it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Its first byte.
    pub start: usize,
    /// The byte behind its last.
    pub end: usize,
}

/// A place where a file can't be read.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

/// Commands of `psql` that change nothing in the database.
const IDLE_COMMANDS: [&str; 19] = [
    "restrict",
    "unrestrict",
    "connect",
    "c",
    "encoding",
    "set",
    "unset",
    "echo",
    "qecho",
    "warn",
    "pset",
    "timing",
    "conninfo",
    "t",
    "x",
    "a",
    "o",
    "r",
    "prompt",
];

/// Cuts `sql` into statements.
///
/// # Errors
/// A quote, comment or body without an end, rows without an end, or a command of `psql` that does something.
pub fn split(sql: &str) -> Result<Vec<Statement<'_>>, Fault> {
    let mut reader = Reader {
        sql,
        at: 0,
        line: 1,
        counted: 0,
    };
    let mut statements = Vec::new();
    while let Some(statement) = reader.statement()? {
        statements.push(statement);
    }
    Ok(statements)
}

/// The tokens of a text that is a part of a file, such as a routine's body; as far as they can be told.
pub fn tokens(text: &str) -> Vec<Token> {
    let (mut at, mut out) = (0, Vec::new());
    while at < text.len() {
        match next(text, at) {
            Some((Piece::Token(kind), end)) => {
                out.push(Token {
                    kind,
                    start: at,
                    end,
                });
                at = end;
            }
            Some((Piece::Blank, end)) => at = end,
            None => break,
        }
    }
    out
}

impl Statement<'_> {
    /// The text of a token.
    pub fn text_of(&self, token: Token) -> &str {
        &self.text[token.start..token.end]
    }

    /// The keyword or bare name at a place, in lower case; empty for anything else.
    pub fn word(&self, at: usize) -> String {
        match self.tokens.get(at) {
            Some(token) if token.kind == Kind::Word => self.text_of(*token).to_ascii_lowercase(),
            _ => String::new(),
        }
    }

    /// Whether the words given stand at a place.
    pub fn has(&self, at: usize, words: &[&str]) -> bool {
        words
            .iter()
            .enumerate()
            .all(|(index, word)| self.word(at + index) == *word)
    }

    /// The name at a place, as Postgres understands it; empty if there is none.
    pub fn name(&self, at: usize) -> String {
        self.tokens
            .get(at)
            .map(|token| name(self.text_of(*token), token.kind))
            .unwrap_or_default()
    }
}

/// A name as Postgres understands it: folded to lower case unless quoted.
pub fn name(text: &str, kind: Kind) -> String {
    match kind {
        Kind::Word => text.to_lowercase(),
        Kind::Quoted => text[1..text.len() - 1].replace("\"\"", "\""),
        _ => String::new(),
    }
}

struct Reader<'a> {
    sql: &'a str,
    at: usize,
    /// The line of the byte `counted`.
    line: usize,
    counted: usize,
}

enum Piece {
    Blank,
    Token(Kind),
}

impl<'a> Reader<'a> {
    fn statement(&mut self) -> Result<Option<Statement<'a>>, Fault> {
        let mut tokens: Vec<Token> = Vec::new();
        let (mut parentheses, mut blocks) = (0usize, 0usize);
        let mut begin = self.at;
        while self.at < self.sql.len() {
            let at = self.at;
            if self.sql[at..].starts_with('\\') {
                self.command(tokens.is_empty())?;
                continue;
            }
            let (piece, end) = next(self.sql, at).ok_or_else(|| {
                self.fault(
                    at,
                    "what begins here has no end: a quote or a comment".to_owned(),
                )
            })?;
            self.at = end;
            let Piece::Token(kind) = piece else { continue };
            let text = &self.sql[at..end];
            if text == ";" && parentheses == 0 && blocks == 0 {
                if tokens.is_empty() {
                    continue;
                }
                return self.finish(begin, tokens).map(Some);
            }
            if tokens.is_empty() {
                begin = at;
            }
            tokens.push(Token {
                kind,
                start: at - begin,
                end: end - begin,
            });
            match (kind, text) {
                (Kind::Symbol, "(") => parentheses += 1,
                (Kind::Symbol, ")") => parentheses = parentheses.saturating_sub(1),
                (Kind::Word, word)
                    if parentheses == 0 && makes_routine(&self.sql[begin..], &tokens) =>
                {
                    // The same count that psql keeps of a body that is not a string.
                    match word.to_ascii_lowercase().as_str() {
                        "begin" => blocks += 1,
                        "case" if blocks > 0 => blocks += 1,
                        "end" => blocks = blocks.saturating_sub(1),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        if tokens.is_empty() {
            return Ok(None);
        }
        if blocks > 0 || parentheses > 0 {
            let what = "the statement that begins here has no end: a parenthesis or a body is open";
            return Err(self.fault(begin, what.to_owned()));
        }
        self.finish(begin, tokens).map(Some)
    }

    fn finish(&mut self, begin: usize, tokens: Vec<Token>) -> Result<Statement<'a>, Fault> {
        let line = self.line_of(begin);
        let length = tokens.last().map_or(0, |token| token.end);
        let mut statement = Statement {
            line,
            text: &self.sql[begin..begin + length],
            tokens,
            rows: None,
        };
        if copies_in(&statement) {
            statement.rows = Some(self.rows(line)?);
        }
        Ok(statement)
    }

    /// What stands between the end of the line and a line that is `\.`.
    fn rows(&mut self, line: usize) -> Result<&'a str, Fault> {
        let from = self.sql[self.at..]
            .find('\n')
            .map_or(self.sql.len(), |length| self.at + length + 1);
        let mut at = from;
        for row in self.sql[from..].split_inclusive('\n') {
            if row.trim_end_matches(['\r', '\n']) == "\\." {
                self.at = at + row.len();
                return Ok(&self.sql[from..at]);
            }
            at += row.len();
        }
        Err(Fault {
            line,
            what: "the rows of this copy have no end: a line with \\. alone is missing".to_owned(),
        })
    }

    /// Passes over a command of `psql`, which ends with its line.
    fn command(&mut self, between: bool) -> Result<(), Fault> {
        let rest = &self.sql[self.at + 1..];
        let line = rest.lines().next().unwrap_or_default();
        let word = line.split_whitespace().next().unwrap_or_default();
        if !between || !IDLE_COMMANDS.contains(&word) {
            let what =
                format!("\\{word} is a command of psql and not SQL; take it out of the file");
            return Err(self.fault(self.at, what));
        }
        self.at += 1 + line.len();
        Ok(())
    }

    fn fault(&mut self, at: usize, what: String) -> Fault {
        Fault {
            line: self.line_of(at),
            what,
        }
    }

    /// The line of a byte behind the last one that was asked for.
    fn line_of(&mut self, at: usize) -> usize {
        let at = at.max(self.counted);
        self.line += lines(&self.sql[self.counted..at]);
        self.counted = at;
        self.line
    }
}

/// How many line ends a text has.
pub fn lines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

fn copies_in(statement: &Statement<'_>) -> bool {
    statement.word(0) == "copy"
        && (1..statement.tokens.len()).any(|at| statement.has(at, &["from", "stdin"]))
}

/// Whether a statement's first words are those that make a function or a procedure.
fn makes_routine(text: &str, tokens: &[Token]) -> bool {
    let word = |at: usize| {
        tokens
            .get(at)
            .map(|token| text[token.start..token.end].to_ascii_lowercase())
            .unwrap_or_default()
    };
    let at = if word(1) == "or" && word(2) == "replace" {
        3
    } else {
        1
    };
    word(0) == "create" && matches!(word(at).as_str(), "function" | "procedure")
}

/// What stands at a byte of a text, and the byte behind it; none if it has no end.
fn next(text: &str, at: usize) -> Option<(Piece, usize)> {
    let rest = &text[at..];
    let bytes = rest.as_bytes();
    let first = *bytes.first()?;
    let (piece, length) = match first {
        b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => {
            let blank = |byte: &u8| !byte.is_ascii_whitespace() && *byte != 0x0b;
            (
                Piece::Blank,
                bytes.iter().position(blank).unwrap_or(bytes.len()),
            )
        }
        b'-' if rest.starts_with("--") => (Piece::Blank, rest.find('\n').unwrap_or(rest.len())),
        b'/' if rest.starts_with("/*") => (Piece::Blank, comment(rest)?),
        b'\'' => (Piece::Token(Kind::Text), quoted(rest, 0, b'\'', false)?),
        b'"' => (Piece::Token(Kind::Quoted), quoted(rest, 0, b'"', false)?),
        b'e' | b'E' if bytes.get(1) == Some(&b'\'') => {
            (Piece::Token(Kind::Text), quoted(rest, 1, b'\'', true)?)
        }
        b'$' => match dollar(rest) {
            Dollar::Whole(length) => (Piece::Token(Kind::Text), length),
            Dollar::Open => return None,
            Dollar::Not => (Piece::Token(Kind::Symbol), 1),
        },
        _ if is_start(first) => (Piece::Token(Kind::Word), word(bytes)),
        _ if first.is_ascii_digit() => (Piece::Token(Kind::Symbol), word(bytes)),
        _ if is_operator(first) => (Piece::Token(Kind::Symbol), operator(rest)),
        _ => (Piece::Token(Kind::Symbol), 1),
    };
    Some((piece, at + length))
}

fn is_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_operator(byte: u8) -> bool {
    b"+-*/<>=~!@#%^&|`?".contains(&byte)
}

fn word(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|byte| !(is_start(*byte) || byte.is_ascii_digit() || *byte == b'$'))
        .unwrap_or(bytes.len())
}

/// The length of an operator, which ends where a comment begins.
fn operator(text: &str) -> usize {
    let end = text
        .bytes()
        .position(|byte| !is_operator(byte))
        .unwrap_or(text.len());
    let comment = [text.find("--"), text.find("/*")]
        .into_iter()
        .flatten()
        .min();
    comment.map_or(end, |comment| comment.min(end))
}

/// The length of what is between quotes, the first of which is at `start`; a doubled quote does not end it.
fn quoted(text: &str, start: usize, quote: u8, backslash: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = start + 1;
    while at < bytes.len() {
        if backslash && bytes[at] == b'\\' {
            at += 2;
        } else if bytes[at] == quote {
            if bytes.get(at + 1) != Some(&quote) {
                return Some(at + 1);
            }
            at += 2;
        } else {
            at += 1;
        }
    }
    None
}

enum Dollar {
    Whole(usize),
    Open,
    Not,
}

fn dollar(text: &str) -> Dollar {
    let bytes = text.as_bytes();
    let name = bytes[1..]
        .iter()
        .position(|byte| !(is_start(*byte) || byte.is_ascii_digit()))
        .unwrap_or(bytes.len() - 1);
    let numbered = bytes.get(1).is_some_and(u8::is_ascii_digit);
    if numbered || bytes.get(name + 1) != Some(&b'$') {
        return Dollar::Not;
    }
    let tag = &text[..name + 2];
    match text[tag.len()..].find(tag) {
        Some(length) => Dollar::Whole(length + 2 * tag.len()),
        None => Dollar::Open,
    }
}

/// The length of a comment, which may have others inside.
fn comment(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0usize, 0);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn texts(sql: &str) -> Vec<&str> {
        split(sql).unwrap().iter().map(|s| s.text).collect()
    }

    #[test]
    fn semicolons_inside_of_something_end_nothing() {
        for whole in [
            "select ';', 'it''s;', e'\\';', \";\"\"\" /* ; /* ; */ ; */ + 1",
            "select $$;$$, $a$ $$ ; $b$ $a$",
            "create rule r as on insert to t do (delete from a; delete from b)",
            "create or replace function f() returns int begin atomic select case when true then 1 end; select 2; end",
            "create procedure p() language sql begin atomic insert into t values (1); end",
            "select 1 -- one;",
            "select a$1, b",
        ] {
            let text = format!("{whole}\n; select 2;");
            let found = texts(&text);
            assert_eq!(found.len(), 2, "{whole}: {found:?}");
            assert!(whole.starts_with(found[0]), "{found:?}");
            assert_eq!(found[1], "select 2");
        }
    }

    #[test]
    fn a_block_of_a_transaction_is_no_body() {
        assert_eq!(
            texts("begin; insert into t values (1); end; ;; commit"),
            ["begin", "insert into t values (1)", "end", "commit"]
        );
    }

    #[test]
    fn lines_are_those_of_the_first_token() {
        let found = split("\n-- x\nselect\n1;\n\nselect 2; select 3").unwrap();
        let lines: Vec<usize> = found.iter().map(|s| s.line).collect();
        assert_eq!(lines, [3, 6, 6]);
    }

    #[test]
    fn rows_follow_a_copy() {
        let sql = "COPY public.t (a, b) FROM stdin;\n1\t;'\n\\N\t\\\\.\n\\.\n\nselect 1;copy e from stdin with (format csv);\r\n\\.\r\n";
        let found = split(sql).unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].rows, Some("1\t;'\n\\N\t\\\\.\n"));
        assert_eq!(found[1].text, "select 1");
        assert_eq!(found[2].rows, Some(""));
        assert_eq!(
            split("select 1;\ncopy t from stdin;\n1\n")
                .unwrap_err()
                .line,
            2
        );
    }

    #[test]
    fn commands_of_psql_are_passed_over_or_refused() {
        assert_eq!(
            texts("\\restrict abc\nselect 1;\n\\connect other\n\\unrestrict abc\n"),
            ["select 1"]
        );
        for (sql, line) in [
            ("select 1;\n\\i more.sql\n", 2),
            ("select 1\n\\gexec\n", 2),
            ("\\copy t from 'x'", 1),
        ] {
            assert_eq!(split(sql).unwrap_err().line, line, "{sql}");
        }
    }

    #[test]
    fn what_has_no_end_is_a_fault() {
        for sql in [
            "select 'a",
            "select \"a",
            "/* a",
            "select $$ a",
            "select (1;",
            "select e'\\'",
        ] {
            assert_eq!(split(&format!("\n{sql}")).unwrap_err().line, 2, "{sql}");
        }
        assert_eq!(texts(""), Vec::<&str>::new());
        assert_eq!(texts("select 'ä€', ä"), ["select 'ä€', ä"]);
    }

    #[test]
    fn names_are_folded_unless_quoted() {
        let found = split("create table Public.\"A\"\"b\" ()").unwrap();
        let names: Vec<String> = (0..5).map(|at| found[0].name(at)).collect();
        assert_eq!(names, ["create", "table", "public", "", "A\"b"]);
    }
}
