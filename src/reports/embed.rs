//! `/embed/report/{slug}`: a page with the picture, made to sit in a frame on another page.
//!
//! It loads nothing and runs nothing: one document with its style, allowed by the style's hash.

use std::{fmt::Write as _, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use poem::{
    Endpoint, Request, Response, Result,
    http::{Method, header},
};
use sha2::{Digest as _, Sha256};

use crate::{
    auth::{Auth, rights, tokens::places::frame_sources},
    data::{request::Request as Question, rows::Format},
    edge::headers::part,
    listing::{
        parameters::parameters,
        words::{decode, invalid},
    },
    problem::{Kind, Problem},
};

use super::{
    chart::{Chart, Kind as Picture},
    endpoint::Desk,
    svg::{self, escape},
};

/// The endpoint of `/embed/report/{slug}`.
pub struct Embed;

impl Embed {
    /// What its paths begin with.
    pub const PATH: &'static str = "/embed/report";
}

const STYLE: &str = include_str!("page.css");

impl Endpoint for Embed {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        Ok(answer(&request).await?)
    }
}

async fn answer(request: &Request) -> Result<Response, Problem> {
    let query = request.original_uri().query().unwrap_or_default();
    let auth = part::<Arc<Auth>>(request)?;
    let caller = match auth.presents_nothing(request) {
        // A page that is embedded without a credential shows the demo's figures.
        true => auth.anybody(request).await?,
        false => auth.caller_in_frame(request).await?,
    };
    let domains = caller.token.as_ref().map(|token| token.domains.as_slice());
    let framed_by = frame_sources(domains.unwrap_or_default());
    let desk = Desk::of(request, &caller).await?;
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Problem::new(Kind::MethodNotAllowed)
            .detail("This page is read.")
            .header("Allow", "GET, HEAD"));
    }
    let path = request.original_uri().path();
    let slug = path.strip_prefix(Embed::PATH).unwrap_or_default();
    let slug = slug.trim_start_matches('/');
    let slug = decode(slug, false).ok_or(Kind::NotFound)?;
    let found = desk.find(&slug).await?;
    let given = parameters(query)?;
    let wanted = Wanted::read(&given, &found.report.chart)?;
    let figures = desk.figures(&found, &wanted.figures)?;
    let question = Question::Aggregate(figures.aggregate.clone());
    let answer = desk.ask(&question, Format::Json).await?;
    let title = &found.report.title;
    let chart = Chart::of(title, wanted.kind, &figures, &answer.body)?;
    let mut response = Response::builder().header("sandlot-mode", desk.mode);
    for (name, value) in rights::marks(&caller, auth.directory()) {
        response = response.header(name, value);
    }
    Ok(if wanted.svg {
        response
            .header(header::CONTENT_TYPE, "image/svg+xml")
            .header(
                header::CONTENT_SECURITY_POLICY,
                policy(svg::STYLE, &framed_by),
            )
            .header(
                header::CONTENT_DISPOSITION,
                format!("inline; filename=\"{}.svg\"", found.report.slug),
            )
            .body(svg::draw(&chart, true))
    } else {
        let style = format!("{STYLE}{}", svg::STYLE);
        response
            .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
            .header(header::CONTENT_SECURITY_POLICY, policy(&style, &framed_by))
            .body(page(&chart, &found.report.slug, &style))
    })
}

/// What the address says of the picture, over what the record says.
struct Wanted {
    kind: Picture,
    svg: bool,
    figures: Vec<(String, String)>,
}

impl Wanted {
    fn read(given: &[(String, String)], chart: &serde_json::Value) -> Result<Self, Problem> {
        let kept = Picture::parameters(chart).unwrap_or_default();
        let mut wanted = Self {
            kind: kept.kind,
            svg: false,
            figures: Vec::new(),
        };
        for (name, value) in given {
            match name.as_str() {
                "kind" => {
                    wanted.kind = Picture::named(value)
                        .ok_or_else(|| invalid("kind", "must be bar, stacked, line or pie"))?;
                }
                "format" => {
                    wanted.svg = match value.as_str() {
                        "html" => false,
                        "svg" => true,
                        _ => return Err(invalid("format", "must be html or svg")),
                    };
                }
                _ => wanted.figures.push((name.clone(), value.clone())),
            }
        }
        // Other figures have other dates and another order than those of the record.
        let others = ["dimension", "measure", "aggregation", "period"];
        let anew = given
            .iter()
            .any(|(name, _)| others.contains(&name.as_str()));
        for (name, value) in kept.others {
            let said = given.iter().any(|(known, _)| *known == name);
            let follows = anew && matches!(name.as_str(), "sort" | "limit" | "date");
            if !said && !follows {
                wanted.figures.push((name, value));
            }
        }
        Ok(wanted)
    }
}

/// Nothing but the page's own style, and frames on the pages that the token is for.
fn policy(style: &str, framed_by: &str) -> String {
    format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'; frame-ancestors {framed_by}",
        BASE64.encode(Sha256::digest(style))
    )
}

fn page(chart: &Chart, slug: &str, style: &str) -> String {
    let title = escape(&chart.title);
    let mut table = String::new();
    for name in &chart.heading {
        // Writing to a String can't fail.
        let _ = write!(
            table,
            "<th scope=\"col\" dir=\"auto\">{}</th>",
            escape(name)
        );
    }
    let mut rows = String::new();
    for row in &chart.rows {
        rows.push_str("<tr>");
        for cell in row {
            let class = if cell.parse::<f64>().is_ok() {
                " class=\"n\""
            } else {
                ""
            };
            let _ = write!(rows, "<td{class} dir=\"auto\">{}</td>", escape(cell));
        }
        rows.push_str("</tr>");
    }
    let left_out = chart.left_out.as_deref().map(escape).unwrap_or_default();
    let file = BASE64.encode(svg::draw(chart, true));
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>{style}</style></head>\n<body><main><h1 dir=\"auto\">{title}</h1>\n\
         <figure><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Chart\">{picture}</div><figcaption>{description} {left_out}</figcaption></figure>\n\
         <details><summary>The figures as a table</summary><div class=\"scroll\" tabindex=\"0\"><table>\
         <caption>{description}</caption><thead><tr>{table}</tr></thead><tbody>{rows}</tbody></table></div></details>\n\
         <footer><a download=\"{slug}.svg\" href=\"data:image/svg+xml;base64,{file}\">Download the chart (SVG)</a></footer>\
         </main></body></html>\n",
        picture = svg::draw(chart, false),
        description = escape(&chart.description),
    )
}
