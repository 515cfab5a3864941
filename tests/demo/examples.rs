//! Other templates than the CRM: with `SANDLOT_EXAMPLES` naming a folder, each `NAME/NAME.sql` in it.

use std::path::PathBuf;

use sandlot::template::load::load;

use super::{
    demo,
    masking::{columns, tables},
};
use crate::harness::Server;

#[tokio::test]
async fn the_examples_have_demos_that_tell_nothing() {
    let Some(folder) = std::env::var_os("SANDLOT_EXAMPLES") else {
        return;
    };
    let mut tried = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let folder: PathBuf = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let sql = std::fs::read_to_string(folder.join(format!("{name}.sql"))).unwrap();
        let server = Server::start().await;
        let mut platform = server.connect_as("sandlot").await;
        load(&mut platform, &sql, &name).await.unwrap();
        let (anybody, made) = demo(&server, 5).await;
        let report = server.app.demo.explain().await.unwrap();
        println!("{name}\n{}", report.text());
        assert_eq!(report.empty, [], "{name}");
        let superuser = server.superuser().await;
        for table in tables(&superuser, "public").await {
            let rows = anybody
                .get(&format!("/api/v1/{table}?per_page=2"))
                .await
                .expect(200);
            println!("{table}: {}", rows.text());
            for column in columns(&superuser, "public", &table).await {
                let line = report
                    .columns
                    .iter()
                    .find(|line| line.table == table && line.column == column)
                    .unwrap();
                if line.verdict != "masked" || !long_enough(&superuser, &table, &column).await {
                    continue;
                }
                // A long text of the template is nowhere in the demo's column.
                let sql = format!(
                    "select count(*) from {}.\"{table}\" d where d.\"{column}\"::text in (select \"{column}\"::text from public.\"{table}\")",
                    made.identity.schema
                );
                let same: i64 = superuser.query_one(&sql, &[]).await.unwrap().get(0);
                assert_eq!(same, 0, "{name}: {table}.{column}");
            }
        }
        tried += 1;
    }
    assert!(tried > 0);
}

/// Whether a column's texts are so long that none could be made up by chance.
async fn long_enough(superuser: &tokio_postgres::Client, table: &str, column: &str) -> bool {
    let sql = format!(
        "select coalesce(min(length(\"{column}\"::text)) >= 14 and bool_and(\"{column}\"::text ~ '[a-z]'), false) from public.\"{table}\""
    );
    superuser.query_one(&sql, &[]).await.unwrap().get(0)
}
