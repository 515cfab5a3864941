//! Sandlot: a private, complete copy of a realistic backend for everybody who signs up.
//!
//! Whoever registers gets a schema of their own in PostgreSQL, cloned from a template, with an
//! API over it. This page is the map of the code and the list of what must stay true.
//!
//! # Words
//!
//! | word | meaning |
//! |---|---|
//! | template | the schema `public` of the tenants' database: what every copy starts from; read-only through the API |
//! | tenant | one private copy: a schema, the login role that alone reaches its rows, an `Api-Key` |
//! | account | a person's account on the platform; owns tenants |
//! | user | a row of a tenant's own `users`: who signs in to that copy |
//! | caller | who asks, once credentials are checked, where, and with which rights |
//! | problem | an error as an RFC 9457 document: one row of one catalogue |
//! | demo | a schema with made-up values in the template's shape, which anybody may use and nobody can change |
//! | surface | one face of the API |
//!
//! # The way of a request
//!
//! ```text
//! edge::Edge::answer     limits of rate, size and time, request id, log line, problem documents
//!   app::routes          the whole list of routes
//!     panel              a page for people: calls the routes below, in the same process
//!     platform calls     accounts, auth::operations, tenancy::operations: one function a call
//!     rest               a data call: method, path, query, body -> data::request::Request
//!     graphql            the same from a document: one request for each field at its top
//!       auth             credentials -> auth::caller::Caller
//!       data::plan       Request + catalog + rights -> Plan, or the problem
//!       data::sql        Plan -> one statement, every value a bind
//!       data::run        the statement, on a connection that logged in as the tenant
//!       rest::render     rows as JSON bytes in their envelope
//! ```
//!
//! # Where things are
//!
//! - `tenants/` (crate): schemas, login roles, connections, the clone script. Knows no HTTP.
//! - `seed/` (crate): the template's made-up rows, pure in seed, table and row.
//! - `migration/` (crate): the tables of both databases, one reversible file a step.
//! - `src/`: [`config`] every setting, [`problem`] every error, [`postgres`] the own PostgreSQL,
//!   [`databases`] and [`platform`] where the two databases are, [`directory`] who is known,
//!   [`direct`] the door for PostgreSQL's own protocol, [`edge`], [`limits`], [`audit`] the log of
//!   calls, [`auth`], [`template`], [`demo`], [`tenancy`], [`data`]
//!   the spine, [`listing`] what lists in addresses mean, [`rest`], [`graphql`], [`reports`],
//!   [`sql`], [`tokens`], [`logs`], [`exports`], [`accounts`] and [`panel`] the surfaces,
//!   [`reference`](mod@reference) generated pages, [`front`] and [`health`] plain pages, [`check`] the walls tried,
//!   [`soak`] a load that checks every answer,
//!   [`operate`] the operator's commands, [`app`] and [`serve`] all of it together.
//! - `tests/`: one binary over a real PostgreSQL; `tests/tidy.rs` holds the rules about the code.
//!
//! # What must stay true
//!
//! - I1. Tenant work runs on a connection that logged in as the tenant's role. The platform makes
//!   fresh objects and hands them over as the last step; it never touches one that a tenant has
//!   held. Nobody switches roles (`tests/tidy.rs`, `tests/isolation.rs`).
//! - I2. A role that can't log in owns each tenant's schema; the tenant's role may use it and
//!   create in it, is a member of nothing, and has no rights on the template.
//! - I3. The platform's connections have no tenant's schema in their search path. On a tenant's
//!   connection, SQL that the server builds qualifies names, types, functions and operators.
//! - I4. Time is enforced from outside: cancel at the limit, terminate a second later, and the
//!   connection is thrown away.
//! - I5. A connection whose session is not where we left it is thrown away.
//! - I6. Parsing, planning, SQL and rendering are pure; what can be refused without a row is
//!   refused before a connection is taken.
//! - I7. Rows become JSON bytes without a tree of values between; bodies go in as one JSON bind.
//! - I8. A field of GraphQL's `Query` is one plan and one statement; all mutations of an operation
//!   are one transaction.
//! - I9. All surfaces share one plan: the same rows and the same refusals whichever way you ask.
//! - I10. The demo is masked at rest: its role reaches its schema and nothing else, its rows follow from a seed, and the
//!   database itself refuses to keep a write (`tests/demo`).
//! - A write that a client has named or signed is made once: what the ledger keeps of it commits with
//!   it, as the tenant, and only what a server has signed is served again (`tests/replay.rs`).
//! - I11. One catalogue of problems; nothing else leaves the server as an error, and the cause of
//!   one has no way into a body (`tests/problems.rs`, `tests/rubbish.rs`).
//! - A copy is wholly of one version of the template and knows of which; its certificate compares it
//!   with that version (`template::versions`, `tests/certificate.rs`). A registration, a reset and a
//!   removal that a killed process left half done are finished or undone by the next one (`tenancy`).
//! - I12. The member crates do not know each other; the top modules of `src/` are layered and form
//!   no cycle (`tests/tidy.rs`).

pub mod accounts;
pub mod app;
pub mod audit;
pub mod auth;
pub mod check;
pub mod config;
pub mod data;
pub mod databases;
pub mod demo;
pub mod direct;
pub mod directory;
pub mod edge;
pub mod exports;
pub mod failure;
pub mod front;
pub mod graphql;
pub mod health;
pub mod limits;
pub mod listing;
pub mod log;
pub mod logs;
pub mod operate;
pub mod panel;
pub mod platform;
pub mod postgres;
pub mod problem;
pub mod reference;
pub mod reports;
pub mod rest;
pub mod serve;
pub mod soak;
pub mod sql;
pub mod template;
pub mod tenancy;
pub mod tokens;
