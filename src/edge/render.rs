//! Problems as answers: RFC 9457 documents, also for what the framework refuses.

use std::collections::BTreeMap;

use poem::{
    Response,
    error::{MethodNotAllowedError, NotFoundError, ResponseError},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    error::{ContentTypeError, ParseParamError, ParsePathError, ParseRequestPayloadError},
    registry::{MetaResponses, Registry},
};
use serde::Serialize;

use crate::problem::{FieldErrors, Kind, Problem};

use super::request_id::RequestId;

/// Turns every error into its answer.
pub struct Renderer {
    public_url: String,
    methods: Vec<(String, Vec<&'static str>)>,
}

/// The document; members in the order of RFC 9457.
#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    errors: &'a FieldErrors,
    #[serde(flatten)]
    members: BTreeMap<&'a str, &'a serde_json::Value>,
}

impl Renderer {
    /// A renderer for a server reached under `public_url`.
    ///
    /// `methods` are the routes that the framework matches by itself, as path template and
    /// methods: its 405 does not say which methods a path takes, so `Allow` is filled from here.
    pub fn new(public_url: String, methods: Vec<(String, Vec<&'static str>)>) -> Self {
        Self {
            public_url,
            methods,
        }
    }

    /// The answer to a request that failed, and a log line if the server is at fault.
    pub fn render(
        &self,
        error: poem::Error,
        method: &Method,
        path: &str,
        id: &RequestId,
    ) -> Response {
        let problem = self.problem(error, path);
        let status = problem.kind.status();
        if let Some(source) = &problem.source {
            if status >= 500 {
                tracing::error!(%id, %method, path, slug = problem.kind.slug(), cause = %chain(&**source), "request failed");
            } else {
                tracing::debug!(%id, %method, path, slug = problem.kind.slug(), cause = %chain(&**source), "request refused");
            }
        }
        let document = Document {
            r#type: format!("{}/api_docs#error-{}", self.public_url, problem.kind.slug()),
            title: problem.kind.title(),
            status,
            detail: &problem.detail,
            instance: path,
            errors: &problem.errors,
            members: problem
                .members
                .iter()
                .map(|(name, value)| (*name, value))
                .collect(),
        };
        let mut response = Response::builder()
            .status(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
            .header(header::CONTENT_TYPE, "application/problem+json")
            // JSON and strings are always written.
            .body(serde_json::to_vec(&document).unwrap_or_default());
        if status == 401 {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        for (name, value) in &problem.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    fn problem(&self, error: poem::Error, path: &str) -> Problem {
        if error.is::<MethodNotAllowedError>() {
            return Problem::new(Kind::MethodNotAllowed).header("allow", self.allowed(path));
        }
        problem(error)
    }

    fn allowed(&self, path: &str) -> String {
        self.methods
            .iter()
            .find(|(template, _)| fits(template, path))
            .map_or_else(|| "GET".to_owned(), |(_, methods)| methods.join(", "))
    }
}

/// The problem that an error of the routes is.
pub fn problem(error: poem::Error) -> Problem {
    let error = match error.downcast::<Problem>() {
        Ok(problem) => return problem,
        Err(error) => error,
    };
    if error.is::<NotFoundError>() {
        return Kind::NotFound.into();
    }
    if let Some(parse) = error.downcast_ref::<ParsePathError>() {
        return Problem::new(Kind::NotFound)
            .detail("A part of the path is not of the type that it has to be.")
            .because(parse.to_string());
    }
    if let Some(parse) = error.downcast_ref::<ParseParamError>() {
        return Problem::new(Kind::InvalidParameter)
            .field(parse.name, "has a value that can't be read")
            .because(parse.to_string());
    }
    if let Some(parse) = error.downcast_ref::<ParseRequestPayloadError>() {
        return Problem::new(Kind::BadRequest)
            .detail("The body is not the JSON object that this call takes.")
            .because(parse.to_string());
    }
    if error.is::<ContentTypeError>() {
        return Kind::UnsupportedMediaType.into();
    }
    let kind = match error.status().as_u16() {
        404 => Kind::NotFound,
        405 => Kind::MethodNotAllowed,
        413 => Kind::PayloadTooLarge,
        415 => Kind::UnsupportedMediaType,
        400..=499 => Kind::BadRequest,
        _ => Kind::InternalError,
    };
    Problem::new(kind).because(error.to_string())
}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// In an operation's signature a problem stands for all its error answers; the document names them once.
impl ApiResponse for Problem {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: Vec::new(),
        }
    }

    fn register(_registry: &mut Registry) {}
}

/// Whether a path is one of a template such as `/api/tokens/{id}`.
fn fits(template: &str, path: &str) -> bool {
    let mut parts = path.trim_end_matches('/').split('/');
    let mut wanted = template.split('/');
    loop {
        match (wanted.next(), parts.next()) {
            (None, None) => return true,
            (Some(want), Some(part)) if want == part || want.starts_with('{') => {}
            _ => return false,
        }
    }
}

/// An error and all its causes, for one log line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    async fn rendered(problem: Problem) -> (Response, serde_json::Value) {
        let renderer = Renderer::new(
            "https://sandlot.example".into(),
            vec![("/api/tokens/{id}".into(), vec!["GET", "DELETE"])],
        );
        let mut response = renderer.render(
            problem.into(),
            &Method::GET,
            "/api/v1/clients",
            &RequestId::of(&Default::default()),
        );
        let body = response.take_body().into_json().await.unwrap();
        (response, body)
    }

    #[tokio::test]
    async fn a_problem_is_a_document() {
        let (response, body) = rendered(
            Problem::new(Kind::ValidationFailed)
                .detail("One value does not fit.")
                .field("total", "must be a number"),
        )
        .await;
        assert_eq!(response.status(), 400);
        assert_eq!(response.content_type(), Some("application/problem+json"));
        assert_eq!(
            body,
            serde_json::json!({
                "type": "https://sandlot.example/api_docs#error-validation-failed",
                "title": "Validation Failed",
                "status": 400,
                "detail": "One value does not fit.",
                "instance": "/api/v1/clients",
                "errors": {"total": ["must be a number"]},
            })
        );
    }

    #[tokio::test]
    async fn further_members_follow_the_standard_ones() {
        let problem = Problem::new(Kind::BadRequest)
            .member("sqlstate", "42601")
            .member("position", 8);
        let (_, body) = rendered(problem).await;
        assert_eq!(body["sqlstate"], "42601");
        assert_eq!(body["position"], 8);
        assert_eq!(body["status"], 400);
    }

    #[tokio::test]
    async fn the_source_has_no_way_into_the_body() {
        let (_, body) =
            rendered(Problem::new(Kind::InternalError).because("relation \"secret\"")).await;
        assert!(!body.to_string().contains("secret"), "{body}");
        assert!(body.get("errors").is_none());
    }

    #[test]
    fn templates_fit_their_paths() {
        assert!(fits("/api/tokens/{id}", "/api/tokens/12"));
        assert!(fits("/api/tenant", "/api/tenant/"));
        assert!(!fits("/api/tokens/{id}", "/api/tokens"));
        assert!(!fits("/api/tokens", "/api/tokens/12"));
    }
}
