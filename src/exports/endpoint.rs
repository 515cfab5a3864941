//! Where the web framework meets the exports: who asks, for what part, in which form.

use std::{future::Future, pin::Pin, sync::Arc};

use poem::{
    Endpoint, Request, Response, Result,
    http::{Method, header},
};

use super::{
    model::{Fields, Model, Published, Subset},
    openapi::{self, Credential, DOCUMENT, Style, Version},
    postman, yaml,
};
use crate::{
    auth::{
        Auth,
        caller::{Caller, Place},
        present::without_token,
        rights,
        tokens::Scope,
    },
    data::{
        Spine,
        catalog::Catalog,
        plan::{Rules, brief},
    },
    edge::headers::part,
    listing::{
        parameters::{parameters, unknown},
        words::{invalid, names},
    },
    problem::{Kind, Problem},
};

/// The OpenAPI document as JSON.
pub const OPENAPI_JSON: &str = "/api/v1/openapi.json";

/// The OpenAPI document as YAML.
pub const OPENAPI_YAML: &str = "/api/v1/openapi.yaml";

/// The Postman collection.
pub const POSTMAN: &str = "/api/v1/postman.json";

/// The reports of a tenant, or of the template, that are published.
type Reports = dyn Fn(Option<i64>) -> Pin<Box<dyn Future<Output = Result<Vec<Published>, Problem>> + Send>>
    + Send
    + Sync;

/// How GraphQL calls what the rules let through of the catalog.
type GraphqlFields = dyn Fn(&Arc<Catalog>, &Rules) -> Vec<Fields> + Send + Sync;

/// What the exports ask other surfaces, which they do not know.
#[derive(Clone)]
pub struct Beside {
    /// The reports of a tenant, or of the template.
    pub reports: Arc<Reports>,
    /// The fields of GraphQL.
    pub graphql: Arc<GraphqlFields>,
}

/// The endpoint of one export.
#[derive(Clone)]
pub struct Exports {
    form: Form,
    public_url: String,
    beside: Beside,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Yaml,
    Postman,
}

impl Exports {
    /// The exports of a server that is reached under `public_url`, each with its path.
    pub fn all(public_url: &str, beside: &Beside) -> [(&'static str, Self); 3] {
        [
            (OPENAPI_JSON, Form::Json),
            (OPENAPI_YAML, Form::Yaml),
            (POSTMAN, Form::Postman),
        ]
        .map(|(path, form)| {
            let export = Self {
                form,
                public_url: public_url.to_owned(),
                beside: beside.clone(),
            };
            (path, export)
        })
    }

    async fn answer(&self, request: &Request) -> Result<Response, Problem> {
        let auth = part::<Arc<Auth>>(request)?;
        let spine = part::<Arc<Spine>>(request)?;
        let caller = auth.caller(request).await?;
        let (identity, mode) = rights::place(&caller, auth.tenants())?;
        let rules = rights::rules(&caller);
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(Problem::new(Kind::MethodNotAllowed)
                .detail("Exports are read.")
                .header("Allow", "GET, HEAD"));
        }
        let query = without_token(request.original_uri().query().unwrap_or_default());
        let given = parameters(&query)?;
        let asked = Asked::read(&given, self.form)?;
        let tenant = match &caller.place {
            Place::Template | Place::Demo(_) => None,
            Place::Tenant(tenant) => Some(tenant.id),
        };
        let mut published = Vec::new();
        if caller.needs(Scope::Views).is_ok() {
            published = (self.beside.reports)(tenant).await?;
        }
        let mut catalog = spine.catalog(&identity).await?;
        if asked.find(&catalog, &rules, &published).is_err() {
            catalog = spine.look_again(&identity).await?;
        }
        let subset = asked.find(&catalog, &rules, &published)?;
        let mut model = Model::new(&catalog, &rules, published, subset.as_ref());
        let fields = (self.beside.graphql)(&catalog, &rules);
        let reached = |fields: &Fields| {
            let mut resources = model.served();
            resources.any(|resource| resource.table.name == fields.table)
        };
        model.graphql = caller
            .needs(Scope::Graphql)
            .is_ok()
            .then(|| fields.into_iter().filter(reached).collect());
        model.sql = asked.subset.is_none() && !asked.actions && caller.tenant_for_sql().is_ok();
        let demo_token = auth.demo().token().map(|token| token.as_str().to_owned());
        let (media, file, text) = self.write(&model, &asked, &caller, request, demo_token)?;
        Ok(Response::builder()
            .header(header::CONTENT_TYPE, media)
            .header(
                header::CONTENT_DISPOSITION,
                format!("inline; filename=\"{file}\""),
            )
            .header(header::CACHE_CONTROL, "private, no-cache")
            .header("sandlot-mode", mode)
            .body(text))
    }

    fn write(
        &self,
        model: &Model<'_>,
        asked: &Asked,
        caller: &Caller,
        request: &Request,
        demo_token: Option<String>,
    ) -> Result<(&'static str, &'static str, String), Problem> {
        let style = Style {
            version: asked.version,
            public_url: self.public_url.clone(),
            actions: asked.actions,
            credential: credential(caller),
            demo_token,
        };
        if self.form == Form::Postman {
            let key = request.headers().get("api-key");
            let key = key.and_then(|key| key.to_str().ok());
            let key = key.filter(|_| style.credential == Credential::User);
            let collection = postman::collection(model, &style, key);
            let file = "sandlot.postman_collection.json";
            return Ok(("application/json", file, collection.pretty()));
        }
        if asked.actions && style.credential == Credential::Signed {
            return Err(invalid(
                "use",
                "GPT Actions can't sign requests, which this token requires: export with a token \
                 without HMAC, or say `use=tools` for tools that can",
            ));
        }
        let document = openapi::document(model, &style);
        let (media, file, text) = match self.form {
            Form::Yaml => (
                "application/yaml",
                "sandlot-openapi.yaml",
                yaml::write(&document),
            ),
            _ => ("application/json", "sandlot-openapi.json", document.json()),
        };
        let length = text.chars().count();
        if asked.actions && length > DOCUMENT {
            return Err(invalid(
                if asked.subset.is_some() {
                    "tables"
                } else {
                    "use"
                },
                format!(
                    "the document would have {length} characters, and GPT Actions take {DOCUMENT}: \
                     name fewer tables and views with `tables` and `views`, use a token without the \
                     scope `write`, or say `use=tools` for tools without that limit"
                ),
            ));
        }
        Ok((media, file, text))
    }
}

impl Endpoint for Exports {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        Ok(self.answer(&request).await?)
    }
}

/// What the parameters ask for.
#[derive(Debug, Default)]
struct Asked {
    version: Version,
    subset: Option<Subset>,
    actions: bool,
}

impl Asked {
    fn read(given: &[(String, String)], form: Form) -> Result<Self, Problem> {
        let mut asked = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        let mut actions = None;
        for (name, value) in given {
            if seen.contains(&name.as_str()) {
                return Err(invalid(name, "is given twice"));
            }
            seen.push(name);
            match name.as_str() {
                "tables" | "views" => {
                    let subset = asked.subset.get_or_insert_default();
                    let slot = match name.as_str() {
                        "tables" => &mut subset.tables,
                        _ => &mut subset.views,
                    };
                    if !value.trim().is_empty() {
                        slot.extend(names(value, name)?);
                    }
                }
                "openapi" if form != Form::Postman => {
                    asked.version = match value.as_str() {
                        "3.1.0" | "3.1" => Version::V31,
                        "3.0.3" | "3.0" => Version::V30,
                        _ => return Err(invalid("openapi", "must be 3.1.0 or 3.0.3")),
                    };
                }
                "use" if form != Form::Postman => {
                    actions = Some(match value.as_str() {
                        "gpt-actions" => true,
                        "tools" => false,
                        _ => return Err(invalid("use", "must be gpt-actions or tools")),
                    });
                }
                other => return Err(unknown(other)),
            }
        }
        if let Some(subset) = &asked.subset
            && subset.tables.is_empty()
            && subset.views.is_empty()
        {
            return Err(invalid(
                seen.first().copied().unwrap_or("tables"),
                "names nothing",
            ));
        }
        // Who picks tables is about to paste the document somewhere.
        asked.actions = form != Form::Postman && actions.unwrap_or(asked.subset.is_some());
        Ok(asked)
    }

    /// The subset by names of the catalog: a view may be named by its report's slug.
    fn find(
        &self,
        catalog: &Catalog,
        rules: &Rules,
        published: &[Published],
    ) -> Result<Option<Subset>, Problem> {
        let Some(asked) = &self.subset else {
            return Ok(None);
        };
        let known = |name: &str, view: bool| {
            let found = catalog.table(name).filter(|table| rules.sees(table));
            found.is_some_and(|table| table.kind.is_view() == view)
        };
        let mut subset = Subset::default();
        for name in &asked.tables {
            if !known(name, false) {
                return Err(invalid(
                    "tables",
                    format!("there is no table `{}`", brief(name)),
                ));
            }
            subset.tables.insert(name.clone());
        }
        for name in &asked.views {
            let behind = || published.iter().find(|report| report.slug == *name);
            let view = match known(name, true) {
                true => Some(name.clone()),
                false => behind()
                    .map(|report| report.view.clone())
                    .filter(|view| catalog.find(view).is_some()),
            };
            let Some(view) = view else {
                return Err(invalid(
                    "views",
                    format!("there is no view or report `{}`", brief(name)),
                ));
            };
            subset.views.insert(view);
        }
        Ok(Some(subset))
    }
}

/// How the caller's requests are authorised.
fn credential(caller: &Caller) -> Credential {
    match (&caller.token, &caller.place) {
        (Some(token), _) if token.hmac_secret.is_some() => Credential::Signed,
        (Some(_), _) => Credential::Token,
        (None, Place::Template) => Credential::Template,
        (None, Place::Demo(_)) => Credential::Demo,
        (None, Place::Tenant(_)) => Credential::User,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(query: &str, form: Form) -> Result<Asked, Problem> {
        Asked::read(&parameters(query).unwrap(), form)
    }

    #[test]
    fn a_subset_is_for_actions_unless_it_says_otherwise() {
        assert!(!read("", Form::Json).unwrap().actions);
        assert!(read("tables=clients", Form::Yaml).unwrap().actions);
        assert!(
            !read("tables=clients&use=tools", Form::Json)
                .unwrap()
                .actions
        );
        assert!(read("use=gpt-actions", Form::Json).unwrap().actions);
        assert_eq!(
            read("openapi=3.0.3", Form::Json).unwrap().version,
            Version::V30
        );
        let asked = read("tables=a,%22b,c%22&views=", Form::Postman).unwrap();
        assert_eq!(
            asked.subset.unwrap().tables,
            ["a", "b,c"].map(str::to_owned).into()
        );
    }

    #[test]
    fn what_it_does_not_take_is_named() {
        for (query, form, at) in [
            ("openapi=2.0", Form::Json, "openapi"),
            ("use=x", Form::Yaml, "use"),
            ("page=1", Form::Json, "page"),
            ("openapi=3.1.0", Form::Postman, "openapi"),
            ("tables=", Form::Json, "tables"),
            ("tables=a&tables=b", Form::Json, "tables"),
            ("tables=a,,b", Form::Json, "tables"),
        ] {
            let problem = read(query, form).unwrap_err();
            assert_eq!(problem.kind, Kind::InvalidParameter);
            assert!(problem.errors.contains_key(at), "{query}: {problem:?}");
        }
    }
}
