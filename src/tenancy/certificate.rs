//! Certificates: a copy compared with the version of the template that it was made of, and signed.
//!
//! The signature is Ed25519 (RFC 8032) over the certificate without its signature, as JSON with
//! sorted members and no white space (RFC 8785), so anybody can check it with the public key.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::Utc;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Map, Value, json};
use sha2::Sha256;
use tenants::{certify::Certificate, script};

use crate::{
    directory::tenant,
    problem::{Kind, Problem},
    template::SCHEMA,
};

use super::Tenancy;

/// Signs certificates.
pub struct Seal(SigningKey);

impl Seal {
    /// The key that follows from the servers' common secret.
    pub fn new(secret: &[u8; 32]) -> Self {
        // Any key length is taken, so there is always a code.
        let code = Hmac::<Sha256>::new_from_slice(secret).map(|mut mac| {
            mac.update(b"certificates of copies");
            mac.finalize().into_bytes()
        });
        Self(SigningKey::from_bytes(
            &code.map(Into::into).unwrap_or(*secret),
        ))
    }

    /// The public key, 32 bytes in base64url.
    pub fn public_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.verifying_key().as_bytes())
    }

    fn sign(&self, certificate: &mut Map<String, Value>) {
        let signature = self.0.sign(canonical(certificate).as_bytes());
        let text = URL_SAFE_NO_PAD.encode(signature.to_bytes());
        certificate.insert("signature".to_owned(), Value::String(text));
    }
}

/// Whether a certificate was signed by the owner of the public key and not changed since.
///
/// # Errors
/// When the certificate or the key can't be read.
pub fn verify(certificate: &str, public_key: &str) -> anyhow::Result<bool> {
    let mut certificate: Map<String, Value> = serde_json::from_str(certificate)?;
    let Some(Value::String(signature)) = certificate.remove("signature") else {
        anyhow::bail!("the certificate has no signature");
    };
    let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature)?)?;
    let key: [u8; 32] = URL_SAFE_NO_PAD
        .decode(public_key)?
        .try_into()
        .map_err(|_| anyhow::anyhow!("a public key has 32 bytes"))?;
    let key = VerifyingKey::from_bytes(&key)?;
    Ok(key
        .verify_strict(canonical(&certificate).as_bytes(), &signature)
        .is_ok())
}

impl Tenancy {
    /// Compares a tenant with the version of the template that it is a copy of, and signs the outcome.
    ///
    /// # Errors
    /// `request-timeout` if reading the tenant takes too long, `service-unavailable` if the
    /// database is out of reach.
    pub async fn certify(&self, tenant: &tenant::Model) -> Result<Value, Problem> {
        let template = self.template.digest(tenant.template_version).await?;
        let limit = self.tenants.settings().limits.statement;
        let copy = self
            .tenants
            .digest(&tenant.identity(), SCHEMA, limit)
            .await
            .map_err(unreadable)?;
        let outcome = serde_json::to_value(Certificate::compare(&template, &copy))
            .map_err(|error| Problem::new(Kind::InternalError).because(error))?;
        let Value::Object(mut certificate) = outcome else {
            return Err(Kind::InternalError.into());
        };
        certificate.insert("tenant".to_owned(), json!(tenant.id));
        certificate.insert("schema".to_owned(), json!(tenant.schema));
        certificate.insert(
            "template_version".to_owned(),
            json!(tenant.template_version),
        );
        certificate.insert("issued_at".to_owned(), json!(Utc::now().to_rfc3339()));
        certificate.insert("public_key".to_owned(), json!(self.seal.public_key()));
        self.seal.sign(&mut certificate);
        Ok(Value::Object(certificate))
    }

    /// The public key of all certificates, as a JSON Web Key (RFC 8037).
    pub fn certificate_key(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "x": self.seal.public_key()})
    }
}

/// What keeps a copy from being read is its own tenant's doing, or the database's absence.
fn unreadable(error: script::Error) -> Problem {
    match error {
        script::Error::Tenants(error) => error.into(),
        script::Error::Postgres(error) => match tenants::Error::from(error) {
            error @ tenants::Error::Sql(_) => Problem::new(Kind::BadRequest)
                .detail("The copy can't be read: an object of the tenant's own fails.")
                .because(error),
            error => error.into(),
        },
        error => Problem::new(Kind::InternalError).because(error),
    }
}

/// JSON with sorted members and no white space. Certificates hold no fractions, whose spelling would need rules.
fn canonical(object: &Map<String, Value>) -> String {
    let mut members: Vec<(&String, &Value)> = object.iter().collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    let members: Vec<String> = members
        .into_iter()
        .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical_value(value)))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn canonical_value(value: &Value) -> String {
    match value {
        Value::Object(object) => canonical(object),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(canonical_value).collect();
            format!("[{}]", items.join(","))
        }
        plain => plain.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn signed() -> (Seal, Map<String, Value>) {
        let seal = Seal::new(&[7; 32]);
        let Value::Object(mut certificate) =
            json!({"verdict": "identical", "tables": [{"b": 1, "a": "x"}], "schema": "ada_1"})
        else {
            unreachable!()
        };
        seal.sign(&mut certificate);
        (seal, certificate)
    }

    #[test]
    fn a_certificate_is_checked_with_the_public_key_alone() {
        let (seal, certificate) = signed();
        let text = Value::Object(certificate).to_string();
        assert!(verify(&text, &seal.public_key()).unwrap());
        assert!(!verify(&text, &Seal::new(&[8; 32]).public_key()).unwrap());
    }

    #[test]
    fn any_change_spoils_it() {
        let (seal, mut certificate) = signed();
        certificate.insert("verdict".to_owned(), json!("different"));
        let text = Value::Object(certificate).to_string();
        assert!(!verify(&text, &seal.public_key()).unwrap());
    }

    #[test]
    fn the_order_of_members_does_not_matter() {
        let Value::Object(object) =
            json!({"b": {"d": 1, "c": [2, {"z": null, "y": true}]}, "a": "\n"})
        else {
            unreachable!()
        };
        assert_eq!(
            canonical(&object),
            r#"{"a":"\n","b":{"c":[2,{"y":true,"z":null}],"d":1}}"#
        );
    }
}
