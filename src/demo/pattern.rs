//! The shape of texts that a plain regular expression describes.

use seed::masks::Shape;

/// How often `*` and `+` repeat at most.
const MANY: usize = 8;

/// The shape of a pattern between `^` and `$` made of characters, classes and repeats; none for anything else.
pub fn shape(pattern: &str) -> Option<Shape> {
    let inner = pattern.strip_prefix('^')?.strip_suffix('$')?;
    let mut parts: Vec<(Vec<char>, usize, usize)> = Vec::new();
    let mut rest = inner.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '[' => {
                let mut class = String::new();
                while let Some(c) = rest.next() {
                    if c == ']' && !class.is_empty() {
                        break;
                    }
                    class.push(c);
                    if c == '\\' {
                        class.extend(rest.next());
                    }
                }
                parts.push((members(&class)?, 1, 1));
            }
            '\\' => parts.push((escaped(rest.next()?)?, 1, 1)),
            '.' => parts.push((('a'..='z').collect(), 1, 1)),
            '?' => parts.last_mut()?.1 = 0,
            '*' => {
                let last = parts.last_mut()?;
                (last.1, last.2) = (0, MANY);
            }
            '+' => parts.last_mut()?.2 = MANY,
            '{' => {
                let mut text = String::new();
                while let Some(c) = rest.next_if(|c| *c != '}') {
                    text.push(c);
                }
                rest.next()?;
                let (low, high) = match text.split_once(',') {
                    None => (text.parse().ok()?, text.parse().ok()?),
                    Some((low, "")) => (low.parse().ok()?, low.parse::<usize>().ok()?.max(MANY)),
                    Some((low, high)) => (low.parse().ok()?, high.parse().ok()?),
                };
                let last = parts.last_mut()?;
                (last.1, last.2) = (low, high);
            }
            '(' | ')' | '|' | '^' | '$' => return None,
            c => parts.push((vec![c], 1, 1)),
        }
    }
    Some(Shape { parts })
}

/// The characters of a class; of one that names what is not in it, letters and digits that are.
fn members(class: &str) -> Option<Vec<char>> {
    let (not, class) = match class.strip_prefix('^') {
        Some(class) => (true, class),
        None => (false, class),
    };
    let mut found = Vec::new();
    let mut rest = class.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '\\' {
            found.extend(escaped(rest.next()?)?);
        } else if rest.peek() == Some(&'-') && rest.clone().nth(1).is_some() {
            rest.next();
            found.extend(c..=rest.next()?);
        } else {
            found.push(c);
        }
    }
    if not {
        let all = ('a'..='z').chain('0'..='9');
        found = all.filter(|c| !found.contains(c)).collect();
    }
    found.truncate(128);
    (!found.is_empty()).then_some(found)
}

fn escaped(c: char) -> Option<Vec<char>> {
    Some(match c {
        'd' => ('0'..='9').collect(),
        'w' => ('a'..='z').chain('0'..='9').collect(),
        's' => vec![' '],
        c if c.is_alphanumeric() => return None,
        c => vec![c],
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use seed::masks::{Kind, Row, Text};

    #[test]
    fn texts_have_the_shape_that_was_asked_for() {
        for (pattern, length) in [
            ("^[A-Z]{3}$", 3),
            ("^\\d{2}-[a-f0-9]{4}$", 7),
            ("^INV-[0-9]{6}$", 10),
        ] {
            let kind = Kind::Shape(shape(pattern).unwrap());
            let text = Text {
                kind,
                most: None,
                unique: false,
                rows: 1,
            };
            let made = Row::new(1, "t", 0).text("c", &text);
            assert_eq!(made.len(), length, "{pattern}: {made}");
        }
        assert!(shape("^[^@\\s]+@[^@\\s]+$").is_some());
        assert_eq!(shape("^(a|b)$"), None);
    }
}
