//! The front door: what this is, a request to try in the page, and how to use the API.

use std::sync::Arc;

use askama::Template;
use poem::{Request, Response, Result, handler, web::Data};

use crate::{
    auth::jwt,
    data::Spine,
    demo::Demo,
    listing::words::encode,
    panel::{
        page::{self, Shell},
        signed::{self, Copy},
    },
    problem::Kind,
    reference::problems::{PublicToken, PublicUrl},
};

#[derive(Template)]
#[template(path = "front/landing.html")]
struct Landing {
    shell: Shell,
    url: String,
    demo: Option<String>,
    tries: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "front/instructions.html")]
struct Instructions {
    shell: Shell,
    copy: Option<Copy>,
    url: String,
    access: i64,
    refresh: i64,
    codes: Vec<(u16, &'static str)>,
}

/// What can be tried in the page: words and address.
const TRIES: [(&str, &str); 5] = [
    (
        "The newest invoices",
        "/api/v1/invoices?sort=-date&per_page=3",
    ),
    (
        "Open ones above 10,000, with their clients",
        "/api/v1/invoices?filter[status]=1&filter[total.gte]=10000&include=client&per_page=2",
    ),
    (
        "Search",
        "/api/v1/clients?q=software&fields=id,name,city&per_page=5",
    ),
    (
        "A report, month by month",
        "/api/v1/reports/invoices/aggregate?measure=total&aggregation=sum&period=monthly",
    ),
    ("An error", "/api/v1/invoices?filter[no_such_column]=1"),
];

/// Those for the template that ships, or what any other one has.
async fn tries(demo: &Demo, spine: &Spine) -> Vec<(String, String)> {
    let catalog = match demo.served() {
        Some(generation) => spine.catalog(&generation.identity).await.ok(),
        None => None,
    };
    let catalog = catalog.filter(|catalog| catalog.table("invoices").is_none());
    let tables = catalog.iter().flat_map(|catalog| &catalog.tables);
    let Some(table) = tables
        .filter(|table| table.has_key() && table.name != "users")
        .map(|table| encode(&table.name))
        .next()
    else {
        let shipped = TRIES.iter();
        return shipped
            .map(|(words, target)| ((*words).to_owned(), (*target).to_owned()))
            .collect();
    };
    let of = |words: &str, rest: &str| (words.to_owned(), format!("/api/v1/{rest}"));
    vec![
        of("What there is", ""),
        of("Some rows", &format!("{table}?per_page=3")),
        of("What a row is made of", &format!("{table}/schema")),
        of("An error", &format!("{table}?filter[no_such_column]=1")),
    ]
}

/// `GET /`: what this is, and a request to try.
#[handler]
pub async fn landing(
    request: &Request,
    url: Data<&PublicUrl>,
    made: Data<&Demo>,
    spine: Data<&Arc<Spine>>,
) -> Result<Response> {
    let demo = request.data::<PublicToken>().map(|token| token.0.clone());
    let signed = signed::signed(request).await?;
    shown(
        request,
        &Landing {
            shell: signed::shell(request, "A backend of your own", signed.as_ref()),
            url: url.0.0.clone(),
            demo,
            tries: tries(&made, &spine).await,
        },
    )
    .await
}

/// `GET /docs/instructions`: how the API is used.
#[handler]
pub async fn instructions(request: &Request, url: Data<&PublicUrl>) -> Result<Response> {
    let signed = signed::signed(request).await?;
    shown(
        request,
        &Instructions {
            shell: signed::shell(request, "Instructions", signed.as_ref()),
            copy: signed.and_then(|signed| signed.copies.into_iter().next()),
            url: url.0.0.clone(),
            access: jwt::ACCESS.num_minutes(),
            refresh: jwt::REFRESH.num_hours(),
            codes: codes(),
        },
    )
    .await
}

async fn shown(request: &Request, template: &impl Template) -> Result<Response> {
    let mut response = page::page(template)?;
    page::finish(request, &mut response).await?;
    page::keep_fresh(request, &mut response);
    Ok(response)
}

/// The response codes, each with what it stands for (document 003).
fn codes() -> Vec<(u16, &'static str)> {
    let mut codes = vec![
        (200, "Everything is in order."),
        (
            201,
            "A row, a token, a copy was made; of one row or token the header Location says where it is.",
        ),
    ];
    for (status, words) in [
        (
            400,
            "What was sent is not valid. Only the columns or parameters at fault are in errors.",
        ),
        (401, "The credential is missing, expired or not valid."),
        (
            403,
            "The credential does not allow this. The template can be read by everybody and written by nobody.",
        ),
        (
            404,
            "There is nothing under this address, or nothing that you may see.",
        ),
        (
            422,
            "A rule of the table refused the row; the columns at fault are in errors.",
        ),
        (
            429,
            "A limit was reached; the header Retry-After says how long to wait.",
        ),
        (
            500,
            "The server failed. Tell its operator the X-Request-Id.",
        ),
        (
            502,
            "The request took longer than 60 seconds and was cancelled.",
        ),
        (503, "A part of the server is out of reach for the moment."),
    ] {
        // A code that no problem has is not told of.
        if Kind::ALL.iter().any(|kind| kind.status() == status) {
            codes.push((status, words));
        }
    }
    codes
}
