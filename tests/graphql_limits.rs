//! What GraphQL's tools ask of the schema, and what asks for too much.

use serde_json::{Value, json};

use crate::{
    graphql::{ask, data, slug},
    harness::Server,
};

#[tokio::test]
async fn what_asks_for_too_much_is_refused_before_it_runs() {
    let server = Server::start().await;
    let tenant = server.tenant("limits").await;
    let deep = format!(
        "{{ clients {} }}",
        "{ invoices { client ".repeat(10) + "{ id }" + &"} }".repeat(10)
    );
    let aliases: String = (0..10_000).map(|n| format!("a{n}:id ")).collect();
    let roots: String = (0..10_000).map(|n| format!("a{n}:_ping ")).collect();
    let mut bomb = "{ clients { ...f0 } }".to_owned();
    for n in 0..30 {
        bomb += &format!(
            " fragment f{n} on Client {{ ...f{0} a{n}: id ...f{0} }}",
            n + 1
        );
    }
    bomb += " fragment f30 on Client { id }";
    let rows = "{ clients(limit: 1000) { invoices(limit: 1000) { id invoiceItems(limit: 1000) { id } } } }";
    let brackets = "{a".repeat(20_000);
    let nested = format!(
        "{{ clients(where: {}{}) {{ id }} }}",
        "{not: ".repeat(5_000) + "{}",
        "}".repeat(5_000)
    );
    for query in [
        deep,
        format!("{{ clients {{ {aliases} }} }}"),
        format!("{{ {roots} }}"),
        bomb,
        rows.to_owned(),
        brackets,
        nested,
    ] {
        let started = std::time::Instant::now();
        let answer = ask(&tenant.admin, &query, Value::Null).await;
        assert_eq!(slug(&answer), "bad-request", "{query:.60}");
        assert!(answer.get("data").is_none());
        assert!(
            started.elapsed().as_secs() < 5,
            "{query:.60} took {:?}",
            started.elapsed()
        );
    }
    let introspection: String = (0..100)
        .map(|n| format!("a{n}: __schema {{ types {{ fields {{ name args {{ name }} }} }} }} "))
        .collect();
    let answer = ask(
        &tenant.admin,
        &format!("{{ {introspection} }}"),
        Value::Null,
    )
    .await;
    assert_eq!(slug(&answer), "bad-request");
}

#[tokio::test]
async fn tools_read_the_schema() {
    let server = Server::start().await;
    let tenant = server.tenant("tools").await;
    let answer = ask(&tenant.admin, INTROSPECTION, Value::Null).await;
    let schema = data(answer)["__schema"].clone();
    assert_eq!(schema["queryType"]["name"], "Query");
    assert_eq!(schema["mutationType"]["name"], "Mutation");
    assert_eq!(schema["subscriptionType"], Value::Null);
    let query = "{ __type(name: \"Invoice\") { fields { name type { kind ofType { name } } } } __typename }";
    let found = data(ask(&tenant.admin, query, Value::Null).await);
    assert_eq!(found["__typename"], "Query");
    let fields = found["__type"]["fields"].as_array().unwrap();
    assert!(fields.contains(
        &json!({"name": "total", "type": {"kind": "NON_NULL", "ofType": {"name": "Decimal"}}})
    ));
}

/// What GraphiQL 3 asks first, with all its options on.
const INTROSPECTION: &str = "
  query IntrospectionQuery {
    __schema {
      description
      queryType { name kind }
      mutationType { name kind }
      subscriptionType { name kind }
      types { ...FullType }
      directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } }
    }
  }
  fragment FullType on __Type {
    kind name description specifiedByURL
    fields(includeDeprecated: true) {
      name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason
    }
    inputFields(includeDeprecated: true) { ...InputValue }
    interfaces { ...TypeRef }
    enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
    possibleTypes { ...TypeRef }
  }
  fragment InputValue on __InputValue {
    name description type { ...TypeRef } defaultValue isDeprecated deprecationReason
  }
  fragment TypeRef on __Type {
    kind name
    ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
      ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } }
  }";
