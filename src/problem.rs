//! The one error type of the server, and the one catalogue of what can go wrong.
//!
//! Every error answer is an RFC 9457 problem document made from one row of the
//! [`problems!`] table below. The table gives the enum, the status, the slug, the
//! title and the reference page; a row that is missing here can't be answered.

use std::{borrow::Cow, collections::BTreeMap, error::Error as StdError, fmt};

/// Messages by column or parameter, in name order.
pub type FieldErrors = BTreeMap<String, Vec<String>>;

macro_rules! problems {
    ($($kind:ident $status:literal $slug:literal $title:literal
        $description:literal
        $resolution:literal;)*) => {
        /// Which row of the catalogue a [`Problem`] is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind {
            $(#[doc = $description] $kind,)*
        }

        impl Kind {
            /// Every row, in the order of the reference page.
            pub const ALL: &'static [Kind] = &[$(Kind::$kind),*];

            /// HTTP status code.
            pub const fn status(self) -> u16 {
                match self { $(Kind::$kind => $status,)* }
            }

            /// Last part of the problem's `type` URI, after `#error-`.
            pub const fn slug(self) -> &'static str {
                match self { $(Kind::$kind => $slug,)* }
            }

            /// Short summary, the same for every occurrence (RFC 9457, 3.1.3).
            pub const fn title(self) -> &'static str {
                match self { $(Kind::$kind => $title,)* }
            }

            /// What the problem means; also the `detail` where an occurrence gives none.
            pub const fn description(self) -> &'static str {
                match self { $(Kind::$kind => $description,)* }
            }

            /// What the client can do about it.
            pub const fn resolution(self) -> &'static str {
                match self { $(Kind::$kind => $resolution,)* }
            }
        }
    };
}

problems! {
    QueryStringTooLong 400 "query-string-too-long" "Query String Too Long"
        "The part of the address after `?` is longer than the server accepts (4 KB unless the operator changed it)."
        "Send fewer or shorter parameters; a long filter fits into the body of a GraphQL request.";
    EmptyBody 400 "empty-body" "Empty Body"
        "The request has no body, or only white space, where a JSON object with a `query` member is needed."
        "Send a JSON object such as `{\"query\": \"{ _ping }\"}`.";
    BatchingNotSupported 400 "batching-not-supported" "Batching Not Supported"
        "The body is an array of GraphQL operations; one request carries one operation, so that limits count what they should."
        "Send one operation object per request, or several fields in one operation.";
    InvalidRequest 400 "invalid-request" "Invalid Request"
        "The body is not a JSON object with the members that this call needs."
        "Send a JSON object with at least a `query` string; `variables` and `operationName` are optional.";
    BadRequest 400 "bad-request" "Bad Request"
        "The request can't be read: its body is missing or not valid JSON, or a part of it does not have the expected form."
        "Correct what `detail` names. `GET /api/v1/{resource}/schema` lists a table's columns and types.";
    InvalidParameter 400 "invalid-parameter" "Invalid Parameter"
        "A query parameter is unknown here, or its value is not one that it takes."
        "`errors` names the parameter and what it accepts; the reference lists all parameters of the call.";
    ValidationFailed 400 "validation-failed" "Validation Failed"
        "Values in the body do not fit their columns or fields. Only those at fault are listed."
        "Correct the values named in `errors` and send the request again; nothing was kept of it.";
    MissingToken 401 "missing-token" "Missing Token"
        "The call needs a credential and the request carries none."
        "Send `Authorization: Bearer ` followed by an access token or an API token.";
    InvalidToken 401 "invalid-token" "Invalid Token"
        "The credential is malformed, was never issued here, or is expired or revoked."
        "Check that it was copied whole; make a new API token, or sign in again.";
    TokenExpired 401 "token-expired" "Token Expired"
        "The access or refresh token was valid and its time is over."
        "Trade the refresh token for a new pair at `POST /api/auth/refresh`, or sign in again.";
    InvalidCredentials 401 "invalid-credentials" "Invalid Credentials"
        "The e-mail address and password do not belong together. The answer is the same whether or not the address is known."
        "Check both; an administrator of the tenant can set a new password.";
    InvalidApiKey 401 "invalid-api-key" "Invalid Api-Key"
        "The `Api-Key` header names no tenant."
        "Copy the key from the answer to the registration or from the admin panel.";
    QueryTokenDisabled 401 "query-token-disabled" "Query Token Disabled"
        "Tokens in the address (`?token=`) are switched off on this server, since addresses end up in logs and histories."
        "Send the token in the `Authorization` header, or ask the operator to switch query tokens on.";
    InvalidSignature 401 "invalid-signature" "Invalid Signature"
        "The token requires signed requests, and this one's `X-Timestamp` and `X-Signature` are missing, too old, too far ahead, or do not match."
        "Sign method, path, raw query string, SHA-256 of the body and timestamp, joined by line feeds, with HMAC-SHA256 and the token's secret; keep the clock within 300 seconds.";
    QuotaExceeded 402 "quota-exceeded" "Quota Exceeded"
        "The tenant holds more data than its quota allows. Reading, deleting and resetting still work."
        "Delete rows or tables, or reset the tenant to the template.";
    EmbedTypeRequired 403 "embed-type-required" "Embed Type Required"
        "A token in the address must be of kind `embed`."
        "Make an embed token for use in addresses and iframes; send other tokens in the `Authorization` header.";
    DomainNotAllowed 403 "domain-not-allowed" "Domain Not Allowed"
        "The request's `Origin` is not among the domains that the token allows."
        "Call from an allowed origin, or have the token's `domain_allowlist` changed.";
    Unauthorized 403 "unauthorized" "Unauthorized"
        "The server did not establish who is calling before it had to decide what they may do. This is a fault of the server."
        "Report it to the operator with the request id.";
    IpNotAllowed 403 "ip-not-allowed" "IP Not Allowed"
        "The client's address is not among the addresses and networks that the token allows."
        "Call from an allowed address, or have the token's `ip_allowlist` changed (IPv4 and IPv6, single addresses and CIDR).";
    ScopeNotAllowed 403 "scope-not-allowed" "Scope Not Allowed"
        "The token does not have the scope that this part of the API needs."
        "Use a token with the scope named in `detail`: `tables`, `views`, `graphql`, `write` or `sql`.";
    TableNotAllowed 403 "table-not-allowed" "Table Not Allowed"
        "The token is limited to certain tables and this name is not one of them."
        "Add the table to the token's `allowed_tables`, or use a token without that limit.";
    ViewNotAllowed 403 "view-not-allowed" "View Not Allowed"
        "The token is limited to certain views and this name is not one of them."
        "Add the view to the token's `allowed_views`, or use a token without that limit.";
    WriteNotAllowed 403 "write-not-allowed" "Write Not Allowed"
        "The token may read and lacks the scope `write`, which a token has only when asked for."
        "Use a token that was made with the scope `write`.";
    Forbidden 403 "forbidden" "Write Not Permitted"
        "The resource takes no writes from anybody, such as a view that can't be updated."
        "Write to the tables behind it.";
    TenantMismatch 403 "tenant-mismatch" "Tenant Mismatch"
        "The `Api-Key` picks one tenant and the credential belongs to another."
        "Send the key of the tenant that issued the credential, or leave the header out.";
    ReadOnly 403 "read-only" "Read Only"
        "The template can be read by everybody who has an account and written by nobody."
        "Send your own tenant's `Api-Key` to work on your copy.";
    PermissionDenied 403 "permission-denied" "Permission Denied"
        "The signed-in user's role does not allow this: viewers read, editors read and write rows, administrators do everything."
        "Sign in as a user with the role that `detail` names, or have an administrator change the role.";
    FeatureDisabled 404 "feature-disabled" "Feature Disabled"
        "This part of the API is switched off, on this server or for this tenant."
        "Ask the operator, or the tenant's administrator, to switch it on.";
    NotFound 404 "not-found" "Not Found"
        "There is nothing under this address: no such route, table, view, report or record, or none that the caller may see."
        "Check names and ids; `GET /api/v1/` lists what there is.";
    MethodNotAllowed 405 "method-not-allowed" "Method Not Allowed"
        "The address exists and does not take this method."
        "Use one of the methods in the `Allow` header of the answer.";
    IdempotencyConflict 409 "idempotency-conflict" "Idempotency Conflict"
        "The `Idempotency-Key` was already used for another request within the last 24 hours."
        "Use a new key for a new request, and repeat a request exactly when retrying it. With `Retry-After` the first request is still at work.";
    PayloadTooLarge 413 "payload-too-large" "Payload Too Large"
        "The body is larger than the server accepts (256 KB unless the operator changed it)."
        "Send the rows in several requests.";
    UnsupportedMediaType 415 "unsupported-media-type" "Unsupported Media Type"
        "The body is not labelled as JSON, or, where CSV is taken, as CSV."
        "Send `Content-Type: application/json`.";
    CreationFailed 422 "creation-failed" "Creation Failed"
        "The row was refused by a rule of the table: a unique key, a foreign key, a check, or a column that must have a value."
        "`errors` names the columns; `GET /api/v1/{resource}/schema` lists the table's rules.";
    UpdateFailed 422 "update-failed" "Update Failed"
        "The row exists, and the change was refused by a rule of the table."
        "`errors` names the columns; `GET /api/v1/{resource}/schema` lists the table's rules.";
    DeletionFailed 422 "deletion-failed" "Deletion Failed"
        "The row exists and can't be deleted, mostly because rows of other tables refer to it."
        "Delete or change the rows named in `detail` first.";
    TooManyRequests 429 "too-many-requests" "Too Many Requests"
        "A limit was reached: that of the client's address, or that of the token, user or account."
        "Wait for as many seconds as `Retry-After` says; the `RateLimit` header tells what is left.";
    InternalError 500 "internal-error" "Internal Error"
        "The server failed at something that was not the client's fault. Nothing of the request was kept."
        "Report it to the operator with the request id in `X-Request-Id`.";
    ViewExecutionError 500 "view-execution-error" "View Execution Error"
        "The view behind this resource failed inside the tenant's own database."
        "Check the view's definition; a table or function that it uses may have changed.";
    AggregationError 500 "aggregation-error" "Aggregation Error"
        "The aggregate over this report failed inside the tenant's own database."
        "Check that dimension and measure are columns of the report and fit the aggregation.";
    RequestTimeout 502 "request-timeout" "Request Timeout"
        "The request took longer than the server allows (60 seconds unless the operator changed it) and was cancelled."
        "Ask for less at once, or add an index that the query can use.";
    TenantProvisioning 503 "tenant-provisioning" "Tenant Provisioning"
        "The tenant's copy is still being made."
        "Poll `GET /api/tenant` until its `status` is `ready`.";
    ServiceUnavailable 503 "service-unavailable" "Service Unavailable"
        "A part that the answer depends on is out of reach for the moment: the database, or the store of the rate limits."
        "Try again after a short wait; the server recovers by itself.";
}

/// Anything that is answered instead of what was asked for.
///
/// `detail` and `errors` are public. `source` is for the log alone: nothing renders it.
#[derive(Debug)]
pub struct Problem {
    /// The row of the catalogue.
    pub kind: Kind,
    /// What happened this time, in words for the client.
    pub detail: Cow<'static, str>,
    /// Messages by column or parameter, where some are at fault.
    pub errors: FieldErrors,
    /// Further members of the document (RFC 9457, 3.2), such as the position in an SQL text.
    pub members: Vec<(&'static str, serde_json::Value)>,
    /// Headers that the answer needs besides the document (`Allow`, `Retry-After`).
    pub headers: Vec<(&'static str, String)>,
    /// The cause, for the log.
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Problem {
    /// A problem with its catalogue description as `detail`.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            detail: Cow::Borrowed(kind.description()),
            errors: FieldErrors::new(),
            members: Vec::new(),
            headers: Vec::new(),
            source: None,
        }
    }

    /// Says what happened this time, in words that a client may read.
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Adds a message about one column or parameter.
    pub fn field(mut self, name: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors
            .entry(name.into())
            .or_default()
            .push(message.into());
        self
    }

    /// Adds a member to the document, under a name that RFC 9457 does not define.
    pub fn member(mut self, name: &'static str, value: impl Into<serde_json::Value>) -> Self {
        self.members.push((name, value.into()));
        self
    }

    /// Adds a header to the answer.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Keeps the cause for the log.
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl From<Kind> for Problem {
    fn from(kind: Kind) -> Self {
        Self::new(kind)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.slug(), self.detail)
    }
}

impl StdError for Problem {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn slugs_are_unique_and_spelt_for_an_anchor() {
        let slugs: HashSet<_> = Kind::ALL.iter().map(|kind| kind.slug()).collect();
        assert_eq!(slugs.len(), Kind::ALL.len());
        for slug in slugs {
            assert!(slug.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
        }
    }

    #[test]
    fn display_tells_nothing_of_the_source() {
        let problem = Problem::new(Kind::InternalError).because("password=hunter2");
        assert!(!problem.to_string().contains("hunter2"));
    }
}
