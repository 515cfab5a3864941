//! The settings that the embedded Postgres runs with, and why.
//!
//! They are given on the command line at each start, so neither an old file nor
//! `alter system` changes them; whatever is not listed keeps Postgres' default and may be
//! set in `postgresql.conf` of the cluster.

use std::{ffi::OsString, os::unix::ffi::OsStrExt, path::Path};

/// One setting of Postgres.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Name, as in `pg_settings`.
    pub name: &'static str,
    /// Value, as on the command line.
    pub value: &'static str,
    /// Why it suits a host of sandboxes.
    pub why: &'static str,
}

const fn set(name: &'static str, value: &'static str, why: &'static str) -> Setting {
    Setting { name, value, why }
}

/// Most connections at once. Pools together must stay below it by a few: a superuser's
/// log-in, the watchdog and autovacuum want some too.
pub const MAX_CONNECTIONS: u32 = 300;

/// Settings of every embedded server.
pub const SETTINGS: &[Setting] = &[
    set(
        "listen_addresses",
        "",
        "No TCP port: whoever may enter the socket's folder (mode 0700) may log in, and nobody else can try.",
    ),
    set(
        "port",
        "5432",
        "Only names the socket file, `.s.PGSQL.5432`; each installation has a folder of its own for it.",
    ),
    set(
        "max_connections",
        "300",
        "Each active tenant has connections of its own. An idle one costs 1.3 MB and slows nobody down.",
    ),
    set(
        "max_locks_per_transaction",
        "512",
        "The lock table is the whole cluster's. Dropping a schema or dumping many locks every table at once, \
         and a roomy table is harder for one tenant to fill; it costs 40 MB.",
    ),
    set(
        "shared_buffers",
        "256MB",
        "Room for the template and some hundred active tenants; the operating system's cache does the rest.",
    ),
    set(
        "min_dynamic_shared_memory",
        "128MB",
        "Counters take 0.9 KB a table. Reserved here they don't depend on /dev/shm, which is 64 MB in a \
         container; a page costs nothing until it is used.",
    ),
    set(
        "wal_level",
        "minimal",
        "There is no replica. A table filled in the transaction that made it is then not logged row by row, \
         which makes copying a template twice as fast.",
    ),
    set(
        "max_wal_senders",
        "0",
        "Has to be 0 with `wal_level = minimal`.",
    ),
    set(
        "max_logical_replication_workers",
        "0",
        "No subscriptions, so no process that waits for them.",
    ),
    set(
        "synchronous_commit",
        "on",
        "A row whose write was answered is on the disk, and survives any crash.",
    ),
    set(
        "recovery_init_sync_method",
        SYNC_METHOD,
        "After a crash every file is flushed before recovery. Opening each of the hundreds of thousands of \
         files of 5,000 tenants took 31 s; one flush of the file system takes 1 s. (Linux only.)",
    ),
    set(
        "max_wal_size",
        "2GB",
        "Seeding and copying write in bursts; fewer checkpoints in the middle of them.",
    ),
    set(
        "checkpoint_timeout",
        "1min",
        "A copy has 230 files, and each that a checkpoint has not flushed yet is flushed one by one before a \
         server that was stopped or killed is back: after 200 sign-ups in five minutes that took three minutes.",
    ),
    set(
        "wal_compression",
        "lz4",
        "A copy's small tables go to the log as whole pages when it commits. lz4 halves them for a tenth of the \
         processor time of pglz, which took as long as making the copy. (Off where PostgreSQL was built without it.)",
    ),
    set(
        "jit",
        "off",
        "Tenants' statements are short: compiling one costs more time and memory than it saves.",
    ),
    set(
        "max_parallel_workers_per_gather",
        "0",
        "One request uses one core, so a tenant's report can't take the machine from the others.",
    ),
    set(
        "max_worker_processes",
        "0",
        "A tenant can ask for parallel workers in its session; where there are none, none can be had.",
    ),
    set(
        "random_page_cost",
        "1.1",
        "Disks are solid state by now; indexes are worth using.",
    ),
    set(
        "temp_file_limit",
        "2GB",
        "One statement can't fill the disk by sorting. Tenants' roles get less.",
    ),
    set(
        "client_connection_check_interval",
        "5s",
        "A statement stops soon after the server that asked for it is gone.",
    ),
    set(
        "autovacuum_naptime",
        "2min",
        "Each look goes over the counters of every table, 100,000 of them with 4,000 tenants; small tables can wait.",
    ),
    set(
        "autovacuum_max_workers",
        "2",
        "Tables are small, so two are enough, and the cores are for requests.",
    ),
    set(
        "autovacuum_vacuum_insert_threshold",
        "10000",
        "A fresh copy is a burst of inserts into small tables, and not worth a vacuum.",
    ),
    set(
        "timezone",
        "UTC",
        "The same instant reads the same on every machine.",
    ),
    set(
        "log_timezone",
        "UTC",
        "The log agrees with the server's own.",
    ),
    set(
        "lc_messages",
        "C",
        "Messages in English, wherever the server runs.",
    ),
    set(
        "log_min_messages",
        "log",
        "Errors that a tenant's statement makes are its own: they are answered, not logged, and can't fill the disk.",
    ),
    set(
        "log_min_error_statement",
        "panic",
        "Statements hold tenants' data and may hold passwords; they stay out of the log.",
    ),
    set(
        "log_line_prefix",
        "%m [%p] %q%u@%d ",
        "Time, process, and for a session its role and database.",
    ),
    set(
        "logging_collector",
        "off",
        "The log goes to `postgres.log` in the data folder, from the first line on.",
    ),
    set(
        "log_destination",
        "stderr",
        "The same, whatever `postgresql.conf` says.",
    ),
];

const SYNC_METHOD: &str = if cfg!(target_os = "linux") {
    "syncfs"
} else {
    "fsync"
};

/// Settings that a throw-away server has instead: quick, small, and lost with the machine.
pub const THROW_AWAY: &[Setting] = &[
    set("fsync", "off", "Nobody will miss the data."),
    set(
        "full_page_writes",
        "off",
        "The same. What was answered is still written, so it survives a killed process.",
    ),
    set("shared_buffers", "64MB", "Several run side by side."),
    set("max_wal_size", "256MB", "The same."),
    set("min_wal_size", "32MB", "The same."),
];

/// What a Postgres that was built without it has instead.
const WITHOUT_LZ4: Setting = set(
    "wal_compression",
    "off",
    "Writing twice the bytes costs less than compressing them with pglz.",
);

/// The command-line arguments: the tables above, the caller's own settings (which win),
/// and the socket's folder, which nothing may change.
pub(super) fn arguments(
    durable: bool,
    lz4: bool,
    own: &[(String, String)],
    socket_dir: &Path,
    cluster_name: &str,
) -> Vec<OsString> {
    let mut arguments = Vec::new();
    let mut push = |setting: OsString| {
        arguments.push(OsString::from("-c"));
        arguments.push(setting);
    };
    let throw_away = if durable { &[] } else { THROW_AWAY };
    let instead = if lz4 { &[][..] } else { &[WITHOUT_LZ4] };
    for setting in SETTINGS.iter().chain(throw_away).chain(instead) {
        push(format!("{}={}", setting.name, setting.value).into());
    }
    for (name, value) in own {
        push(format!("{name}={value}").into());
    }
    push(format!("cluster_name={cluster_name}").into());
    // The value is a list; quoted, a folder may have commas and spaces in its name.
    let mut sockets = b"unix_socket_directories=\"".to_vec();
    for byte in socket_dir.as_os_str().as_bytes() {
        if *byte == b'"' {
            sockets.push(b'"');
        }
        sockets.push(*byte);
    }
    sockets.push(b'"');
    push(std::os::unix::ffi::OsStringExt::from_vec(sockets));
    push("unix_socket_permissions=0700".into());
    arguments
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_has_a_reason_and_comes_once() {
        for table in [SETTINGS, THROW_AWAY] {
            let mut names: Vec<_> = table.iter().map(|setting| setting.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), table.len());
            for setting in table {
                assert!(setting.why.ends_with(['.', ')']), "{}", setting.name);
            }
        }
        let connections = SETTINGS.iter().find(|s| s.name == "max_connections");
        assert_eq!(connections.unwrap().value, MAX_CONNECTIONS.to_string());
    }

    #[test]
    fn the_callers_come_later_and_the_socket_last() {
        let own = [("jit".to_owned(), "on".to_owned())];
        let arguments = arguments(false, false, &own, Path::new("/a \"b\",c"), "name");
        let at = |text: &str| arguments.iter().position(|a| a == text).unwrap();
        assert!(at("jit=off") < at("jit=on"));
        assert!(at("wal_compression=lz4") < at("wal_compression=off"));
        assert!(at("shared_buffers=256MB") < at("shared_buffers=64MB"));
        assert!(at("jit=on") < at("unix_socket_directories=\"/a \"\"b\"\",c\""));
        assert_eq!(arguments.len() % 2, 0);
    }
}
