//! What is looked at outside the settings.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use migration::{Migrator, MigratorTrait};
use platform::clock::SystemClock;
use platform::coordination::{Coordinator, RedisCoordinator};
use platform::database::Database;
use platform::random::SystemRandom;
use platform::secrets::MasterKey;
use platform::settings::{Role, Settings};
use tokio::net::TcpListener;

use super::{Finding, health};

const PATIENCE: Duration = Duration::from_secs(3);

pub(super) async fn all(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    if settings.keeps_files() {
        findings.push(data_directory(&settings.storage.data_dir));
    }
    findings.extend(database(settings).await);
    findings.push(master_key(settings));
    findings.push(listen_address(settings.server.listen).await);
    findings.push(callers(settings));
    findings.push(networks(settings));
    findings.extend(operations(settings).await);
    findings.push(coordination(settings).await);
    findings.push(connectors());
    findings
}

/// Whether a file can be made in the directory, or in the nearest one above it that is there.
fn data_directory(directory: &Path) -> Finding {
    let check = "data directory";
    let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    let existing: PathBuf = absolute
        .ancestors()
        .find(|path| path.exists())
        .unwrap_or(&absolute)
        .to_owned();
    let mend = format!(
        "Give this user the right to write there (chown, chmod), or name another place with --data-dir or SYNCLINE_DATA_DIR. It is {}.",
        absolute.display()
    );
    if !existing.is_dir() {
        return Finding::fault(
            check,
            format!("{} is a file, not a directory", existing.display()),
            mend,
        );
    }
    let probe = existing.join(format!(".syncline-doctor-{}", std::process::id()));
    match std::fs::File::create_new(&probe) {
        Ok(_) => {
            // It was empty and ours; at worst it stays behind.
            let _ = std::fs::remove_file(&probe);
            let not_yet = if existing == absolute {
                ""
            } else {
                " (made at the first start)"
            };
            Finding::ok(
                check,
                format!("{} can be written to{not_yet}", directory.display()),
            )
        }
        Err(error) => Finding::fault(
            check,
            format!("{} cannot be written to: {error}", existing.display()),
            mend,
        ),
    }
}

async fn database(settings: &Settings) -> Vec<Finding> {
    let check = "database";
    if let Some(path) = settings.database.url.sqlite_path()
        && !path.exists()
    {
        return vec![Finding::ok(
            check,
            format!("{} is made and filled at the first start", path.display()),
        )];
    }
    let shown = &settings.database.url;
    let mend = "Check DATABASE_URL (host, port, user, password, database name) and that the server runs and lets this machine in.";
    let database = match tokio::time::timeout(PATIENCE, Database::connect(&settings.database)).await {
        Ok(Ok(database)) => database,
        Ok(Err(error)) => return vec![Finding::fault(check, error.to_string(), mend)],
        Err(_) => {
            return vec![Finding::fault(
                check,
                format!("{shown} does not answer within {} s", PATIENCE.as_secs()),
                mend,
            )];
        }
    };
    let mut findings = Vec::new();
    match database.ping().await {
        Ok(()) => findings.push(Finding::ok(check, format!("{shown} answers"))),
        Err(error) => findings.push(Finding::fault(
            check,
            format!("{shown} does not answer: {error}"),
            mend,
        )),
    }
    match Migrator::get_pending_migrations_read_only(database.for_migration()).await {
        Ok(pending) if pending.is_empty() => findings.push(Finding::ok("migrations", "all applied")),
        Ok(pending) => findings.push(Finding::warning(
            "migrations",
            format!("{} pending", pending.len()),
            "`syncline serve` applies them when it starts; to do it now: syncline migrate",
        )),
        Err(error) => findings.push(Finding::fault(
            "migrations",
            format!("cannot be read: {error}"),
            "The database may belong to a newer Syncline or to another program: look at `syncline migrate --status`.",
        )),
    }
    // What was looked at has been said; a connection that does not close properly changes nothing.
    let _ = database.close().await;
    findings
}

/// Something else may hold the port, or it is us.
async fn listen_address(address: SocketAddr) -> Finding {
    let check = "listen address";
    match TcpListener::bind(address).await {
        Ok(_) => Finding::ok(check, format!("{address} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            if health::ask(address).await.is_some() {
                return Finding::ok(
                    check,
                    format!("{address} is served by a Syncline that is running"),
                );
            }
            Finding::fault(
                check,
                format!("{address} is taken by another program"),
                "Stop it, or listen elsewhere: --listen 127.0.0.1:8010 or SYNCLINE_LISTEN",
            )
        }
        Err(error) => Finding::fault(
            check,
            format!("{address} cannot be listened on: {error}"),
            match error.kind() {
                ErrorKind::PermissionDenied => {
                    "Ports below 1024 need a privilege: take a higher one, with a proxy in front."
                }
                _ => {
                    "Name an address of this machine: --listen 127.0.0.1:8000, or 0.0.0.0:8000 for all of them."
                }
            },
        ),
    }
}

/// The settings have refused an open door beyond loopback already; what is left is to say who may call.
fn callers(settings: &Settings) -> Finding {
    let check = "operator key";
    match (&settings.server.operator_key, settings.server.is_loopback()) {
        (Some(_), _) => Finding::ok(check, "set: callers must send it"),
        (None, true) => Finding::ok(
            check,
            "not set: programs on this machine may call without a key, web pages and other machines may not",
        ),
        (None, false) => Finding::fault(
            check,
            "not set, and other machines can reach the server",
            "Set SYNCLINE_OPERATOR_KEY, for example to the output of: openssl rand -hex 32",
        ),
    }
}

/// The list of operations, where there is one.
async fn operations(settings: &Settings) -> Option<Finding> {
    let check = "operations";
    let path = settings.server.operations.as_ref()?;
    Some(match api::check_operations(path, &settings.server.limits).await {
        Ok(count) => Finding::ok(check, format!("{count} may run, from {}", path.display())),
        Err(problem) => Finding::fault(
            check,
            problem,
            "Mend the document or take it off the list: the server does not start with it. `syncline schema` prints what there is.",
        ),
    })
}

fn networks(settings: &Settings) -> Finding {
    let check = "allowed networks";
    let networks = &settings.network.allow_networks;
    if networks.is_empty() {
        return Finding::ok(check, "connectors may call public addresses only");
    }
    let list = networks
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let metadata = std::net::IpAddr::V4(std::net::Ipv4Addr::new(169, 254, 169, 254));
    let loopback = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    if networks.iter().any(|network| network.contains(&metadata)) {
        return Finding::warning(
            check,
            format!("{list}: among them 169.254.169.254, where clouds hand out credentials"),
            "Allow only the networks that your upstreams are in: SYNCLINE_ALLOW_NETWORKS=10.20.0.0/16",
        );
    }
    if networks.iter().any(|network| network.contains(&loopback)) {
        return Finding::warning(
            check,
            format!("{list}: among them this machine itself, and every service that trusts it"),
            "Good for development. Elsewhere allow only the networks that your upstreams are in.",
        );
    }
    Finding::ok(check, format!("connectors may call public addresses and {list}"))
}

async fn coordination(settings: &Settings) -> Finding {
    let check = "coordination";
    let Some(url) = &settings.coordination.redis_url else {
        return Finding::ok(check, "in process: right for `syncline serve`");
    };
    let answered = async {
        let coordinator = RedisCoordinator::connect(&settings.coordination, SystemClock::shared()).await?;
        coordinator.ping().await
    };
    match answered.await {
        Ok(()) => Finding::ok(check, format!("through Redis at {url}, which answers")),
        Err(error) => Finding::fault(
            check,
            format!("Redis at {url}: {error}"),
            "Is REDIS_URL right, with its password, does the server run, and does it let this machine in? Until it \
             does, processes hear of one another by polling only.",
        ),
    }
}

fn connectors() -> Finding {
    let shipped = connectors::catalog::shipped();
    let broken: Vec<&str> = shipped
        .iter()
        .filter(|shipped| connectors::Connector::parse(shipped.yaml).is_err())
        .map(|shipped| shipped.slug)
        .collect();
    if broken.is_empty() {
        let slugs: Vec<&str> = shipped.iter().map(|shipped| shipped.slug).collect();
        return Finding::ok("connectors", format!("shipped and sound: {}", slugs.join(", ")));
    }
    Finding::fault(
        "connectors",
        format!("shipped but broken: {}", broken.join(", ")),
        "This is our fault: please report it with the version above.",
    )
}

/// Where `serve` makes a key when none is named.
pub(super) const MASTER_KEY_FILE: &str = "master.key";

/// Whether there is a key, it is one, and nobody else can read it. Loading makes a key where there is none, so that is
/// found out first.
pub(super) fn master_key(settings: &Settings) -> Finding {
    let check = "master key";
    let storage = &settings.storage;
    let mend = "Restore the key that was used before: what was sealed with it opens with nothing else. For a new installation, make one with: openssl rand -hex 32";
    let loaded = || MasterKey::load(storage, Role::Serve, &*SystemRandom::shared());
    if storage.master_key.is_some() {
        return match loaded() {
            Ok(_) => Finding::ok(check, "from SYNCLINE_MASTER_KEY"),
            Err(error) => Finding::fault(check, error.to_string(), mend),
        };
    }
    let named = storage.master_key_file.clone();
    let file = named
        .clone()
        .unwrap_or_else(|| storage.data_dir.join(MASTER_KEY_FILE));
    if !file.exists() {
        let shown = file.display();
        return match named {
            None if filled(settings) => Finding::warning(
                check,
                format!(
                    "{shown} is missing, and there is a database already: credentials in it cannot be opened"
                ),
                "Restore the file from your copy, or set SYNCLINE_MASTER_KEY. (If no integration has a secret, `serve` makes a new one and all is well.)",
            ),
            None => Finding::ok(
                check,
                format!("{shown} is made at the first start; keep a copy of it"),
            ),
            Some(_) => Finding::fault(check, format!("{shown} does not exist"), mend),
        };
    }
    match loaded() {
        Err(error) => Finding::fault(check, error.to_string(), mend),
        Ok(_) => match exposed(&file) {
            Some(mode) => Finding::warning(
                check,
                format!("{} can be read by others (mode {mode:o})", file.display()),
                format!("chmod 600 {}", file.display()),
            ),
            None => Finding::ok(check, format!("in {}", file.display())),
        },
    }
}

fn filled(settings: &Settings) -> bool {
    settings.database.url.sqlite_path().is_none_or(Path::exists)
}

/// The mode, when others than the owner may read.
#[cfg(unix)]
fn exposed(file: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(file).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(not(unix))]
fn exposed(_file: &Path) -> Option<u32> {
    None
}
