//! Documents as values whose members keep their order, which readers of a long one are glad of.

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap as _, SerializeSeq as _},
};
use serde_json::{Number, Value};

/// One value of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Node>),
    /// An object, its members in the order of the document.
    Map(Vec<(String, Node)>),
}

/// An object: `map! { "type" => "string" }`.
macro_rules! map {
    ($($name:expr => $value:expr),* $(,)?) => {
        $crate::exports::tree::Node::Map(vec![
            $((String::from($name), $crate::exports::tree::Node::from($value))),*
        ])
    };
}

/// An array: `list!["id", "name"]`.
macro_rules! list {
    ($($value:expr),* $(,)?) => {
        $crate::exports::tree::Node::List(vec![$($crate::exports::tree::Node::from($value)),*])
    };
}

pub(super) use {list, map};

impl Node {
    /// Adds a member at the end; what is no object stays as it is.
    pub fn put(&mut self, name: impl Into<String>, value: impl Into<Node>) {
        if let Self::Map(members) = self {
            members.push((name.into(), value.into()));
        }
    }

    /// The same as a step of a chain.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Node>) -> Self {
        self.put(name, value);
        self
    }

    /// A member of an object.
    pub fn get(&self, name: &str) -> Option<&Node> {
        match self {
            Self::Map(members) => members
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// A member of an object, to change it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Node> {
        match self {
            Self::Map(members) => members
                .iter_mut()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// Takes a member out of an object.
    pub fn take(&mut self, name: &str) -> Option<Node> {
        match self {
            Self::Map(members) => {
                let at = members.iter().position(|(known, _)| known == name)?;
                Some(members.remove(at).1)
            }
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is an object or array without anything in it.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::List(items) => items.is_empty(),
            Self::Map(members) => members.is_empty(),
            _ => false,
        }
    }

    /// The values right below.
    pub fn below(&mut self) -> Vec<&mut Node> {
        match self {
            Self::List(items) => items.iter_mut().collect(),
            Self::Map(members) => members.iter_mut().map(|(_, value)| value).collect(),
            _ => Vec::new(),
        }
    }

    /// As JSON without blanks.
    pub fn json(&self) -> String {
        // Memory takes everything, and all keys are strings.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// As JSON for people.
    pub fn pretty(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Map(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Node {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Node {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Node {
    fn from(value: i64) -> Self {
        Self::Number(value.into())
    }
}

impl From<u32> for Node {
    fn from(value: u32) -> Self {
        Self::Number(value.into())
    }
}

impl From<u16> for Node {
    fn from(value: u16) -> Self {
        Self::Number(value.into())
    }
}

impl From<f64> for Node {
    fn from(value: f64) -> Self {
        Number::from_f64(value).map_or(Self::Null, Self::Number)
    }
}

impl From<Vec<Node>> for Node {
    fn from(items: Vec<Node>) -> Self {
        Self::List(items)
    }
}

impl<T: Into<Node>> FromIterator<T> for Node {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl From<&Value> for Node {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(number.clone()),
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(items) => items.iter().collect(),
            Value::Object(members) => Self::Map(
                members
                    .iter()
                    .map(|(name, value)| (name.clone(), value.into()))
                    .collect(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn members_keep_their_order() {
        let document = map! { "b" => 1_i64, "a" => list!["x", true] }.with("0", "\"");
        assert_eq!(document.json(), r#"{"b":1,"a":["x",true],"0":"\""}"#);
    }
}
