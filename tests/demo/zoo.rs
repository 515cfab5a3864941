//! A template with a column of every type, and in each of its cells a marker in the type's own format.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use seed::dice::Dice;
use tokio_postgres::Client as Postgres;

/// Types, and how a marker is written in them: `{m}` stands for letters, `{n}` for fifteen digits, `{k}` for nine, `{h}`
/// for hexadecimal digits, `{d}` for a day of long ago, `{t}` for a time of day.
const TYPES: &[(&str, &str)] = &[
    ("text", "'{m}'"),
    ("text", "'  {M}-{n}  '"),
    ("varchar(60)", "'{M}.{m}@{m}.test'"),
    ("char(30)", "'{m}'"),
    ("name", "'{m}'"),
    ("int4", "1{k}"),
    ("int8", "{n}"),
    ("numeric", "{n}.{k}"),
    ("numeric(14,2)", "{k}.17"),
    ("float8", "{n}"),
    ("money", "'{k}.17'"),
    ("oid", "1{k}"),
    ("date", "'{d}'"),
    ("timestamp", "'{d} {t}'"),
    ("timestamptz", "'{d} {t}+00'"),
    ("time", "'{t}'"),
    ("timetz", "'{t}+00'"),
    ("interval", "'{k} days {t}'"),
    ("uuid", "'{h}'"),
    ("bytea", "'\\x{h}{h}'"),
    ("inet", "'10.{b}.{b}.{b}'"),
    ("cidr", "'10.{b}.{b}.{b}/32'"),
    ("macaddr8", "left('{h}', 16)::macaddr8"),
    ("json", "'{\"{m}\": {\"{m}\": [\"{m}\", {n}]}}'"),
    ("jsonb", "'{\"{m}\": [{\"{m}\": \"{m}\"}, {n}, \"{d}\"]}'"),
    ("jsonb", "'[\"{m}\", {\"note\": \"{m} {m}\"}]'"),
    ("jsonpath", "'$.{m}'"),
    ("xml", "'<note by=\"{m}\">{m}</note>'::xml"),
    ("tsvector", "'{m} {m}'"),
    ("tsquery", "'{m} & {m}'"),
    ("point", "'({n},{n})'"),
    ("box", "'({n},{n}),({k},{k})'"),
    ("path", "'(({n},{n}),({n},{n}))'"),
    ("polygon", "'(({n},{n}),({n},{n}))'"),
    ("circle", "'<({n},{n}),{k}>'"),
    ("lseg", "'(({n},{n}),({n},{n}))'"),
    ("line", "'{1,{n},{n}}'"),
    ("pg_lsn", "'7A{h8}/1'"),
    ("xid8", "'{n}'"),
    ("pg_snapshot", "'{n}:9{n}:'"),
    ("text[]", "array['{m}', '{m}']"),
    ("int8[]", "array[{n}, {n}]"),
    ("uuid[]", "array['{h}'::uuid]"),
    ("jsonb[]", "array['{\"a\": \"{m}\"}'::jsonb]"),
    ("date[]", "array['{d}'::date]"),
    ("inet[]", "array['10.{b}.{b}.{b}'::inet]"),
    ("int8range", "'[{n},9{n})'"),
    ("numrange", "'[{n},9{n})'"),
    ("daterange", "'[{d},2999-01-01)'"),
    ("tstzrange", "'[{d} {t}+00,2999-01-01)'"),
    ("int8multirange", "'{[{n},9{n})}'"),
    ("marked", "'{m}'"),
    ("pair", "row('{m}', {n})"),
    ("pair[]", "array[row('{m}', {n})::pair]"),
];

/// Rows of the table.
const ROWS: u64 = 6;

/// The template as SQL, each time the same.
pub fn sql() -> String {
    let mut dice = Dice::new(4711, "zoo", 0);
    let mut mark = |text: &str| written(text, &mut dice);
    let columns: Vec<String> = TYPES
        .iter()
        .enumerate()
        .map(|(at, (ty, _))| format!("odd_{at:02} {ty}"))
        .collect();
    let mut sql = mark(
        "create domain marked as text default '{m}' check (value <> '{m}');
         create type pair as (a text, b int8);
         create function told() returns text language sql as $$ select '{m}'::text $$;
         comment on function told() is '{m}';
         comment on type pair is '{m}';\n",
    );
    sql.push_str(&format!(
        "create table zoo (id int generated always as identity primary key, {}, said text default ",
        columns.join(", ")
    ));
    sql.push_str(&mark(
        "'{m}', loud text generated always as (odd_00 || '{m}') stored, unique (odd_00), check (said <> '{m}'));
         comment on table zoo is '{m}'; comment on column zoo.odd_00 is '{m}';
         create index on zoo (lower(odd_00)) where odd_00 <> '{m}';
         create view seen as select id, '{m}'::text as told, odd_00 from zoo where odd_00 <> '{m}';
         create view counted as select id, length(odd_00) as size from zoo;
         create table codes (code text primary key, label text not null, weight int8 not null unique);
         create table tags (code text not null references codes, zoo_id int not null references zoo, note text, primary key (code, zoo_id));
         comment on constraint tags_pkey on tags is '{m}';\n",
    ));
    for _ in 0..ROWS {
        let cells: Vec<String> = TYPES.iter().map(|(_, cell)| mark(cell)).collect();
        sql.push_str(&format!(
            "insert into zoo overriding user value values (default, {}, {});\n",
            cells.join(", "),
            mark("'{m}', default")
        ));
    }
    for row in 1..=ROWS {
        let code = mark("'{m}'");
        sql.push_str(&format!(
            "insert into codes values ({code}, {}); insert into tags values ({code}, {row}, {});\n",
            mark("'{m}', {n}"),
            mark("'{m} {m}'")
        ));
    }
    sql
}

/// A text with markers in place of their signs.
fn written(text: &str, dice: &mut Dice) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        let end = rest[at..].find('}').map_or(rest.len(), |end| at + end + 1);
        let sign = &rest[at..end];
        let mut draw = |signs: &[u8], count: usize| -> String {
            (0..count)
                .map(|_| char::from(signs[dice.below(signs.len())]))
                .collect()
        };
        let digits = b"1234567890";
        let found = match sign {
            "{m}" => Some(draw(b"qxzjvwkgbpfy", 14)),
            "{M}" => Some(draw(b"QxZjVwKgBpFy", 14)),
            "{n}" => Some(format!("6{}", draw(digits, 14))),
            "{k}" => Some(format!("1{}", draw(digits, 8))),
            "{h}" => Some(draw(b"0123456789abcdef", 32)),
            "{h8}" => Some(draw(b"0123456789ABCDEF", 6)),
            "{b}" => Some(format!("1{}", draw(digits, 2))),
            "{d}" => Some(format!(
                "16{}-0{}-1{}",
                draw(b"123456789", 2),
                draw(b"123456789", 1),
                draw(digits, 1)
            )),
            "{t}" => Some(format!(
                "1{}:2{}:3{}.{}",
                draw(digits, 1),
                draw(digits, 1),
                draw(digits, 1),
                draw(b"123456789", 6)
            )),
            _ => None,
        };
        match found {
            Some(found) => {
                out.push_str(&found);
                rest = &rest[end..];
            }
            None => {
                out.push('{');
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// What must not come out, by length: pieces of every form of every marker, in small letters.
#[derive(Default)]
pub struct Markers {
    pieces: BTreeMap<usize, BTreeSet<Vec<u8>>>,
    /// How many values they were made of.
    pub values: usize,
}

impl Markers {
    /// Those of all cells of all columns of the schema `public`, as its catalog names them, but for keys that the database
    /// numbers; and those in definitions.
    pub async fn read(superuser: &Postgres) -> Self {
        let mut markers = Self::default();
        let sql = "select c.relname::text, a.attname::text from pg_attribute a join pg_class c on c.oid = a.attrelid
            where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
              and a.attidentity = '' and a.attname <> 'zoo_id' and c.relname <> 'users'";
        for row in superuser.query(sql, &[]).await.unwrap() {
            let (table, column): (String, String) = (row.get(0), row.get(1));
            let sql = format!(
                "select \"{column}\"::text from public.\"{table}\" where \"{column}\" is not null"
            );
            for row in superuser.query(&sql, &[]).await.unwrap() {
                markers.add(row.get(0));
            }
        }
        let definitions = "select pg_get_expr(adbin, adrelid) from pg_attrdef d join pg_class c on c.oid = d.adrelid
              where c.relnamespace = 'public'::regnamespace and c.relname <> 'users'
            union all select description from pg_description where description ~ '[qxzjvwk]{4}'
            union all select pg_get_constraintdef(oid) from pg_constraint where connamespace = 'public'::regnamespace and contype = 'c'
            union all select pg_get_viewdef(oid) from pg_class where relnamespace = 'public'::regnamespace and relkind = 'v'
            union all select prosrc from pg_proc where pronamespace = 'public'::regnamespace
            union all select typdefault from pg_type where typnamespace = 'public'::regnamespace";
        for row in superuser.query(definitions, &[]).await.unwrap() {
            let text: Option<String> = row.get(0);
            // Of a definition only its markers count; the words around them are SQL.
            let words = text.unwrap_or_default();
            let words = words.split(|c: char| !c.is_ascii_alphanumeric());
            for word in
                words.filter(|word| word.len() == 14 && !word.contains(['a', 'e', 'o', 'u']))
            {
                markers.add(word);
            }
        }
        markers
    }

    fn add(&mut self, value: &str) {
        self.values += 1;
        let lower = value.to_lowercase();
        let trimmed = lower.trim();
        let digits: String = trimmed.chars().filter(char::is_ascii_digit).collect();
        let forms = [
            trimmed.to_owned(),
            trimmed.chars().rev().collect(),
            digits.clone(),
            digits.chars().rev().collect(),
        ];
        if trimmed.len() >= 12 {
            self.insert(trimmed, trimmed.len());
        }
        for form in forms {
            self.windows(&form);
        }
        for text in [value, value.trim()] {
            self.insert(&hex::encode(text), 16);
            self.insert(&percent(text).to_lowercase(), 16);
            // Behind one or two other letters, base64 looks different; its ends depend on what is beside.
            for before in ["", "-", "--"] {
                let coded = BASE64.encode(format!("{before}{text}")).to_lowercase();
                if coded.len() >= 20 {
                    self.insert(&coded[4..coded.len() - 4], 12);
                }
            }
        }
    }

    /// Pieces of eight characters; longer ones where so few signs could be there by chance.
    fn windows(&mut self, form: &str) {
        let numbers = |text: &str| text.chars().all(|c| !c.is_ascii_alphabetic());
        let hexadecimal = |text: &str| text.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        for piece in form.as_bytes().windows(8) {
            let Ok(piece) = std::str::from_utf8(piece) else {
                continue;
            };
            let letters = piece.chars().filter(char::is_ascii_alphabetic).count();
            let signs = |sign: char| piece.matches(sign).count();
            let address = signs('.') >= 2 && letters == 0
                || (signs(':') + signs('/') > 0
                    && letters > 0
                    && piece
                        .chars()
                        .all(|c| c.is_ascii_hexdigit() || c == ':' || c == '/'));
            if letters >= 6 && !hexadecimal(piece) || address {
                self.insert(piece, 8);
            }
        }
        // Days and times have few digits each: a year of long ago with its month, and parts of a second.
        for piece in form.as_bytes().windows(8) {
            let Ok(piece) = std::str::from_utf8(piece) else {
                continue;
            };
            let day = piece.starts_with("16")
                && piece.as_bytes()[4] == b'-'
                && piece.as_bytes()[7] == b'-';
            let second =
                piece.as_bytes()[1] == b'.' && piece[2..].bytes().all(|b| b.is_ascii_digit());
            if day || second {
                self.insert(piece, 8);
            }
        }
        for piece in form.split(|c: char| !c.is_ascii_hexdigit()) {
            if numbers(piece) && piece.len() >= 9 {
                self.insert(piece, piece.len().min(12));
            } else if piece.len() >= 16 {
                self.insert(piece, 16);
            }
        }
    }

    /// All pieces of `length` of a form.
    fn insert(&mut self, form: &str, length: usize) {
        for piece in form.as_bytes().windows(length) {
            self.pieces
                .entry(length)
                .or_default()
                .insert(piece.to_vec());
        }
    }

    /// A piece that a text holds, whatever its case.
    pub fn found(&self, text: &str) -> Option<String> {
        let text = text.to_lowercase();
        self.pieces.iter().find_map(|(length, pieces)| {
            let piece = text
                .as_bytes()
                .windows(*length)
                .find(|piece| pieces.contains(*piece))?;
            Some(String::from_utf8_lossy(piece).into_owned())
        })
    }

    /// How many pieces are looked for.
    pub fn len(&self) -> usize {
        self.pieces.values().map(BTreeSet::len).sum()
    }
}

/// All signs but letters and digits as `%xx`.
fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
