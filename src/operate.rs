//! What an operator does from the command line, beside a running server or without one.

use std::{
    io::{Write as _, stdout},
    path::Path,
    sync::Arc,
};

use anyhow::Context as _;
use sea_orm::{ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _};
use tenants::Tenants;

use crate::{
    accounts,
    app::App,
    auth::operations::NewUser,
    config::{DemoCommand, Settings, TemplateCommand, TenantCommand},
    databases::Databases,
    directory::tenant,
    problem::Problem,
    template,
    tenancy::certificate,
};

/// Runs a command on the template.
///
/// # Errors
/// When a database does not answer, or the template can't be what the command asks for.
pub async fn template(settings: Settings, command: TemplateCommand) -> anyhow::Result<()> {
    let databases = Databases::join(&settings).await?;
    let outcome = async {
        // A start that finds no template makes one: of the command's file, and not another one first.
        let mut settings = settings;
        settings.template_file = match &command {
            TemplateCommand::Load { file } => Some(file.clone()),
            TemplateCommand::Show => None,
        };
        let app = App::open(&settings, &databases).await?;
        let outcome = match command {
            TemplateCommand::Load { file } if !app.tenancy.template_was_loaded() => {
                load(&app.tenants, &file).await
            }
            _ => Ok(()),
        };
        app.tenancy.renew_template().await.map_err(told)?;
        let source = template::source(&app.tenants).await?.unwrap_or_default();
        let version = app.tenancy.template_version();
        app.close().await;
        outcome?;
        print(&format!("version {version}: {source}\n"))
    }
    .await;
    databases.close().await;
    outcome
}

/// Runs a command on tenants.
///
/// # Errors
/// When a database does not answer, there is no such tenant, or what was asked does not hold.
pub async fn tenant(settings: Settings, command: TenantCommand) -> anyhow::Result<()> {
    if let TenantCommand::Verify { file, key } = &command {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        anyhow::ensure!(
            certificate::verify(&text, key)?,
            "the signature does not hold"
        );
        return print("the signature holds\n");
    }
    let databases = Databases::join(&settings).await?;
    let outcome = async {
        let app = App::open(&settings, &databases).await?;
        let outcome = on_tenants(&app, command).await;
        app.close().await;
        outcome
    }
    .await;
    databases.close().await;
    outcome
}

/// Runs a command on the demo.
///
/// # Errors
/// When a database does not answer, or the demo can't be made.
pub async fn demo(settings: Settings, command: DemoCommand) -> anyhow::Result<()> {
    let databases = Databases::join(&settings).await?;
    let outcome = async {
        let app = App::open(&settings, &databases).await?;
        let outcome = on_demo(&app, command).await;
        app.close().await;
        outcome
    }
    .await;
    databases.close().await;
    outcome
}

async fn on_demo(app: &Arc<App>, command: DemoCommand) -> anyhow::Result<()> {
    match command {
        DemoCommand::Refresh { seed } => {
            let made = app.demo.refresh(seed).await?;
            print(&format!(
                "seed {}, version {} of the template\n",
                made.seed, made.template_version
            ))
        }
        DemoCommand::Explain => print(&app.demo.explain().await?.text()),
    }
}

async fn on_tenants(app: &Arc<App>, command: TenantCommand) -> anyhow::Result<()> {
    match command {
        TenantCommand::List => {
            for tenant in tenant::Entity::find().all(&app.db).await? {
                print(&line(&tenant))?;
            }
            Ok(())
        }
        TenantCommand::Create { email, password } => create(app, email, password).await,
        TenantCommand::Certify { tenant } => {
            let tenant = find(app, &tenant).await?;
            let certificate = app.tenancy.certify(&tenant).await.map_err(told)?;
            print(&format!(
                "{}\n",
                serde_json::to_string_pretty(&certificate)?
            ))?;
            anyhow::ensure!(certificate["verdict"] == "identical", "the tenant differs");
            Ok(())
        }
        TenantCommand::Reset { tenant, tables } => {
            let tenant = find(app, &tenant).await?;
            let named = (!tables.is_empty()).then_some(tables);
            let report = app.tenancy.reset(&tenant, named).await.map_err(told)?;
            print(&match report.whole {
                true => format!("{} was made anew\n", tenant.schema),
                false => format!("rows put back: {}\n", report.tables.join(", ")),
            })
        }
        TenantCommand::Drop { tenant } => {
            let tenant = find(app, &tenant).await?;
            app.tenancy.remove(&tenant).await.map_err(told)?;
            print(&format!("{} is gone\n", tenant.schema))
        }
        // Needs no database and was done before one was opened.
        TenantCommand::Verify { .. } => Ok(()),
    }
}

async fn create(app: &Arc<App>, email: String, password: Option<String>) -> anyhow::Result<()> {
    let made_up = password.is_none();
    let password = password.unwrap_or_else(|| hex::encode(rand::random::<[u8; 12]>()));
    let new = NewUser {
        email,
        password,
        name: None,
    }
    .checked()
    .map_err(told)?;
    let (_, tenant) = accounts::record(&app.tenancy, &app.directory, &new)
        .await
        .map_err(told)?;
    let (tenant, _) = app.tenancy.make(tenant).await.map_err(told)?;
    print(&line(&tenant))?;
    if made_up {
        print(&format!("password: {}\n", new.password))?;
    }
    Ok(())
}

async fn load(tenants: &Tenants, file: &Path) -> anyhow::Result<()> {
    template::file::load_anew(tenants, file).await
}

async fn find(app: &App, name: &str) -> anyhow::Result<tenant::Model> {
    // A schema may be called like a number, and is what is meant then.
    let by_id = name.parse().ok().map(|id: i64| tenant::Column::Id.eq(id));
    let which = Condition::any()
        .add(tenant::Column::Schema.eq(name))
        .add_option(by_id);
    let found = tenant::Entity::find().filter(which).all(&app.db).await?;
    (found.iter().find(|tenant| tenant.schema == name))
        .or(found.first())
        .cloned()
        .with_context(|| format!("there is no tenant {name}"))
}

fn line(tenant: &tenant::Model) -> String {
    format!(
        "{}\t{}\t{}\t{}\tversion {}\t{}\n",
        tenant.id,
        tenant.schema,
        tenant.api_key,
        tenant.status.as_str(),
        tenant.template_version,
        tenant.created_at.to_rfc3339()
    )
}

/// A problem's public words and its cause: on the operator's own terminal both may be told.
fn told(problem: Problem) -> anyhow::Error {
    let mut text = problem.to_string();
    for (field, messages) in &problem.errors {
        text.push_str(&format!("; {field} {}", messages.join(", ")));
    }
    if let Some(source) = &problem.source {
        text.push_str(&format!(" ({source})"));
    }
    anyhow::anyhow!(text)
}

fn print(text: &str) -> anyhow::Result<()> {
    stdout().write_all(text.as_bytes())?;
    Ok(())
}
