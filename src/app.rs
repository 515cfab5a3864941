//! The whole server on one screen: its parts, its routes, what runs in the background.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::Context as _;
use chrono::{TimeDelta, Utc};
use migration::MigratorTrait as _;
use poem::{
    Endpoint, EndpointExt as _, Request, Response, Route,
    endpoint::{BoxEndpoint, DynEndpoint, ToDynEndpoint},
    get, handler,
    http::header,
    web::Data,
};
use poem_openapi::OpenApiService;
use sea_orm::DatabaseConnection;
use tenants::{Credentials, Limits, Tenants};
use tokio::{sync::Mutex, task::JoinHandle};

use crate::{
    accounts::AccountsApi,
    audit::Audit,
    auth::{Auth, jwt::Keys, operations::AuthApi, own::OwnApi, password, session, tokens::Tokens},
    config::Settings,
    data::{MakeSecret, Spine},
    databases::{self, Databases},
    demo::Demo,
    direct::{self, Direct},
    directory::Directory,
    edge::{is_within, metrics::Metrics},
    exports::{
        self, Exports,
        model::{Fields, Published},
    },
    front,
    graphql::{self, Graphql},
    health::{self, Health},
    limits::{self, Quotas},
    logs::{Log, LogsApi},
    panel::Panel,
    platform::{self, Secrets},
    problem::{Kind, Problem},
    reference::{
        docs,
        problems::{self, PublicUrl},
        swagger,
    },
    reports::{self, Embed, Records, Reports, ReportsApi},
    rest, sql,
    template::Template,
    tenancy::{
        Tenancy,
        certificate::Seal,
        demo::DemoApi,
        operations::TenantApi,
        settings::{Bounds, SettingsApi},
        spares::Stock,
    },
    tokens::{self, Test, TokensApi},
};

/// How often what has expired is removed.
const SWEEP: Duration = Duration::from_secs(600);

/// The server's parts.
pub struct App {
    /// The platform's own database.
    pub db: DatabaseConnection,
    /// Connections to the tenants' database.
    pub tenants: Tenants,
    /// Who and what is known.
    pub directory: Directory,
    /// Who asks.
    pub auth: Arc<Auth>,
    /// A tenant's life.
    pub tenancy: Arc<Tenancy>,
    /// Requests for data, answered.
    pub spine: Arc<Spine>,
    /// The masked copy that anybody may use.
    pub demo: Demo,
    /// Who called what.
    pub audit: Arc<Audit>,
    /// How much may be asked for.
    pub limits: Arc<limits::Limits>,
    /// The server's figures.
    pub metrics: Arc<Metrics>,
    /// The door for tenants' own programs, once it is open.
    pub direct: OnceLock<Arc<Direct>>,
    health: Arc<Health>,
    /// The servers' common secret.
    secret: [u8; 32],
    /// Bytes that a tenant may take; none for no quota.
    quota: Option<u64>,
}

impl App {
    /// Connects, migrates, seeds on the first start, and puts the parts together.
    ///
    /// # Errors
    /// When a database does not answer or refuses a step.
    pub async fn open(settings: &Settings, databases: &Databases) -> anyhow::Result<Arc<Self>> {
        let superuser = databases
            .embedded
            .as_ref()
            .map(|embedded| embedded.superuser());
        // The roles and databases of an own Postgres come first; the secrets are in one of them.
        if let Some(superuser) = &superuser {
            let nobody = tenants(settings, databases, None)?;
            nobody.prepare(Some(superuser)).await?;
            nobody.close().await;
        }
        platform::migrate(&databases.platform_url).await?;
        let db = platform::connect(&databases.platform_url).await?;
        let secrets = platform::secrets(&db).await?;
        let tenants = tenants(settings, databases, Some(&secrets))?;
        for weakness in tenants.prepare(superuser.as_ref()).await? {
            tracing::warn!(
                lacks = weakness.what,
                so = weakness.consequence,
                remedy = weakness.remedy,
                "a promise is weaker on this database server"
            );
        }
        let template = Template::open(&tenants, &databases.tenants_url, settings).await?;
        password::use_secret(&secrets.server);
        password::warm_up()
            .await
            .map_err(|problem| anyhow::anyhow!("{problem}"))?;

        let ttl =
            (settings.tenant_ttl > 0).then(|| TimeDelta::hours(i64::from(settings.tenant_ttl)));
        let directory = Directory::new(db.clone(), ttl);
        let demo = Demo::new(
            db.clone(),
            tenants.clone(),
            template.clone(),
            &secrets.server,
            settings,
        );
        let auth = Auth::new(
            db.clone(),
            directory.clone(),
            tenants.clone(),
            Keys::new(&secrets.jwt),
            demo.clone(),
            Tokens::new(db.clone(), &secrets.server),
            settings.query_tokens,
        );
        let tenancy = Tenancy::new(
            db.clone(),
            directory.clone(),
            tenants.clone(),
            template.clone(),
            Stock {
                count: settings.spares as usize,
                bytes: settings.spares_disk * 1_000_000,
            },
            Seal::new(&secrets.server),
        );
        let spine = Spine::new(tenants.clone(), &secrets.server, make_secret());
        let metrics = Arc::new(Metrics::default());
        let limits = Arc::new(rate_limits(settings)?);
        let audit = Audit::new(
            db.clone(),
            settings.log_days,
            settings.log_queue,
            metrics.audit(),
        );
        let health = Health {
            db: db.clone(),
            limits: Arc::clone(&limits),
            tenants: tenants.clone(),
            template,
            metrics: Arc::clone(&metrics),
            ready: Mutex::default(),
        };
        Ok(Arc::new(Self {
            db,
            tenants,
            directory,
            auth: Arc::new(auth),
            tenancy: Arc::new(tenancy),
            spine: Arc::new(spine),
            demo,
            audit,
            limits,
            metrics,
            health: Arc::new(health),
            direct: OnceLock::new(),
            secret: secrets.server,
            quota: Some(settings.tenant_quota * 1_000_000).filter(|bytes| *bytes > 0),
        }))
    }

    /// Takes back steps of the platform's tables.
    ///
    /// # Errors
    /// When a step can't be taken back.
    pub async fn migrate_down(databases: &Databases, steps: u32) -> anyhow::Result<()> {
        let db = platform::connect(&databases.platform_url).await?;
        migration::platform::Migrator::down(&db, Some(steps))
            .await
            .context("taking back steps of the platform's database")
    }

    /// Opens the door for tenants' own programs, if the settings say so.
    ///
    /// # Errors
    /// When its address can't be listened on.
    pub async fn open_door(&self, settings: &Settings) -> anyhow::Result<()> {
        let (directory, tenants) = (self.directory.clone(), self.tenants.clone());
        let door = Direct::open(settings, directory, tenants, self.secret).await?;
        if let Some(door) = door {
            self.direct.get_or_init(|| door);
        }
        Ok(())
    }

    async fn keep_door(&self) {
        if let Some(door) = self.direct.get() {
            Arc::clone(door).serve().await;
        }
    }

    /// Starts what runs beside the requests.
    pub fn start_background(self: &Arc<Self>) -> JoinHandle<()> {
        let app = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(problem) = app.tenancy.remove_orphans().await {
                tracing::warn!(%problem, "schemas without an owner could not be looked for");
            }
            tokio::join!(
                app.tenancy.keep_finishing(),
                app.tenancy.keep_spares(),
                app.demo.keep_fresh(),
                app.keep_sweeping(),
                app.tenants.keep_guard(),
                app.tenants.keep_listening(),
                app.keep_door(),
                app.tenancy.keep_quota(app.quota),
                app.audit.keep(),
                app.auth.tokens().keep_writing_down(),
            );
        })
    }

    /// Closes all connections.
    pub async fn close(&self) {
        if let Err(problem) = self.auth.tokens().write_down().await {
            tracing::warn!(%problem, "when tokens were used could not be written down");
        }
        self.audit.finish().await;
        self.tenants.close().await;
        if let Err(error) = self.db.clone().close().await {
            tracing::debug!(%error, "the platform's connections did not close cleanly");
        }
    }

    async fn keep_sweeping(&self) {
        loop {
            match session::sweep(&self.db, Utc::now()).await {
                Ok(gone) => tracing::debug!(gone, "expired sessions removed"),
                Err(problem) => tracing::warn!(%problem, "expired sessions could not be removed"),
            }
            match self.tenants.sweep_ledger().await {
                Ok(gone) => tracing::debug!(gone, "expired entries of the replay ledger removed"),
                Err(error) => tracing::warn!(%error, "expired entries of the replay ledger stay"),
            }
            tokio::time::sleep(SWEEP).await;
        }
    }
}

/// The whole server: pages for people, and the API, which the pages call like everybody else.
pub struct Routes {
    panel: Panel,
    api: Arc<dyn DynEndpoint<Output = Response>>,
}

impl Endpoint for Routes {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        if Panel::has(request.original_uri().path()) {
            // Boxed, or every call would carry the room that a page's future takes.
            Box::pin(self.panel.call(request)).await
        } else {
            self.api.call(request).await
        }
    }
}

/// All routes.
pub fn routes(
    app: &Arc<App>,
    public_url: &str,
    document: &serde_json::Value,
    body_limit: usize,
) -> Routes {
    let api: Arc<dyn DynEndpoint<Output = Response>> = Arc::new(ToDynEndpoint(Api {
        data: data(app, public_url).boxed(),
        others: others(app, public_url, document).boxed(),
    }));
    Routes {
        panel: Panel::new(
            Arc::clone(&api),
            Arc::clone(&app.auth),
            Arc::clone(&app.audit),
            public_url,
            body_limit,
        ),
        api,
    }
}

/// All routes but the panel's, in two parts: what is asked most goes through few hands.
struct Api {
    data: BoxEndpoint<'static, Response>,
    others: BoxEndpoint<'static, Response>,
}

impl Endpoint for Api {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let path = request.original_uri().path();
        match is_within(path, rest::BASE) || is_within(path, Embed::PATH) {
            true => self.data.call(request).await,
            false => self.others.call(request).await,
        }
    }
}

/// The surfaces over the data.
fn data(app: &Arc<App>, public_url: &str) -> impl Endpoint<Output = Response> + 'static {
    let exports = Exports::all(public_url, &beside_exports(app));
    let routes = exports
        .into_iter()
        .fold(Route::new(), |routes, (path, export)| {
            routes.at(path, export)
        });
    routes
        .at(sql::PATH, sql::Sql)
        .at(tokens::PATH, Test)
        .nest_no_strip(reports::PATH, Reports)
        .at(graphql::PATH, Graphql::new(public_url))
        .nest_no_strip(rest::BASE, rest::Rest)
        .nest_no_strip(Embed::PATH, Embed)
        .data(Arc::clone(&app.auth))
        .data(Arc::clone(&app.spine))
        .data(Records::new(app.db.clone()))
        .map_to_response()
}

/// The platform's own calls, and plain pages.
fn others(
    app: &Arc<App>,
    public_url: &str,
    document: &serde_json::Value,
) -> impl Endpoint<Output = Response> + 'static {
    Route::new()
        .at("/", get(front::landing))
        .at("/docs/instructions", get(front::instructions))
        .at("/healthz", get(health::healthz))
        .at("/readyz", get(health::readyz))
        .at("/metrics", get(health::metrics))
        .at("/api_docs", get(docs::docs))
        .at("/api_docs/try", get(docs::try_it))
        .at(swagger::SCRIPT, get(swagger::script))
        .at(swagger::STYLE, get(swagger::style))
        .at("/api_docs/problems.md", get(problems::plain))
        .at("/openapi.json", get(openapi.data(document.to_string())))
        .nest("/api", service())
        .data(Arc::clone(&app.health))
        .data(app.directory.clone())
        .data(Arc::clone(&app.auth))
        .data(Arc::clone(&app.tenancy))
        .data(app.direct.get().cloned())
        .data(app.demo.clone())
        .data(Bounds {
            quota: app.quota,
            limits: Arc::clone(&app.limits),
        })
        .data(Arc::clone(&app.spine))
        .data(Records::new(app.db.clone()))
        .data(Log {
            db: app.db.clone(),
            audit: Arc::clone(&app.audit),
        })
        .data(PublicUrl(public_url.to_owned()))
        .data_opt(
            app.demo
                .token()
                .map(|token| problems::PublicToken(token.as_str().to_owned())),
        )
        .map_to_response()
}

/// What the exports say of other surfaces.
fn beside_exports(app: &App) -> exports::Beside {
    let records = Records::new(app.db.clone());
    exports::Beside {
        reports: Arc::new(move |tenant| {
            let records = records.clone();
            Box::pin(async move {
                let all = records.all(tenant).await?.into_iter();
                let published = all.filter(|report| report.published);
                let published = published.map(|report| Published {
                    slug: report.slug,
                    title: report.title,
                    view: report.view,
                });
                Ok(published.collect())
            })
        }),
        graphql: Arc::new(|catalog, rules| {
            let called = graphql::called(Arc::clone(catalog), rules).into_iter();
            let fields = called.map(|called| Fields {
                table: called.table,
                list: called.list,
                create: called.create,
                columns: called.columns,
                enums: called.enums,
            });
            fields.collect()
        }),
    }
}

/// The platform's own calls, by what they are about.
type Calls = (
    AccountsApi,
    TenantApi,
    SettingsApi,
    DemoApi,
    AuthApi,
    OwnApi,
    TokensApi,
    ReportsApi,
    LogsApi,
);

/// The platform's own calls.
pub fn service() -> OpenApiService<Calls, ()> {
    OpenApiService::new(
        (
            AccountsApi,
            TenantApi,
            SettingsApi,
            DemoApi,
            AuthApi,
            OwnApi,
            TokensApi,
            ReportsApi,
            LogsApi,
        ),
        "Sandlot",
        env!("CARGO_PKG_VERSION"),
    )
    .description("Registering, signing in, and the life of a private copy.")
    .url_prefix("/api")
}

#[handler]
fn openapi(document: Data<&String>) -> Response {
    Response::builder()
        .header(header::CONTENT_TYPE, "application/json")
        .body(document.0.clone())
}

fn rate_limits(settings: &Settings) -> anyhow::Result<limits::Limits> {
    let quotas = Quotas {
        address: settings.ip_rate,
        caller: settings.token_rate,
        sign_in: settings.sign_in_rate,
        register: settings.register_rate,
        window: Duration::from_secs(settings.rate_window),
    };
    match &settings.redis_url {
        Some(url) => limits::Limits::in_redis(quotas, url),
        None => Ok(limits::Limits::in_memory(quotas)),
    }
}

/// What is stored of a password that a client sent for a user.
fn make_secret() -> MakeSecret {
    Arc::new(|given: String| {
        Box::pin(async move {
            password::check(&given)
                .map_err(|message| Problem::new(Kind::ValidationFailed).detail(message))?;
            password::hash(given).await
        })
    })
}

fn tenants(
    settings: &Settings,
    databases: &Databases,
    secrets: Option<&Secrets>,
) -> anyhow::Result<Tenants> {
    let credentials = match (databases.own, secrets) {
        (false, Some(secrets)) => Credentials::Derived(secrets.server),
        // Nobody but this server reaches the socket of an own Postgres.
        _ => Credentials::Trust,
    };
    let platform_database = match databases.own {
        true => Some(databases::PLATFORM.to_owned()),
        false => databases
            .platform_url
            .parse::<tokio_postgres::Config>()?
            .get_dbname()
            .map(str::to_owned),
    };
    Ok(Tenants::open(tenants::Settings {
        platform: databases.tenants_config()?,
        platform_database,
        credentials,
        limits: Limits {
            connections: settings.connections as usize,
            per_tenant: settings.connections_per_tenant as usize,
            direct: settings.direct_listen.map_or(0, |_| direct::EACH),
            statement: Duration::from_secs(settings.request_timeout),
            ..Limits::default()
        },
    })?)
}
