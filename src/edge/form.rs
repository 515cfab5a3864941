//! JSON bodies of the platform's own calls, read field by field.
//!
//! All fields at fault are named in one answer, and an unknown field is a fault too.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use poem::{Request, RequestBody, Result};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, Registry},
    types::Type,
};
use serde_json::{Map, Value};

use crate::problem::{FieldErrors, Kind, Problem};

/// A body that a call takes: documented by its `Type`, read by [`Form::read`].
pub trait Form: Type + Send {
    /// Whether a request without a body is read like one with an empty object.
    const MAY_BE_EMPTY: bool = false;

    /// Takes the fields out of the body; what is missing or wrong is noted in `fields`.
    fn read(fields: &mut Fields) -> Self;
}

/// The fields of a body that are not read yet, and what was wrong so far.
pub struct Fields {
    object: Map<String, Value>,
    errors: FieldErrors,
}

impl Fields {
    /// A text that has to be there; empty if it is not.
    pub fn text(&mut self, name: &str) -> String {
        match self.object.remove(name) {
            Some(value) => self.as_text(name, value).unwrap_or_default(),
            None => {
                self.fault(name, "is required");
                String::new()
            }
        }
    }

    /// A text that may be absent or null.
    pub fn optional_text(&mut self, name: &str) -> Option<String> {
        match self.object.remove(name) {
            None | Some(Value::Null) => None,
            Some(value) => self.as_text(name, value),
        }
    }

    /// A truth value that may be absent or null.
    pub fn optional_bool(&mut self, name: &str) -> Option<bool> {
        match self.object.remove(name) {
            None | Some(Value::Null) => None,
            Some(Value::Bool(value)) => Some(value),
            Some(_) => {
                self.fault(name, "must be true or false");
                None
            }
        }
    }

    /// An object that may be absent or null.
    pub fn optional_object(&mut self, name: &str) -> Option<Map<String, Value>> {
        match self.object.remove(name) {
            None | Some(Value::Null) => None,
            Some(value) if holds_nul(&value) => {
                self.fault(name, "must not contain the character NUL");
                None
            }
            Some(Value::Object(object)) => Some(object),
            Some(_) => {
                self.fault(name, "must be an object");
                None
            }
        }
    }

    /// A list of texts that may be absent or null.
    pub fn optional_texts(&mut self, name: &str) -> Option<Vec<String>> {
        match self.object.remove(name) {
            None | Some(Value::Null) => None,
            Some(Value::Array(items)) => items
                .into_iter()
                .map(|item| self.as_text(name, item))
                .collect(),
            Some(_) => {
                self.fault(name, "must be a list of texts");
                None
            }
        }
    }

    /// A whole number within bounds that may be absent or null.
    pub fn optional_number(&mut self, name: &str, bounds: RangeInclusive<u32>) -> Option<u32> {
        let value = self.object.remove(name).filter(|value| !value.is_null())?;
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| bounds.contains(number));
        if number.is_none() {
            let (least, most) = (bounds.start(), bounds.end());
            self.fault(
                name,
                format!("must be a whole number from {least} to {most}"),
            );
        }
        number
    }

    /// An instant that may be absent or null.
    pub fn optional_instant(&mut self, name: &str) -> Option<DateTime<Utc>> {
        let text = self.optional_text(name)?;
        let instant = DateTime::parse_from_rfc3339(&text);
        if instant.is_err() {
            self.fault(
                name,
                "must be an instant as RFC 3339 writes it, such as 2030-01-31T12:00:00Z",
            );
        }
        instant.ok().map(|instant| instant.with_timezone(&Utc))
    }

    /// Whether a field is there, be it null.
    pub fn is_given(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    /// Whether a field is there and null.
    pub fn is_null(&self, name: &str) -> bool {
        self.object.get(name).is_some_and(Value::is_null)
    }

    /// Takes a field away unread.
    pub fn take(&mut self, name: &str) {
        self.object.remove(name);
    }

    /// Notes what is wrong with a field.
    pub fn fault(&mut self, name: &str, message: impl Into<String>) {
        self.errors
            .entry(name.to_owned())
            .or_default()
            .push(message.into());
    }

    /// Whether nothing is wrong with a field so far.
    pub fn is_sound(&self, name: &str) -> bool {
        !self.errors.contains_key(name)
    }

    fn as_text(&mut self, name: &str, value: Value) -> Option<String> {
        match value {
            // PostgreSQL's text can't hold NUL.
            Value::String(text) if text.contains('\0') => {
                self.fault(name, "must not contain the character NUL");
                None
            }
            Value::String(text) => Some(text),
            _ => {
                self.fault(name, "must be a text");
                None
            }
        }
    }

    fn finish(mut self) -> Result<(), Problem> {
        let unknown: Vec<String> = self.object.keys().cloned().collect();
        for name in unknown {
            self.fault(&name, "is not a field of this call");
        }
        if self.errors.is_empty() {
            return Ok(());
        }
        let mut problem = Problem::new(Kind::ValidationFailed);
        problem.errors = self.errors;
        Err(problem)
    }
}

/// Reads a whole body.
///
/// # Errors
/// `bad-request` if it is not a JSON object, `validation-failed` naming the fields at fault.
pub fn read<T: Form>(body: &[u8]) -> Result<T, Problem> {
    if body.is_empty() {
        return Err(Problem::new(Kind::BadRequest).detail("The body is empty."));
    }
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        Problem::new(Kind::BadRequest).detail(format!("The body is not valid JSON: {error}."))
    })?;
    let Value::Object(object) = value else {
        return Err(Problem::new(Kind::BadRequest).detail("The body is not a JSON object."));
    };
    let mut fields = Fields {
        object,
        errors: FieldErrors::new(),
    };
    let form = T::read(&mut fields);
    fields.finish()?;
    Ok(form)
}

/// The extractor: an operation's argument `Body<T>` is its checked body.
pub struct Body<T>(pub T);

impl<'a, T: Form> ApiExtractor<'a> for Body<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: None,
            content: vec![MetaMediaType {
                content_type: "application/json",
                schema: T::schema_ref(),
            }],
            required: !T::MAY_BE_EMPTY,
        })
    }

    async fn from_request(
        _request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        // The edge has read the body whole and checked its media type and size.
        let bytes = body.take()?.into_bytes().await?;
        let text: &[u8] = if bytes.is_empty() && T::MAY_BE_EMPTY {
            b"{}"
        } else {
            &bytes
        };
        Ok(Self(read(text)?))
    }
}

/// Whether a text in it has the one character that Postgres stores in none.
fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| name.contains('\0') || holds_nul(value)),
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use poem_openapi::Object;

    #[derive(Debug, Object)]
    struct Sample {
        email: String,
        name: Option<String>,
    }

    impl Form for Sample {
        fn read(fields: &mut Fields) -> Self {
            Self {
                email: fields.text("email"),
                name: fields.optional_text("name"),
            }
        }
    }

    fn faults(body: &str) -> Vec<String> {
        let problem = read::<Sample>(body.as_bytes()).unwrap_err();
        assert_eq!(problem.kind, Kind::ValidationFailed, "{body}");
        problem.errors.into_keys().collect()
    }

    #[test]
    fn a_sound_body_is_read() {
        let sample: Sample = read(br#"{"email":"a@b.example"}"#).unwrap();
        assert_eq!((sample.email.as_str(), sample.name), ("a@b.example", None));
    }

    #[test]
    fn all_faults_are_named_at_once() {
        assert_eq!(
            faults(r#"{"name":5,"extra":1}"#),
            ["email", "extra", "name"]
        );
        assert_eq!(faults(r#"{"email":"a\u0000b"}"#), ["email"]);
    }

    #[test]
    fn what_is_no_object_is_a_bad_request() {
        for body in [
            "",
            "[]",
            "{",
            "{\"email\":\"\\ud800\"}",
            "{\"email\":1e400}",
        ] {
            assert_eq!(
                read::<Sample>(body.as_bytes()).unwrap_err().kind,
                Kind::BadRequest,
                "{body}"
            );
        }
        let deep = "[".repeat(100_000);
        assert_eq!(
            read::<Sample>(deep.as_bytes()).unwrap_err().kind,
            Kind::BadRequest
        );
    }
}
