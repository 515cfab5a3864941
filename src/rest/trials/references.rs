//! References between rows that a write would break.

use super::Site;
use crate::data::plan::Reach;

#[tokio::test]
async fn all_references_that_would_break_are_named() {
    let keys = [
        "alter table leaves add foreign key (tree) references trees",
        "alter table birds add foreign key (tree) references trees (name)",
        "alter table birds add foreign key (nest) references trees",
        "alter table birds add foreign key (leaf) references leaves",
        "alter table birds add foreign key (mate) references birds",
        "alter table roots add foreign key (tree) references trees",
    ];
    let mut backwards = keys;
    backwards.reverse();
    // Postgres looks at them in the order in which they were made.
    for keys in [keys, backwards] {
        let mut site = Site::new(&format!(
            "create table trees (id int primary key, name text unique);
             create table leaves (id int primary key, tree int);
             create table birds (id int primary key, tree text, nest int, leaf int, mate int);
             create table roots (id int primary key, tree int);
             create table eggs (id int primary key, bird int references birds);
             {};
             insert into trees values (1, 'ash'), (2, 'elm');
             insert into leaves values (1, 1);
             insert into birds values (1, 'ash', 1, null, 2), (2, 'elm', null, null, null);
             insert into eggs values (1, 1);
             insert into roots values (1, null), (2, 2);",
            keys.join("; ")
        ))
        .await;
        let refused = async |site: &Site, line: &str, body: &str, says: &str| {
            let got = site.send(line, body).await;
            assert_eq!(got.status, 422);
            assert!(got.detail.starts_with(says), "{got:?}");
        };
        let says = "deletion-failed: Rows of `birds`, `leaves` still refer to this row.\
            {\"id\": [\"is still referred to by rows of `birds`\", \"is still referred to by rows of `leaves`\"], \
            \"name\": [\"is still referred to by rows of `birds`\"]}";
        refused(&site, "DELETE /trees/1", "", says).await;
        let says = "deletion-failed: Rows of `birds`, `roots` still refer to this row.";
        refused(&site, "DELETE /trees/2", "", says).await;
        let says = "deletion-failed: Rows of `eggs` still refer to this row.";
        refused(&site, "DELETE /birds/1", "", says).await;

        let says = "creation-failed: A reference to `leaves`, `trees` leads to no row.\
            {\"leaf\": [\"refers to no row of `leaves`\"], \"tree\": [\"refers to no row of `trees`\"]}";
        let body = r#"{"id":3,"tree":"oak","nest":2,"leaf":9}"#;
        refused(&site, "POST /birds", body, says).await;
        let body = r#"{"tree":"oak","leaf":9}"#;
        let says = says.replace("creation", "update");
        refused(&site, "PATCH /birds/1", body, &says).await;
        // Of several rows, each of which may refer to one before it.
        let body =
            r#"[{"id":3,"nest":2},{"id":4,"mate":3,"nest":8},{"id":5,"tree":"oak","leaf":1}]"#;
        let says = "creation-failed: A reference to `trees` leads to no row.\
            {\"nest\": [\"refers to no row of `trees`\"], \"tree\": [\"refers to no row of `trees`\"]}";
        refused(&site, "POST /birds", body, says).await;

        // What the caller may not see is not told by name.
        site.rules.tables = Reach::Only(["trees", "roots", "birds"].map(str::to_owned).into());
        let body = r#"{"id":3,"tree":"oak","leaf":9}"#;
        let says = "creation-failed: A reference to `trees`, another table leads to no row.";
        refused(&site, "POST /birds", body, says).await;
        let says = "deletion-failed: Rows of `birds`, another table still refer to this row.";
        refused(&site, "DELETE /trees/1", "", says).await;
    }
}
