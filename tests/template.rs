//! The template that ships: its numbers agree, and its steps can be taken back.

use crate::harness::Server;

#[tokio::test]
async fn the_numbers_of_the_template_agree() {
    let server = Server::start().await;
    let superuser = server.superuser().await;
    superuser
        .batch_execute("set search_path = public")
        .await
        .unwrap();
    assert!(!seed::crm::checks::CHECKS.is_empty());
    for (what, sql) in seed::crm::checks::CHECKS {
        let row = superuser.query_one(*sql, &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 0, "{what}");
    }
}

#[tokio::test]
async fn the_template_has_about_thirty_thousand_rows() {
    let server = Server::start().await;
    let rows: i64 = server
        .content("public")
        .await
        .values()
        .map(|(rows, _)| rows)
        .sum();
    assert!((25_000..40_000).contains(&rows), "{rows}");
}
