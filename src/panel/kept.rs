//! JSON that is shown and sent on as it was written: numbers keep their digits, members their order.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::cells::Row;

/// JSON's null.
pub fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

/// A value as JSON.
pub fn json(value: &(impl Serialize + ?Sized)) -> Box<RawValue> {
    to_raw_value(value).unwrap_or_else(|_| null())
}

/// An object with a line for each member; values keep the text that they came as.
pub fn indented(object: &str, depth: usize) -> Option<String> {
    let row: Row = serde_json::from_str(object).ok()?;
    let mut lines = Vec::new();
    for (name, value) in &row.0 {
        let value = match value.get() {
            object if object.starts_with('{') => indented(object, depth + 1)?,
            other => other.to_owned(),
        };
        lines.push(format!(
            "{:width$}{}: {value}",
            "",
            json(name),
            width = 2 * depth
        ));
    }
    if lines.is_empty() {
        return Some("{}".to_owned());
    }
    let end = "  ".repeat(depth - 1);
    Some(format!("{{\n{}\n{end}}}", lines.join(",\n")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn objects_get_a_line_for_each_member() {
        let text = r#"{"n": 12345678901234567890.50, "of": {"a": [1, 2.0]}, "none": {}}"#;
        assert_eq!(
            indented(text, 1).unwrap(),
            "{\n  \"n\": 12345678901234567890.50,\n  \"of\": {\n    \"a\": [1, 2.0]\n  },\n  \"none\": {}\n}"
        );
    }
}
