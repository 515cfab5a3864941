//! Does a value fit a column's type: checks that need no database, with messages for people.
//!
//! Only what is certain is refused here. What passes and still fails inside Postgres is found by
//! probing, see [`super::run`].

use super::catalog::types::oid;
use super::catalog::{Column, Type, TypeKind};
use super::json::string_value;

/// Checks a JSON value for a column. The error is a message that follows the column's name.
pub fn check_json(column: &Column, json: &str) -> Result<(), String> {
    if json == "null" {
        return Ok(());
    }
    let ty = column.ty.base();
    let first = json.as_bytes().first().copied().unwrap_or(b' ');
    match ty.oid {
        oid::INT2 | oid::INT4 | oid::INT8 => match first {
            b'-' | b'0'..=b'9' => check_integer(ty, json),
            b'"' => check_integer(ty, string_value(json).unwrap_or_default().trim()),
            _ => Err(format!("must be {}", describe(ty))),
        },
        oid::FLOAT4 | oid::FLOAT8 | oid::NUMERIC => match first {
            b'-' | b'0'..=b'9' => check_magnitude(ty, json),
            b'"' => {
                let text = string_value(json).unwrap_or_default();
                check_decimal(ty, text.trim())
            }
            _ => Err(format!("must be {}", describe(ty))),
        },
        oid::BOOL => match json {
            "true" | "false" | "\"true\"" | "\"false\"" => Ok(()),
            _ => Err("must be true or false".to_owned()),
        },
        oid::JSON | oid::JSONB => Ok(()),
        _ if matches!(ty.kind, TypeKind::Array(_)) => match first {
            b'[' | b'"' => Ok(()),
            _ => Err("must be an array".to_owned()),
        },
        _ if ty.kind == TypeKind::Composite => match first {
            b'{' | b'"' => Ok(()),
            _ => Err("must be an object".to_owned()),
        },
        _ => match string_value(json) {
            Some(text) => {
                check_text(&column.ty, &text)?;
                check_length(&column.ty, &text)
            }
            None => Err(format!("must be {}", describe(ty))),
        },
    }
}

/// Checks the text of a value for a type. The error is a message that follows a name.
pub fn check_text(ty: &Type, text: &str) -> Result<(), String> {
    if text.contains('\0') {
        return Err("holds the character U+0000, which can't be stored".to_owned());
    }
    let ty = ty.base();
    if let TypeKind::Enum(labels) = &ty.kind {
        if labels.iter().any(|label| label == text) {
            return Ok(());
        }
        return Err(format!("must be {}", describe(ty)));
    }
    match ty.oid {
        oid::INT2 | oid::INT4 | oid::INT8 => check_integer(ty, text.trim()),
        oid::FLOAT4 | oid::FLOAT8 | oid::NUMERIC => check_decimal(ty, text.trim()),
        oid::BOOL => check_bool(text),
        oid::UUID => check_uuid(text),
        _ => Ok(()),
    }
}

/// What a type takes, to follow "must be": `a whole number from -32768 to 32767`.
pub fn describe(ty: &Type) -> String {
    let ty = ty.base();
    if let TypeKind::Enum(labels) = &ty.kind {
        let shown: Vec<&str> = labels.iter().take(20).map(String::as_str).collect();
        let more = if labels.len() > shown.len() {
            ", .."
        } else {
            ""
        };
        return format!("one of {}{more}", shown.join(", "));
    }
    match ty.oid {
        oid::INT2 => format!("a whole number from {} to {}", i16::MIN, i16::MAX),
        oid::INT4 => format!("a whole number from {} to {}", i32::MIN, i32::MAX),
        oid::INT8 => format!("a whole number from {} to {}", i64::MIN, i64::MAX),
        oid::FLOAT4 | oid::FLOAT8 => "a number".to_owned(),
        oid::NUMERIC => match (ty.precision, ty.scale) {
            (Some(precision), Some(scale)) => format!(
                "a number with at most {} digits before the point",
                i64::from(precision) - i64::from(scale)
            ),
            _ => "a number".to_owned(),
        },
        oid::BOOL => "true or false".to_owned(),
        oid::UUID => "a UUID".to_owned(),
        oid::DATE => "a date such as 2024-02-29".to_owned(),
        oid::TIME | oid::TIMETZ => "a time of day such as 13:45:00".to_owned(),
        oid::TIMESTAMP => "a date and time such as 2024-02-29T13:45:00".to_owned(),
        oid::TIMESTAMPTZ => "an instant such as 2024-02-29T13:45:00Z".to_owned(),
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::CHAR => "a string".to_owned(),
        _ => format!("a string that {} can read", ty.shown),
    }
}

fn check_length(ty: &Type, text: &str) -> Result<(), String> {
    // Blanks beyond the length are cut off by Postgres, without an error.
    let longest = ty.length.unwrap_or(u32::MAX) as usize;
    if text.len() > longest && text.trim_end_matches(' ').chars().count() > longest {
        return Err(format!("must have at most {longest} characters"));
    }
    Ok(())
}

fn check_integer(ty: &Type, text: &str) -> Result<(), String> {
    let fits = match ty.oid {
        oid::INT2 => text.parse::<i16>().is_ok(),
        oid::INT4 => text.parse::<i32>().is_ok(),
        _ => text.parse::<i64>().is_ok(),
    };
    if fits {
        return Ok(());
    }
    Err(format!("must be {}", describe(ty)))
}

fn check_decimal(ty: &Type, text: &str) -> Result<(), String> {
    let bare = text.strip_prefix(['-', '+']).unwrap_or(text);
    let word = ["nan", "infinity", "inf"]
        .iter()
        .any(|word| bare.eq_ignore_ascii_case(word));
    if word {
        return Ok(());
    }
    let (mantissa, exponent) = bare.split_once(['e', 'E']).unwrap_or((bare, "0"));
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let spelt = digits(whole)
        && digits(part)
        && digits(exponent)
        && !exponent.is_empty()
        && whole.len() + part.len() > 0;
    if !spelt {
        return Err(format!("must be {}", describe(ty)));
    }
    check_magnitude(ty, text)
}

/// Refuses floating-point numbers that are too large; `numeric` is left to Postgres.
fn check_magnitude(ty: &Type, text: &str) -> Result<(), String> {
    let finite = match ty.oid {
        oid::FLOAT4 => text.parse::<f32>().is_ok_and(f32::is_finite),
        oid::FLOAT8 => text.parse::<f64>().is_ok_and(f64::is_finite),
        _ => true,
    };
    if finite {
        return Ok(());
    }
    Err(format!("is too large a number for {}", ty.shown))
}

fn check_bool(text: &str) -> Result<(), String> {
    const WORDS: [&str; 10] = [
        "true", "false", "t", "f", "yes", "no", "on", "off", "1", "0",
    ];
    if WORDS
        .iter()
        .any(|word| word.eq_ignore_ascii_case(text.trim()))
    {
        return Ok(());
    }
    Err("must be true or false".to_owned())
}

fn check_uuid(text: &str) -> Result<(), String> {
    let bare = text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .unwrap_or(text);
    let digits = bare.bytes().filter(u8::is_ascii_hexdigit).count();
    let other = bare.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if digits == 32 && other {
        return Ok(());
    }
    Err("must be a UUID".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::catalog::Generated;
    use super::*;

    fn column(ty: Type) -> Column {
        Column {
            name: "c".to_owned(),
            ty,
            nullable: true,
            default: None,
            generated: Generated::No,
            comment: None,
        }
    }

    fn fits(ty: &Type, json: &str) -> bool {
        check_json(&column(ty.clone()), json).is_ok()
    }

    #[test]
    fn integers() {
        let int2 = Type::builtin("int2", oid::INT2);
        for good in ["0", "-32768", "32767", "\"12\"", "\" 12 \"", "null"] {
            assert!(fits(&int2, good), "{good}");
        }
        for bad in [
            "32768",
            "1.0",
            "1e3",
            "true",
            "[]",
            "{}",
            "\"x\"",
            "\"\"",
            "\"1e400\"",
        ] {
            assert!(!fits(&int2, bad), "{bad}");
        }
    }

    #[test]
    fn decimals() {
        let float8 = Type::builtin("float8", oid::FLOAT8);
        let numeric = Type::builtin("numeric", oid::NUMERIC);
        for good in [
            "1",
            "-1.5e3",
            "\"1.5\"",
            "\"NaN\"",
            "\"-Infinity\"",
            "\".5\"",
        ] {
            assert!(fits(&float8, good) && fits(&numeric, good), "{good}");
        }
        for bad in [
            "true", "\"\"", "\"1,5\"", "\"abc\"", "\"1e\"", "\".\"", "[1]",
        ] {
            assert!(!fits(&float8, bad) && !fits(&numeric, bad), "{bad}");
        }
        assert!(!fits(&float8, "1e400"));
        assert!(!fits(&Type::builtin("float4", oid::FLOAT4), "1e39"));
        assert!(fits(&numeric, "1e400"));
    }

    #[test]
    fn texts() {
        let mut varchar = Type::builtin("varchar", oid::VARCHAR);
        varchar.length = Some(3);
        for good in ["\"\"", "\"abc\"", "\"äöü\"", "\"abc   \"", "\"\\u00e9bc\""] {
            assert!(fits(&varchar, good), "{good}");
        }
        for bad in ["\"abcd\"", "1", "true", "{}", "[\"a\"]"] {
            assert!(!fits(&varchar, bad), "{bad}");
        }
    }

    #[test]
    fn enums_and_domains() {
        let mut mood = Type::builtin("mood", 0);
        mood.kind = TypeKind::Enum(vec!["sad".to_owned(), "ok".to_owned()]);
        assert!(fits(&mood, "\"ok\""));
        assert_eq!(
            check_json(&column(mood.clone()), "\"OK\""),
            Err("must be one of sad, ok".to_owned())
        );
        let mut domain = Type::builtin("feeling", 0);
        domain.kind = TypeKind::Domain(Box::new(mood));
        assert!(!fits(&domain, "1"));
    }

    #[test]
    fn others() {
        let uuid = Type::builtin("uuid", oid::UUID);
        assert!(fits(&uuid, "\"5b6e2b0e-5a3c-4c9d-9f0e-0123456789ab\""));
        assert!(!fits(&uuid, "\"5b6e2b0e\""));
        let boolean = Type::builtin("bool", oid::BOOL);
        assert!(fits(&boolean, "false") && !fits(&boolean, "0"));
        let jsonb = Type::builtin("jsonb", oid::JSONB);
        assert!(fits(&jsonb, "{\"a\":1}") && fits(&jsonb, "1"));
        let mut array = Type::builtin("int4", 1007);
        array.kind = TypeKind::Array(Box::new(Type::builtin("int4", oid::INT4)));
        assert!(fits(&array, "[1]") && !fits(&array, "1"));
        let date = Type::builtin("date", oid::DATE);
        assert!(fits(&date, "\"2024-01-01\"") && !fits(&date, "20240101"));
    }
}
