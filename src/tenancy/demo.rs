//! `GET /api/demo`: what the demo is, and the token that anybody may use on it.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{Object, OpenApi, payload::Json};

use crate::{
    auth::operations::Section,
    demo::Demo,
    problem::{Kind, Problem},
};

/// The demo, by itself.
pub struct DemoApi;

/// What the demo is.
#[derive(Object)]
struct DemoState {
    /// The public token; what is written with it is answered as if it were kept, and is not
    token: String,
    /// What its values follow from, as in the header `Sandlot-Seed`
    seed: i64,
    /// Version of the template that it is a masked copy of
    template_version: i64,
    /// When its values were made
    made_at: Option<DateTime<Utc>>,
    /// When they will be made anew, with another seed; null if they stay
    next_at: Option<DateTime<Utc>>,
}

#[OpenApi(tag = "Section::Demo")]
impl DemoApi {
    /// The demo: its token, its seed, when its values were made and when they will be made anew
    ///
    /// `feature-disabled` where the operator has switched it off.
    #[oai(path = "/demo", method = "get")]
    async fn show(&self, demo: Data<&Demo>) -> Result<Json<DemoState>, Problem> {
        let token = demo.token().ok_or_else(|| {
            Problem::new(Kind::FeatureDisabled).detail("This server has no demo.")
        })?;
        let generation = demo.here().await?;
        let next = generation.made_at.zip(demo.refreshed_every());
        Ok(Json(DemoState {
            token: token.as_str().to_owned(),
            seed: generation.seed,
            template_version: generation.template_version,
            made_at: generation.made_at,
            next_at: next.and_then(|(made, every)| made.checked_add_signed(every)),
        }))
    }
}
