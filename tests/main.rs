//! The integration tests: one binary, one Postgres, one pair of databases a test.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod harness;

mod accounts;
mod audit;
mod auth;
mod certificate;
mod changing;
mod check;
mod corpus;
mod crud;
mod demo;
mod direct;
mod examples;
mod exports;
mod fairness;
mod graphql;
mod graphql_limits;
mod huge;
mod injection;
mod isolation;
mod killed;
mod limits;
mod limits_redis;
mod moving;
mod panel;
mod postman;
mod problems;
mod quota;
mod reference;
mod replay;
mod reports;
mod reset;
mod rubbish;
mod scale_out;
mod slow;
mod slugs;
mod soak;
mod spares;
mod sql;
mod statements;
mod strangers;
mod template;
mod template_load;
mod tidy;
mod tokens;
