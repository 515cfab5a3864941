//! JSON values as parameters: the text that each parameter's type reads.

use postgres_types::{Kind as TypeKind, Type};
use serde_json::value::RawValue;

use crate::{
    data::json::string_value,
    problem::{Kind, Problem},
};

/// How deep an array of arrays may go; Postgres stops at six.
const MAX_DEPTH: usize = 8;

/// One text per parameter, `None` for null.
///
/// # Errors
/// `validation-failed` if there are more or fewer values than parameters, or a value can't be
/// one of its type.
pub fn texts(types: &[Type], values: &[&RawValue]) -> Result<Vec<Option<String>>, Problem> {
    if types.len() != values.len() {
        return Err(Problem::new(Kind::ValidationFailed).field(
            "params",
            format!(
                "has {} values; the statement has {} parameters",
                values.len(),
                types.len()
            ),
        ));
    }
    let mut texts = Vec::with_capacity(values.len());
    for (at, (ty, value)) in types.iter().zip(values).enumerate() {
        let refuse = |message: String| {
            Problem::new(Kind::ValidationFailed).field(format!("params[{at}]"), message)
        };
        let text = text(ty, value.get()).map_err(refuse)?;
        if text.as_ref().is_some_and(|text| text.contains('\0')) {
            return Err(refuse(
                "holds the character U+0000, which no text has".to_owned(),
            ));
        }
        texts.push(text);
    }
    Ok(texts)
}

fn text(ty: &Type, json: &str) -> Result<Option<String>, String> {
    if json == "null" {
        return Ok(None);
    }
    let ty = base(ty);
    if *ty == Type::JSON || *ty == Type::JSONB {
        return Ok(Some(json.to_owned()));
    }
    match json.as_bytes().first() {
        Some(b'"') => Ok(Some(unquoted(json)?)),
        Some(b'[') if matches!(ty.kind(), TypeKind::Array(_)) => {
            let mut out = String::new();
            array(&mut out, ty, json, 0)?;
            Ok(Some(out))
        }
        Some(b'[') => Err(format!(
            "is an array, and the parameter is of type {}",
            ty.name()
        )),
        Some(b'{') => Err(format!(
            "is an object, and the parameter is of type {}",
            ty.name()
        )),
        // Numbers and booleans are spelt as Postgres reads them, without a way through a float.
        _ => Ok(Some(json.to_owned())),
    }
}

/// The type below all domains.
fn base(ty: &Type) -> &Type {
    match ty.kind() {
        TypeKind::Domain(inner) => base(inner),
        _ => ty,
    }
}

/// `[1, null, "a b"]` as `{"1",NULL,"a b"}`, which `array_in` reads.
fn array(out: &mut String, ty: &Type, json: &str, depth: usize) -> Result<(), String> {
    let element = match ty.kind() {
        TypeKind::Array(element) => base(element),
        _ => ty,
    };
    if depth > MAX_DEPTH {
        return Err(format!("is nested more than {MAX_DEPTH} deep"));
    }
    let items: Vec<&RawValue> =
        serde_json::from_str(json).map_err(|_| "is no array that can be read".to_owned())?;
    out.push('{');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        let item = item.get();
        let is_json = *element == Type::JSON || *element == Type::JSONB;
        if item.starts_with('[') && !is_json {
            array(out, ty, item, depth + 1)?;
            continue;
        }
        match text(element, item)? {
            None => out.push_str("NULL"),
            Some(text) => {
                out.push('"');
                for c in text.chars() {
                    if matches!(c, '"' | '\\') {
                        out.push('\\');
                    }
                    out.push(c);
                }
                out.push('"');
            }
        }
    }
    out.push('}');
    Ok(())
}

fn unquoted(json: &str) -> Result<String, String> {
    string_value(json).ok_or_else(|| "is no text that can be read".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn values_are_spelt_for_their_type() {
        for (ty, json, spelt) in [
            (Type::INT4, "7", Some("7")),
            (
                Type::NUMERIC,
                "12345678901234567890.10",
                Some("12345678901234567890.10"),
            ),
            (Type::BOOL, "true", Some("true")),
            (Type::TEXT, "\"a\\u00e4\"", Some("aä")),
            (Type::TEXT, "12", Some("12")),
            (Type::TEXT, "null", None),
            (Type::JSONB, "{\"a\":[1]}", Some("{\"a\":[1]}")),
            (Type::JSON, "\"x\"", Some("\"x\"")),
            (
                Type::INT4_ARRAY,
                "[1, null, [2]]",
                Some("{\"1\",NULL,{\"2\"}}"),
            ),
            (
                Type::TEXT_ARRAY,
                "[\"a\\\"\", \"\\\\\"]",
                Some("{\"a\\\"\",\"\\\\\"}"),
            ),
            (Type::JSONB_ARRAY, "[[1], {}]", Some("{\"[1]\",\"{}\"}")),
        ] {
            assert_eq!(text(&ty, json).unwrap().as_deref(), spelt, "{ty} {json}");
        }
        assert!(text(&Type::INT4, "[1]").is_err());
        assert!(text(&Type::TEXT, "{}").is_err());
        let deep = "[".repeat(100) + &"]".repeat(100);
        assert!(text(&Type::INT4_ARRAY, &deep).is_err());
    }

    #[test]
    fn there_are_as_many_values_as_parameters() {
        assert!(texts(&[Type::INT4], &[]).is_err());
        assert!(texts(&[], &[]).unwrap().is_empty());
    }
}
