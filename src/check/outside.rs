//! Escapes to the outside: other databases, other tenants' HTTP, what is granted to everybody, signals between sessions.

use std::{future::poll_fn, time::Duration};

use serde_json::json;
use tokio_postgres::{AsyncMessage, NoTls};

use super::{
    Verdict,
    escape::{Escape, How, READ, verdict},
    http::Caller,
    stage::Stage,
};

/// All of this file's.
pub const ESCAPES: [Escape; 7] = [
    Escape {
        name: "platform database",
        what: "log in to the database of the accounts",
        how: How::Probe(|stage| Box::pin(platform_database(stage))),
        excuse: None,
    },
    Escape {
        name: "other databases",
        what: "log in to the other databases of the cluster",
        how: How::Probe(|stage| Box::pin(other_databases(stage))),
        excuse: Some("connect to other databases"),
    },
    Escape {
        name: "another tenant over HTTP",
        what: "reach another tenant with one's own credentials, or another schema by a resource's name",
        how: How::Probe(|stage| Box::pin(over_http(stage))),
        excuse: None,
    },
    Escape {
        name: "another tenant's replies",
        what: "read or forge what the replay ledger keeps for another tenant",
        how: How::Probe(|stage| Box::pin(replies(stage))),
        excuse: None,
    },
    Escape {
        name: "grants to everybody",
        what: "lure another tenant's session into one's own objects, by grants to PUBLIC and to its role",
        how: How::Probe(|stage| Box::pin(granted(stage))),
        excuse: None,
    },
    Escape {
        name: "membership of one's own role",
        what: "make other roles members of one's own, and gain rights by it",
        how: How::Probe(|stage| Box::pin(memberships(stage))),
        excuse: None,
    },
    Escape {
        name: "notifications",
        what: "send to or hear other tenants by LISTEN and NOTIFY",
        how: How::Probe(|stage| Box::pin(notifications(stage))),
        excuse: None,
    },
];

async fn platform_database(stage: &Stage<'_>) -> anyhow::Result<Verdict> {
    logs_in(stage, &["sandlot"]).await
}

async fn other_databases(stage: &Stage<'_>) -> anyhow::Result<Verdict> {
    logs_in(stage, &["postgres", "template1"]).await
}

async fn logs_in(stage: &Stage<'_>, databases: &[&'static str]) -> anyhow::Result<Verdict> {
    let mut against = Vec::new();
    for database in databases {
        let database = match *database {
            "sandlot" => Box::leak(
                (stage.app.tenants.settings().platform_database)
                    .clone()
                    .unwrap_or_else(|| "sandlot".to_owned())
                    .into_boxed_str(),
            ),
            other => other,
        };
        if stage
            .entrance
            .session(&stage.attacker.identity, Some(database))
            .await
            .is_ok()
        {
            against.push(format!("logged in to {database}"));
        }
    }
    Ok(verdict(against))
}

/// Both claim the same key, the attacker with operators of its own in its search path.
async fn replies(stage: &Stage<'_>) -> anyhow::Result<Verdict> {
    const CLAIM: &str = "select pg_catalog.encode(answer, 'escape')
        from _sandlot.claim(1::int2, pg_catalog.sha256('check'), pg_catalog.sha256('check'))";
    let store = |answer: &str| {
        format!("{CLAIM}; select _sandlot.store(1::int2, pg_catalog.sha256('check'), '{answer}')")
    };
    let hijack = stage.fill(
        "create function {mine}.check_same(name, name) returns bool language sql immutable as 'select true';
         create operator {mine}.= (leftarg = name, rightarg = name, function = {mine}.check_same);",
    );
    let theirs = stage.entrance.session(&stage.victim.identity, None).await?;
    theirs.work(&store(&stage.secret)).await?;
    let mine = stage.attack().await?;
    mine.work(&hijack).await?;
    let mut against = Vec::new();
    let path = stage.fill("set local search_path = {mine}, pg_catalog; ");
    for sql in [
        format!("{path}{CLAIM}"),
        store("forged"),
        format!("{path}{}", CLAIM.replace("'check')", "'another')")),
    ] {
        if let Ok(given) = mine.work(&sql).await
            && given.iter().any(|value| value.contains(&stage.secret))
        {
            against.push("the victim's answer was given to the attacker".to_owned());
        }
    }
    let kept = theirs.work(CLAIM).await?;
    if !kept.iter().any(|value| value.contains(&stage.secret)) {
        against.push(format!("the victim's answer has become {kept:?}"));
    }
    Ok(verdict(against))
}

async fn over_http(stage: &Stage<'_>) -> anyhow::Result<Verdict> {
    let mut against = Vec::new();
    let (victim, mine) = (&stage.victim.caller, &stage.attacker.caller);
    let borrowed = Caller {
        key: victim.key.clone(),
        ..mine.clone()
    };
    let keyed = Caller {
        token: String::new(),
        ..borrowed.clone()
    };
    for (who, caller) in [
        ("my token under its key", &borrowed),
        ("its key alone", &keyed),
    ] {
        for path in [
            "check_secret",
            "check_secret/1",
            "tables/check_secret",
            "check_secret/schema",
            "",
        ] {
            let answer = caller.get(&format!("/api/v1/{path}")).await?;
            if answer.status < 400 {
                against.push(format!("{who} reads /{path}"));
            }
        }
        for (path, body) in [
            ("/api/v1/check_secret", json!({"word": "x"})),
            ("/api/v1/sql", json!({"query": "select 1"})),
            (
                "/api/v1/graphql",
                json!({"query": "{ checkSecrets { word } }"}),
            ),
            ("/api/tenant/reset", json!({})),
        ] {
            let answer = caller.post(path, &body).await?;
            if answer.status < 400 {
                against.push(format!("{who} writes {path}"));
            }
        }
        let answer = caller.call("DELETE", "/api/tenant", None).await?;
        if answer.status < 400 {
            against.push(format!("{who} deletes the tenant"));
        }
    }
    let schema = &stage.victim.identity.schema;
    for name in [
        format!("{schema}.check_secret"),
        format!("%22{schema}%22.%22check_secret%22"),
        format!("{schema}%2Echeck_secret"),
        "check_secret".to_owned(),
        "public.clients".to_owned(),
        "_sandlot.template".to_owned(),
        "pg_catalog.pg_roles".to_owned(),
        "pg_roles".to_owned(),
        "information_schema.tables".to_owned(),
    ] {
        for path in [
            format!("/api/v1/{name}"),
            format!("/api/v1/tables/{name}"),
            format!("/api/v1/clients?include={name}"),
            format!("/api/v1/clients?fields={name}"),
            format!("/api/v1/clients?sort={name}"),
            format!("/api/v1/clients?filter={name}:1"),
        ] {
            let answer = mine.get(&path).await?;
            if answer.status < 400 || answer.text().contains(&stage.secret) {
                against.push(format!("{path} answers {}", answer.status));
            }
        }
    }
    Ok(verdict(against))
}

async fn granted(stage: &Stage<'_>) -> anyhow::Result<Verdict> {
    let session = stage.attack().await?;
    session
        .work(&stage.fill(
            "create table check_lure (word text); insert into check_lure values ('lured');
             grant all on check_lure to public; grant all on check_lure to {victim_role};
             grant all on schema {mine} to public; grant usage on schema {mine} to {victim_role};
             grant execute on function check_steal(text) to public",
        ))
        .await?;
    let victim = stage.entrance.session(&stage.victim.identity, None).await?;
    let mut against = Vec::new();
    for sql in [
        "select * from {mine}.check_lure",
        "insert into {mine}.check_lure values ('x')",
        "select {mine}.check_steal('lured')",
        "set search_path = {mine}; select * from check_lure",
    ] {
        let sql = stage.fill(sql);
        if victim.work(&sql).await.is_ok() {
            against.push(format!("the victim's session could: {sql}"));
        }
    }
    session.work("drop table check_lure").await?;
    Ok(verdict(against))
}

async fn memberships(stage: &Stage<'_>) -> anyhow::Result<Verdict> {
    let session = stage.attack().await?;
    let mut accepted = Vec::new();
    for member in ["{victim_role}", "{platform}", "{owner}"] {
        let sql = stage.fill(&format!("grant {{me}} to {member}"));
        if session.work(&sql).await.is_ok() {
            accepted.push(stage.fill(member));
        }
    }
    let read = stage.fill(READ);
    let mut against = Vec::new();
    for sql in [
        read.clone(),
        stage.fill("set role {victim_role}; select 'switched'"),
    ] {
        if session.work(&sql).await.is_ok() {
            against.push(format!("after the grants it could: {sql}"));
        }
    }
    for member in &accepted {
        session
            .work(&format!(
                "revoke {} from {member}",
                stage.attacker.identity.role
            ))
            .await?;
    }
    Ok(match (against.is_empty(), accepted.is_empty()) {
        (true, true) => Verdict::Held,
        (true, false) => Verdict::Open(
            "before PostgreSQL 16 a role may make others members of itself: it gives away its own rows and gains \
             nothing, members inherit nothing, and the platform undoes it within a minute"
                .to_owned(),
        ),
        _ => verdict(against),
    })
}

async fn notifications(stage: &Stage<'_>) -> anyhow::Result<Verdict> {
    // A listener needs the messages of its connection, so it is opened by hand, as the victim.
    let settings = stage.app.tenants.settings();
    let mut config = settings.platform.clone();
    let (listener, mut connection) = config
        .user(settings.platform.get_user().unwrap_or_default())
        .connect(NoTls)
        .await?;
    let (send, mut heard) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(note) = message {
                let _ = send.send(note.payload().to_owned());
            }
        }
    });
    listener.batch_execute("listen check_channel").await?;
    let session = stage.attack().await?;
    session.work("notify check_channel, 'check'").await?;
    let heard = tokio::time::timeout(Duration::from_secs(5), heard.recv()).await;
    Ok(match heard {
        Ok(Some(_)) => Verdict::Open(
            "channels belong to the whole database and nobody can take NOTIFY away: whoever listens hears what others \
             send. The platform listens to nothing there; a guard ends sessions that let the queue fill"
                .to_owned(),
        ),
        _ => Verdict::Held,
    })
}
