//! Accounts: the people who own tenants.

use sea_orm_migration::prelude::*;

/// The step; its name is the file's.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(UP).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(DOWN).await?;
        Ok(())
    }
}

const UP: &str = r#"
create table accounts (
    id bigint generated always as identity primary key,
    email text not null check (email = lower(email)),
    password_hash text not null,
    name text,
    created_at timestamptz not null default now(),
    constraint accounts_email_key unique (email)
);
comment on table accounts is 'A person''s account on the platform; owns tenants';
comment on column accounts.email is 'Lower case; what is compared at sign-in';
comment on column accounts.password_hash is 'argon2id, PHC string format';
"#;

const DOWN: &str = "drop table accounts";
