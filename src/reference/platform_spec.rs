//! The OpenAPI document of the platform's own calls, and what else is read out of it.

use serde_json::{Map, Value};

use crate::problem::{Kind, Problem};

/// Finishes the document that the framework makes.
///
/// An operation that needs two credentials needs them together, where the framework lists
/// them as alternatives (OpenAPI 3.0.3, Security Requirement Object); one that needs none says
/// so; and every operation answers errors as problem documents.
///
/// # Errors
/// `internal-error` if the document is not JSON.
pub fn finish(document: &str) -> Result<Value, Problem> {
    let mut document: Value = serde_json::from_str(document)
        .map_err(|error| Problem::new(Kind::InternalError).because(error))?;
    // Wherever the document itself is.
    document["servers"] = serde_json::json!([{"url": "/"}]);
    for operation in operations(&mut document) {
        if let Some(security) = operation.get_mut("security").and_then(Value::as_array_mut) {
            let together: Map<String, Value> = security
                .iter()
                .filter_map(Value::as_object)
                .flat_map(|scheme| scheme.clone())
                .collect();
            *security = vec![Value::Object(together)];
        } else {
            operation.insert("security".to_owned(), Value::Array(Vec::new()));
        }
        if let Some(responses) = operation
            .get_mut("responses")
            .and_then(Value::as_object_mut)
        {
            responses.insert("default".to_owned(), problem_response());
        }
    }
    if let Some(schemas) = document
        .pointer_mut("/components/schemas")
        .and_then(Value::as_object_mut)
    {
        schemas.insert("Problem".to_owned(), problem_schema());
    }
    Ok(document)
}

/// Path templates and the methods that each takes.
pub fn methods(document: &Value) -> Vec<(String, Vec<&'static str>)> {
    let Some(paths) = document.get("paths").and_then(Value::as_object) else {
        return Vec::new();
    };
    paths
        .iter()
        .map(|(path, item)| {
            let known = ["GET", "POST", "PUT", "PATCH", "DELETE"];
            let methods = known
                .into_iter()
                .filter(|method| item.get(method.to_lowercase()).is_some())
                .collect();
            (path.clone(), methods)
        })
        .collect()
}

fn operations(document: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    document
        .get_mut("paths")
        .and_then(Value::as_object_mut)
        .into_iter()
        .flat_map(|paths| paths.values_mut())
        .filter_map(Value::as_object_mut)
        .flat_map(|item| item.values_mut())
        .filter_map(Value::as_object_mut)
}

fn problem_response() -> Value {
    serde_json::json!({
        "description": "What went wrong",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    })
}

fn problem_schema() -> Value {
    let slugs: Vec<&str> = Kind::ALL.iter().map(|kind| kind.slug()).collect();
    serde_json::json!({
        "type": "object",
        "description": "Problem details (RFC 9457)",
        "required": ["type", "title", "status", "detail", "instance"],
        "properties": {
            "type": {"type": "string", "format": "uri", "description": format!("Ends in #error- and one of: {}", slugs.join(", "))},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "instance": {"type": "string"},
            "errors": {
                "type": "object",
                "description": "Messages by field or parameter",
                "additionalProperties": {"type": "array", "items": {"type": "string"}}
            }
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_needed_together() {
        let text = r##"{"paths":{"/api/tenant":{"delete":{"security":[{"bearer":[]},{"apiKey":[]}],"responses":{}},"get":{"responses":{}}}},"components":{"schemas":{}}}"##;
        let document = finish(text).unwrap();
        assert_eq!(
            document["paths"]["/api/tenant"]["delete"]["security"],
            serde_json::json!([{"bearer": [], "apiKey": []}])
        );
        let open = &document["paths"]["/api/tenant"]["get"]["security"];
        assert_eq!(*open, serde_json::json!([]));
        assert_eq!(document["servers"][0]["url"], "/");
        assert_eq!(
            methods(&document),
            [("/api/tenant".to_owned(), vec!["GET", "DELETE"])]
        );
    }
}
