//! Other ways to have a schema twice: Postgres' own tools, and the bytes alone.

use std::{
    fs::{self, File},
    process::Stdio,
    time::Instant,
};

use sandlot::databases::{ROLE, TENANTS};
use tokio::process::Command;

use crate::{milliseconds, stage::Stage};

/// Dumps the template, gives its schema another name, and reads it in again; `single` in one transaction.
pub async fn dump_and_restore(stage: &Stage, single: bool) -> f64 {
    let embedded = stage.databases.embedded.as_ref().unwrap();
    let bin = embedded.binaries().dir.display();
    let to = format!(
        "-h {} -U {ROLE} -d {TENANTS}",
        embedded.socket_dir().display()
    );
    let one = if single { "-1" } else { "" };
    let script = format!(
        r"set -e -o pipefail
        '{bin}/pg_dump' {to} -n public --no-owner --no-privileges |
        sed -E 's/\bpublic\./restored./g; s/SCHEMA public/SCHEMA restored/; s/^CREATE SCHEMA restored;//' |
        (echo 'create schema restored;'; cat) |
        '{bin}/psql' {to} -X -q {one} -v ON_ERROR_STOP=1 > /dev/null"
    );
    let begin = Instant::now();
    let status = Command::new("bash")
        .args(["-c", &script])
        .env("PGOPTIONS", "-c client_min_messages=error")
        .stdin(Stdio::null())
        .status()
        .await
        .unwrap();
    let took = milliseconds(begin);
    assert!(status.success(), "{script}");
    let client = stage.superuser(TENANTS).await;
    let there = "select count(*) from pg_class where relnamespace = $1::text::regnamespace and relkind in ('r', 'i')";
    let count =
        async |schema: &str| -> i64 { client.query_one(there, &[&schema]).await.unwrap().get(0) };
    assert_eq!(count("public").await, count("restored").await);
    stage.keep_inodes();
    client
        .batch_execute("drop schema restored cascade")
        .await
        .unwrap();
    took
}

/// Copies the files of the template's tables and indexes, and waits until they are on the disk.
pub async fn copy_files(stage: &Stage) -> f64 {
    let client = stage.superuser(TENANTS).await;
    client.batch_execute("checkpoint").await.unwrap();
    let rows = client
        .query(
            "with own as (select oid, reltoastrelid from pg_class
                 where relnamespace = 'public'::regnamespace and relkind in ('r', 'i', 'S')),
                 toast as (select reltoastrelid as oid from own where reltoastrelid <> 0),
                 every as (select oid from own union all select oid from toast
                     union all select indexrelid from pg_index join toast on indrelid = toast.oid)
             select pg_relation_filepath(oid) from every",
            &[],
        )
        .await
        .unwrap();
    let cluster = stage
        .databases
        .embedded
        .as_ref()
        .unwrap()
        .cluster()
        .to_owned();
    // Left there for the same reason as `Stage::keep_inodes`.
    let target = tempfile::tempdir_in(stage.folder.path()).unwrap().keep();
    let begin = Instant::now();
    for (number, row) in rows.iter().enumerate() {
        let from = cluster.join(row.get::<_, String>(0));
        let to = target.join(number.to_string());
        fs::copy(from, &to).unwrap();
        File::open(&to).unwrap().sync_all().unwrap();
    }
    milliseconds(begin)
}
