//! Values that a client sent, in a document or as variables, with numbers as they were written.

use apollo_compiler::executable::Value;
use apollo_compiler::response::{JsonMap, JsonValue};
use std::collections::HashMap;

use crate::data::json::{elements, members, write_string};

/// A value. An enum's value is a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// The digits as sent, which a float would round.
    Number(String),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object, its members in the order given.
    Object(Vec<(String, Json)>),
}

/// The values of variables by name; one that was not given is missing.
pub type Variables = HashMap<String, Json>;

impl Json {
    /// Reads JSON text; `None` if it is none, is nested too deep, or holds half of a surrogate pair.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim_ascii();
        Some(match text.as_bytes().first()? {
            b'{' => Self::Object(
                members(text)?
                    .into_iter()
                    .map(|(name, value)| Some((name, Self::read(value)?)))
                    .collect::<Option<_>>()?,
            ),
            b'[' => Self::List(
                elements(text)?
                    .into_iter()
                    .map(Self::read)
                    .collect::<Option<_>>()?,
            ),
            b'"' => Self::Text(serde_json::from_str(text).ok()?),
            b't' => Self::Bool(true),
            b'f' => Self::Bool(false),
            b'n' => Self::Null,
            _ => Self::Number(text.to_owned()),
        })
    }

    /// The value of a literal; `None` where it is a variable that was not given.
    pub fn of(value: &Value, variables: &Variables) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Boolean(value) => Self::Bool(*value),
            Value::Int(number) => Self::Number(number.as_str().to_owned()),
            Value::Float(number) => Self::Number(number.as_str().to_owned()),
            Value::String(text) => Self::Text(text.clone()),
            Value::Enum(name) => Self::Text(name.to_string()),
            Value::Variable(name) => variables.get(name.as_str())?.clone(),
            Value::List(items) => Self::List(
                items
                    .iter()
                    .map(|item| Self::of(item, variables).unwrap_or(Self::Null))
                    .collect(),
            ),
            Value::Object(fields) => Self::Object(
                fields
                    .iter()
                    .filter_map(|(name, value)| {
                        Some((name.to_string(), Self::of(value, variables)?))
                    })
                    .collect(),
            ),
        })
    }

    /// As the library takes it, to be checked against its type: there numbers may be rounded.
    pub fn rounded(&self) -> JsonValue {
        match self {
            Self::Null => JsonValue::Null,
            Self::Bool(value) => (*value).into(),
            Self::Number(text) => {
                let whole = text.parse::<i64>().map(JsonValue::from);
                whole.unwrap_or_else(|_| {
                    let float = text.parse::<f64>().unwrap_or(f64::MAX);
                    float.clamp(f64::MIN, f64::MAX).into()
                })
            }
            Self::Text(text) => text.as_str().into(),
            Self::List(items) => JsonValue::Array(items.iter().map(Self::rounded).collect()),
            Self::Object(fields) => {
                let mut map = JsonMap::with_capacity(fields.len());
                for (name, value) in fields {
                    map.insert(name.as_str(), value.rounded());
                }
                JsonValue::Object(map)
            }
        }
    }

    /// The items of a list; a single value stands for a list of it (October 2021, 3.11).
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            single => std::slice::from_ref(single),
        }
    }

    /// The members of an object; nothing if it is none.
    pub fn fields(&self) -> &[(String, Self)] {
        match self {
            Self::Object(fields) => fields,
            _ => &[],
        }
    }

    /// What stands for the value in a key: a string without its quotes.
    pub fn bare(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            other => other.to_string(),
        }
    }

    fn write(&self, out: &mut String) {
        let between = |out: &mut String, at: usize| {
            if at > 0 {
                out.push(',');
            }
        };
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(text) => out.push_str(text),
            Self::Text(text) => write_string(out, text),
            Self::List(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    between(out, at);
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(fields) => {
                out.push('{');
                for (at, (name, value)) in fields.iter().enumerate() {
                    between(out, at);
                    write_string(out, name);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

impl std::fmt::Display for Json {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        self.write(&mut text);
        f.write_str(&text)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_as_written() {
        let text =
            r#"{"a":[12345678901234567890.10,-0.0,1e400],"b":{"c":"é\n","d":null},"e":true}"#;
        assert_eq!(Json::read(text).unwrap().to_string(), text);
    }

    #[test]
    fn what_is_no_json_is_nothing() {
        for text in ["", "{", "{\"a\":}", "\"\\ud800\"", "[1,]"] {
            assert_eq!(Json::read(text), None, "{text}");
        }
    }

    #[test]
    fn rounding_never_overflows() {
        assert_eq!(
            Json::Number("1e400".into()).rounded(),
            JsonValue::from(f64::MAX)
        );
        assert_eq!(Json::Number("7".into()).rounded(), JsonValue::from(7));
    }

    #[test]
    fn a_single_value_is_a_list_of_one() {
        assert_eq!(Json::Bool(true).items(), [Json::Bool(true)]);
        assert_eq!(Json::List(vec![]).items(), []);
    }
}
