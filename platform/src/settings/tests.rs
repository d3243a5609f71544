//! Settings, as an operator meets them.

use std::collections::HashMap;

use secrecy::ExposeSecret;

use super::*;

/// Settings from a file's text, an environment and flags.
fn load(file: &str, environment: &[(&str, &str)], flags: Overrides) -> Result<Settings, SettingsError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    if !file.is_empty() {
        std::fs::write(&path, file).unwrap();
    }
    let environment: HashMap<_, _> = environment.iter().copied().collect();
    Settings::load_with(
        &flags,
        &|name| environment.get(name).map(|value| (*value).to_owned()),
        &path,
    )
}

fn faults(file: &str, environment: &[(&str, &str)]) -> String {
    load(file, environment, Overrides::default())
        .unwrap_err()
        .to_string()
}

const KEY: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn without_anything_there_is_a_working_default() {
    let settings = load("", &[], Overrides::default()).unwrap();
    assert_eq!(settings.server.listen.to_string(), "127.0.0.1:8000");
    assert_eq!(
        settings.database.url.sqlite_path(),
        Some(Path::new("./data/syncline.db"))
    );
    assert_eq!(settings.worker.lease_seconds, 30);
    assert!(settings.coordination.redis_url.is_none());
    settings.validate_for(Role::Serve).unwrap();
}

#[test]
fn flags_go_before_the_environment_before_the_file_before_the_default() {
    let file = "[worker]\nworkers = 2\nlease_seconds = 40\n[database]\nmax_connections = 7\n";
    let environment = [
        ("SYNCLINE_WORKERS", "3"),
        ("SYNCLINE_LEASE_SECONDS", "50"),
        ("RUST_LOG", ""),
    ];
    let flags = Overrides::default()
        .with("worker.workers", Some(4))
        .with("worker.lease_seconds", None::<u64>);
    let settings = load(file, &environment, flags).unwrap();
    assert_eq!(settings.worker.workers, 4);
    assert_eq!(settings.worker.lease_seconds, 50);
    assert_eq!(settings.database.max_connections, 7);
    assert_eq!(
        settings.telemetry.filter,
        TelemetrySettings::default().filter,
        "an empty variable is not set"
    );
}

#[test]
fn every_environment_variable_arrives() {
    let environment = [
        ("DATABASE_URL", "postgres://me:hunter2@db/syncline"),
        ("REDIS_URL", "redis://:hunter2@cache:6379"),
        ("SYNCLINE_LISTEN", "0.0.0.0:80"),
        ("SYNCLINE_DATA_DIR", "/var/lib/syncline"),
        ("SYNCLINE_MASTER_KEY_FILE", "/run/secrets/key"),
        ("SYNCLINE_OPERATOR_KEY", KEY),
        ("SYNCLINE_ALLOW_NETWORKS", "10.0.0.0/8, fd00::/8,192.168.1.7"),
        ("SYNCLINE_ALLOW_FOLDERS", "/srv/a, /srv/b"),
        ("SYNCLINE_WORKERS", "9"),
        ("SYNCLINE_LEASE_SECONDS", "12"),
        ("SYNCLINE_DATABASE_MAX_CONNECTIONS", "20"),
        ("SYNCLINE_DATABASE_MIN_CONNECTIONS", "5"),
        ("SYNCLINE_DATABASE_ACQUIRE_TIMEOUT_SECONDS", "3"),
        ("SYNCLINE_LOG_FORMAT", "json"),
        ("RUST_LOG", "debug"),
    ];
    let settings = load("", &environment, Overrides::default()).unwrap();
    assert_eq!(settings.server.listen.to_string(), "0.0.0.0:80");
    assert_eq!(
        settings.server.operator_key.as_ref().unwrap().expose_secret(),
        KEY
    );
    assert_eq!(settings.storage.data_dir, Path::new("/var/lib/syncline"));
    assert_eq!(settings.network.allow_networks.len(), 3);
    assert_eq!(settings.network.allow_networks[2].to_string(), "192.168.1.7/32");
    assert_eq!(
        settings.network.allow_folders,
        [Path::new("/srv/a"), Path::new("/srv/b")]
    );
    assert_eq!((settings.worker.workers, settings.worker.lease_seconds), (9, 12));
    assert_eq!(
        (
            settings.database.max_connections,
            settings.database.min_connections
        ),
        (20, 5)
    );
    assert_eq!(settings.database.acquire_timeout.as_secs(), 3);
    assert!(settings.database.idle_in_transaction_timeout < settings.worker.lease());
    assert_eq!(settings.telemetry.log_format, LogFormat::Json);
    assert_eq!(
        settings.database.url.expose(),
        "postgres://me:hunter2@db/syncline"
    );
    settings.validate_for(Role::Scheduler).unwrap();

    let shown = format!("{settings:?}");
    assert!(!shown.contains("hunter2") && !shown.contains(KEY), "{shown}");
    assert!(shown.contains("postgres://me:******@db/syncline"), "{shown}");
}

#[test]
fn no_error_repeats_a_secret() {
    let environment = [
        ("DATABASE_URL", "postgres://me:hunter2@"),
        ("REDIS_URL", "http://:hunter2@cache"),
        ("SYNCLINE_OPERATOR_KEY", "hunter2"),
    ];
    let text = faults("", &environment);
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    let flags = Overrides::default().with("server.operator_key", Some("hunter2"));
    assert!(!format!("{flags:?}").contains("hunter2"));
}

#[test]
fn an_unknown_key_is_named_with_the_one_that_was_meant() {
    let text = faults(
        "[server]\nlissten = '127.0.0.1:1'\n[databse]\nurl = 'sqlite://x'\n",
        &[],
    );
    assert!(
        text.contains("server.lissten in syncline.toml is no setting: did you mean server.listen?"),
        "{text}"
    );
    assert!(
        text.contains("databse.url in syncline.toml is no setting: did you mean database.url?"),
        "{text}"
    );
    assert!(faults("listen = 'x'", &[]).contains("did you mean server.listen?"));
    assert!(faults("[nonsense]\n", &[]).contains("nonsense in syncline.toml is no setting"));
    assert!(faults("[server]\nlisten = {}\n", &[]).contains("must be a value"));
    assert!(faults("[server\n", &[]).contains("line 1"));
}

#[test]
fn a_wrong_value_is_told_with_its_place_and_what_would_be_right() {
    for (file, environment, expected) in [
        (
            "",
            [("SYNCLINE_LISTEN", "8000")],
            "SYNCLINE_LISTEN is \"8000\", must be an address and a port",
        ),
        (
            "",
            [("SYNCLINE_WORKERS", "0")],
            "SYNCLINE_WORKERS is 0, must be a whole number from 1 to 256",
        ),
        (
            "",
            [("SYNCLINE_LEASE_SECONDS", "soon")],
            "SYNCLINE_LEASE_SECONDS is \"soon\", must be a whole number",
        ),
        (
            "[worker]\nworkers = 1000",
            [("", "")],
            "worker.workers in syncline.toml is 1000, must be",
        ),
        (
            "",
            [("SYNCLINE_ALLOW_NETWORKS", "10.0.0.0/99")],
            "SYNCLINE_ALLOW_NETWORKS has \"10.0.0.0/99\"",
        ),
        (
            "",
            [("SYNCLINE_ALLOW_FOLDERS", "exports")],
            "SYNCLINE_ALLOW_FOLDERS has \"exports\", must be absolute",
        ),
        (
            "",
            [("SYNCLINE_LOG_FORMAT", "xml")],
            "SYNCLINE_LOG_FORMAT is \"xml\", must be json or pretty",
        ),
        ("", [("RUST_LOG", "a=b=c")], "RUST_LOG is \"a=b=c\""),
        (
            "",
            [("DATABASE_URL", "mysql://h/d")],
            "DATABASE_URL has the scheme \"mysql\"",
        ),
        (
            "",
            [("DATABASE_URL", "sqlite::memory:")],
            "nothing would survive a restart",
        ),
        ("", [("DATABASE_URL", "sqlite://")], "DATABASE_URL names no file"),
        (
            "",
            [("SYNCLINE_DATABASE_MIN_CONNECTIONS", "50")],
            "must be at most database.max_connections",
        ),
        (
            "[server]\nallowed_origins = ['https://a.example/']",
            [("", "")],
            "server.allowed_origins in syncline.toml has",
        ),
        (
            "",
            [("SYNCLINE_ALLOWED_ORIGINS", "https://a.example, *")],
            "SYNCLINE_ALLOWED_ORIGINS has \"*\", must be origins",
        ),
        (
            "[server]\nmax_event_streams = 0",
            [("", "")],
            "server.max_event_streams in syncline.toml is 0, must be",
        ),
        (
            "[identity]\nissuer = 'https://login.example'",
            [("", "")],
            "SYNCLINE_OIDC_AUDIENCE is not set, and identity.issuer is",
        ),
        (
            "[identity]\naudience = 'syncline'",
            [("SYNCLINE_OIDC_ISSUER", "http://login.example")],
            "SYNCLINE_OIDC_ISSUER is \"http://login.example\", must be an https URL",
        ),
        (
            "",
            [("SYNCLINE_ANONYMOUS_LOOPBACK", "no")],
            "SYNCLINE_ANONYMOUS_LOOPBACK is \"no\", must be true or false",
        ),
        ("", [("SYNCLINE_MASTER_KEY", "x")], ""),
    ] {
        match load(file, &environment, Overrides::default()) {
            Err(error) => assert!(error.to_string().contains(expected), "{error}"),
            Ok(_) => assert!(
                expected.is_empty(),
                "{environment:?} should be refused: {expected}"
            ),
        }
    }
    let text = load("", &[], Overrides::default().with("worker.workers", Some("many")))
        .unwrap_err()
        .to_string();
    assert!(text.starts_with("--workers is \"many\""), "{text}");
}

#[test]
fn all_faults_come_at_once() {
    let text = faults(
        "",
        &[
            ("SYNCLINE_LISTEN", "x"),
            ("SYNCLINE_WORKERS", "x"),
            ("RUST_LOG", "a=b=c"),
        ],
    );
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn to_listen_beyond_loopback_needs_a_key() {
    for listen in ["0.0.0.0:8000", "[::]:8000", "192.168.1.1:8000"] {
        let text = faults("", &[("SYNCLINE_LISTEN", listen)]);
        assert!(
            text.contains("SYNCLINE_OPERATOR_KEY is not set") && text.contains("openssl rand"),
            "{text}"
        );
        load(
            "",
            &[("SYNCLINE_LISTEN", listen), ("SYNCLINE_OPERATOR_KEY", KEY)],
            Overrides::default(),
        )
        .unwrap();
    }
    for listen in [
        "127.0.0.1:0",
        "[::1]:8000",
        "127.9.9.9:8000",
        "[::ffff:127.0.0.1]:8000",
    ] {
        load("", &[("SYNCLINE_LISTEN", listen)], Overrides::default()).unwrap();
    }
}

#[test]
fn split_roles_refuse_to_coordinate_in_process() {
    let settings = load("", &[], Overrides::default()).unwrap();
    for role in [Role::Api, Role::Scheduler] {
        let text = settings.validate_for(role).unwrap_err().to_string();
        assert!(
            text.contains("REDIS_URL is not set") && text.contains("syncline serve"),
            "{text}"
        );
        assert!(text.contains("SYNCLINE_MASTER_KEY is not set"), "{text}");
    }
}

#[test]
fn a_named_file_must_be_there() {
    let flags = Overrides {
        config_file: Some("/nonexistent/syncline.toml".into()),
        ..Overrides::default()
    };
    let text = load("", &[], flags).unwrap_err().to_string();
    assert!(text.contains("cannot read /nonexistent/syncline.toml"), "{text}");
}

#[test]
fn sqlite_addresses_are_paths() {
    for (url, path) in [
        ("sqlite://data/x.db", "data/x.db"),
        ("sqlite:///var/x.db", "/var/x.db"),
        ("sqlite:x.db", "x.db"),
        ("sqlite://./a b.db?mode=rwc", "./a b.db"),
    ] {
        assert_eq!(
            DatabaseUrl::parse(url).unwrap().sqlite_path(),
            Some(Path::new(path)),
            "{url}"
        );
    }
    for url in [
        "sqlite://:memory:",
        "sqlite::memory:",
        "sqlite://x?mode=memory",
        "sqlite://x?cache=shared",
        "nothing",
    ] {
        DatabaseUrl::parse(url).unwrap_err();
    }
}

#[test]
fn every_key_has_one_name_and_a_line_of_explanation() {
    let mut seen = std::collections::HashSet::new();
    for key in KEYS {
        assert!(
            seen.insert(key.path) && key.variable.is_none_or(|name| seen.insert(name)),
            "{key:?}"
        );
        assert!(!key.about.is_empty());
    }
}
