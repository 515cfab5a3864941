//! Query strings and forms as lists of pairs, in the order in which they came.

use crate::listing::words::{decode, encode};

/// Pairs of a query string or a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs(pub Vec<(String, String)>);

impl Pairs {
    /// Reads `a=1&b=2`; what is not percent-encoded UTF-8 is left out, and NUL, which no text of Postgres' holds.
    pub fn read(text: &str) -> Self {
        let pairs = text.split('&').filter(|part| !part.is_empty());
        Self(
            pairs
                .filter_map(|part| {
                    let (name, value) = part.split_once('=').unwrap_or((part, ""));
                    Some((decode(name, true)?, decode(value, true)?.replace('\0', "")))
                })
                .collect(),
        )
    }

    /// The first value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first value of a name without blanks around it; empty if there is none.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default().trim()
    }

    /// All values of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Without the pairs of some names.
    pub fn without(&self, names: &[&str]) -> Self {
        Self(
            self.0
                .iter()
                .filter(|(name, _)| !names.contains(&name.as_str()))
                .cloned()
                .collect(),
        )
    }

    /// With one pair in the place of those of its name.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut pairs = self.without(&[name]);
        pairs.0.push((name.to_owned(), value.to_owned()));
        pairs
    }

    /// Without the pair at a place.
    pub fn without_at(&self, at: usize) -> Self {
        let mut pairs = self.clone();
        if at < pairs.0.len() {
            pairs.0.remove(at);
        }
        pairs
    }

    /// What stands behind a path: `?a=1`, or nothing.
    pub fn behind(&self, path: &str) -> String {
        let query = self.written();
        if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{query}")
        }
    }

    /// `a=1&b=2`; brackets and commas stay readable.
    pub fn written(&self) -> String {
        let readable = |text: &str| {
            encode(text)
                .replace("%2C", ",")
                .replace("%5B", "[")
                .replace("%5D", "]")
                .replace("%3A", ":")
        };
        self.0
            .iter()
            .map(|(name, value)| format!("{}={}", readable(name), readable(value)))
            .collect::<Vec<_>>()
            .join("&")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_the_same() {
        let pairs = Pairs::read("filter[total.gte]=1%2C000&q=a+b%26c&sort=-id&&x");
        assert_eq!(pairs.get("filter[total.gte]"), Some("1,000"));
        assert_eq!(pairs.text("q"), "a b&c");
        assert_eq!(pairs.get("x"), Some(""));
        assert_eq!(Pairs::read(&pairs.written()), pairs);
    }

    #[test]
    fn pairs_are_exchanged_by_name_and_place() {
        let pairs = Pairs::read("a=1&b=2&a=3");
        assert_eq!(pairs.with("a", "4").written(), "b=2&a=4");
        assert_eq!(pairs.without_at(0).written(), "b=2&a=3");
        assert_eq!(pairs.without(&["a", "b"]).behind("/x"), "/x");
        assert_eq!(pairs.all("a").collect::<Vec<_>>(), ["1", "3"]);
    }
}
