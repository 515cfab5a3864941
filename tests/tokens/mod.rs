//! API tokens: made and revoked, judged at every door.

use serde_json::{Value, json};

use crate::harness::{Client, Tenant};

mod doors;
mod life;
mod matrix;
mod programs;
mod reach;
mod replayed;
mod signed;

/// A token just made, and its record.
pub struct Made {
    pub id: i64,
    pub token: String,
    pub hmac_secret: Option<String>,
    pub client: Client,
}

/// Makes a token of the given properties.
pub async fn make(tenant: &Tenant, mut properties: Value) -> Made {
    if properties["name"].is_null() {
        properties["name"] = json!("a token");
    }
    let made = tenant
        .admin
        .post("/api/tokens", &properties)
        .await
        .expect(201)
        .json();
    let token = made["token"].as_str().unwrap().to_owned();
    Made {
        id: made["id"].as_i64().unwrap(),
        client: Client::new(tenant.admin.address).bearer(&token),
        hmac_secret: made["hmac_secret"].as_str().map(str::to_owned),
        token,
    }
}
