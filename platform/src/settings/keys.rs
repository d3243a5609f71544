//! Every key there is. What is not in this table does not exist: the file's unknown keys are found with it,
//! and a section can only ask for what is listed.

/// One thing that can be set.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its place in `syncline.toml`.
    pub path: &'static str,
    /// Its environment variable.
    pub variable: Option<&'static str>,
    /// What it is for, in a line.
    pub about: &'static str,
    /// Whether its value is never shown.
    pub secret: bool,
}

impl Key {
    /// The flag that sets it, where the command line has one.
    pub fn flag(&self) -> String {
        let name = self.variable.unwrap_or(self.path);
        let name = name.strip_prefix("SYNCLINE_").unwrap_or(name);
        format!("--{}", name.to_lowercase().replace(['_', '.'], "-"))
    }
}

const fn key(path: &'static str, variable: &'static str, about: &'static str) -> Key {
    Key {
        path,
        variable: Some(variable),
        about,
        secret: false,
    }
}

const fn secret(path: &'static str, variable: &'static str, about: &'static str) -> Key {
    Key {
        path,
        variable: Some(variable),
        about,
        secret: true,
    }
}

const fn in_file(path: &'static str, about: &'static str) -> Key {
    Key {
        path,
        variable: None,
        about,
        secret: false,
    }
}

/// All keys, by section.
pub const KEYS: &[Key] = &[
    key(
        "server.listen",
        "SYNCLINE_LISTEN",
        "address and port to listen on",
    ),
    secret(
        "server.operator_key",
        "SYNCLINE_OPERATOR_KEY",
        "the operator's key; required beyond loopback",
    ),
    key(
        "server.anonymous_loopback",
        "SYNCLINE_ANONYMOUS_LOOPBACK",
        "whether loopback without an operator key serves whoever shows no key",
    ),
    key(
        "server.allowed_origins",
        "SYNCLINE_ALLOWED_ORIGINS",
        "origins of web pages that may call, beside our own",
    ),
    in_file(
        "server.max_event_streams",
        "event streams (GraphQL over SSE) that are open at once",
    ),
    key(
        "server.operations",
        "SYNCLINE_OPERATIONS",
        "a file or a folder of the only operations that run",
    ),
    key(
        "server.trusted_proxies",
        "SYNCLINE_TRUSTED_PROXIES",
        "CIDRs of proxies whose X-Forwarded-For is believed",
    ),
    key(
        "identity.issuer",
        "SYNCLINE_OIDC_ISSUER",
        "an OpenID Connect issuer whose tokens are let in",
    ),
    key(
        "identity.audience",
        "SYNCLINE_OIDC_AUDIENCE",
        "for whom the issuer's tokens must be made",
    ),
    in_file(
        "identity.client_claim",
        "the claim with the client's slug or id, or * for an operator's own people",
    ),
    in_file("identity.scopes_claim", "the claim with the scopes"),
    key(
        "limits.query_depth",
        "SYNCLINE_QUERY_DEPTH",
        "levels of fields in a query",
    ),
    key(
        "limits.query_complexity",
        "SYNCLINE_QUERY_COMPLEXITY",
        "fields that an answer may have, a list counting with its page size",
    ),
    key(
        "limits.query_fields",
        "SYNCLINE_QUERY_FIELDS",
        "fields in a query",
    ),
    key(
        "limits.query_aliases",
        "SYNCLINE_QUERY_ALIASES",
        "aliases in a query",
    ),
    key(
        "limits.query_directives",
        "SYNCLINE_QUERY_DIRECTIVES",
        "directives in a query",
    ),
    key(
        "limits.query_tokens",
        "SYNCLINE_QUERY_TOKENS",
        "tokens of a query",
    ),
    key(
        "limits.query_nesting",
        "SYNCLINE_QUERY_NESTING",
        "brackets inside one another in a query",
    ),
    key("limits.query_bytes", "SYNCLINE_QUERY_BYTES", "bytes of a query"),
    key(
        "limits.variable_values",
        "SYNCLINE_VARIABLE_VALUES",
        "values in a request's variables",
    ),
    key(
        "limits.body_kibibytes",
        "SYNCLINE_BODY_KIBIBYTES",
        "of a request's body",
    ),
    key(
        "limits.request_seconds",
        "SYNCLINE_REQUEST_SECONDS",
        "how long a request may take",
    ),
    key(
        "limits.requests_per_minute",
        "SYNCLINE_API_REQUESTS_PER_MINUTE",
        "requests a minute of one credential",
    ),
    key(
        "limits.failed_logins_per_minute",
        "SYNCLINE_FAILED_LOGINS_PER_MINUTE",
        "wrong credentials a minute from one address",
    ),
    key(
        "limits.subscriptions",
        "SYNCLINE_SUBSCRIPTIONS",
        "subscriptions of one credential at once",
    ),
    key(
        "limits.web_sockets",
        "SYNCLINE_WEB_SOCKETS",
        "WebSockets of a process that are open at once",
    ),
    key(
        "limits.web_sockets_per_credential",
        "SYNCLINE_WEB_SOCKETS_PER_CREDENTIAL",
        "WebSockets of one API key or token that are open at once",
    ),
    key(
        "limits.introspection",
        "SYNCLINE_INTROSPECTION",
        "whether the schema may be asked about itself",
    ),
    key(
        "limits.suggestions",
        "SYNCLINE_SUGGESTIONS",
        "whether errors suggest names that may have been meant",
    ),
    secret("database.url", "DATABASE_URL", "sqlite://PATH or postgres://…"),
    key(
        "database.max_connections",
        "SYNCLINE_DATABASE_MAX_CONNECTIONS",
        "connections at most",
    ),
    key(
        "database.min_connections",
        "SYNCLINE_DATABASE_MIN_CONNECTIONS",
        "connections kept open",
    ),
    key(
        "database.acquire_timeout_seconds",
        "SYNCLINE_DATABASE_ACQUIRE_TIMEOUT_SECONDS",
        "how long to wait for a connection",
    ),
    secret(
        "coordination.redis_url",
        "REDIS_URL",
        "redis://…; absent: coordination in process, `serve` only",
    ),
    key(
        "coordination.redis_prefix",
        "SYNCLINE_REDIS_PREFIX",
        "what every key in Redis begins with",
    ),
    key(
        "worker.workers",
        "SYNCLINE_WORKERS",
        "runs at the same time in this process",
    ),
    key(
        "worker.lease_seconds",
        "SYNCLINE_LEASE_SECONDS",
        "how long a silent worker keeps its run",
    ),
    key(
        "network.allow_networks",
        "SYNCLINE_ALLOW_NETWORKS",
        "CIDRs that upstream calls may reach although not public",
    ),
    key(
        "network.allow_folders",
        "SYNCLINE_ALLOW_FOLDERS",
        "folders of this machine below which connectors may read files",
    ),
    in_file(
        "network.connect_timeout_seconds",
        "for a connection to an upstream",
    ),
    in_file(
        "network.request_timeout_seconds",
        "for a whole answer of an upstream",
    ),
    in_file(
        "network.stall_timeout_seconds",
        "between two pieces of an upstream's answer",
    ),
    in_file(
        "network.max_body_mebibytes",
        "of an upstream's answer, after decompression",
    ),
    in_file("network.max_redirects", "followed for one call"),
    in_file("network.max_pages", "of one list, before it counts as endless"),
    key(
        "protection.requests_per_minute",
        "SYNCLINE_REQUESTS_PER_MINUTE",
        "of an integration, unless it says otherwise",
    ),
    key(
        "protection.runs_per_client",
        "SYNCLINE_RUNS_PER_CLIENT",
        "at the same time, over all processes",
    ),
    key(
        "protection.runs_per_connector",
        "SYNCLINE_RUNS_PER_CONNECTOR",
        "at the same time, over all processes and clients; absent: no cap",
    ),
    key("storage.data_dir", "SYNCLINE_DATA_DIR", "where files are kept"),
    secret(
        "storage.master_key",
        "SYNCLINE_MASTER_KEY",
        "seals secrets: 32 bytes as hex or base64",
    ),
    key(
        "storage.master_key_file",
        "SYNCLINE_MASTER_KEY_FILE",
        "a file that holds the master key",
    ),
    key(
        "telemetry.log_format",
        "SYNCLINE_LOG_FORMAT",
        "json or pretty; default: pretty on a terminal",
    ),
    key("telemetry.filter", "RUST_LOG", "what is logged"),
    in_file("retention.logs_days", "how long runs' logs are kept"),
    in_file("retention.events_days", "how long events are kept"),
];

pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// The key that was probably meant.
pub(super) fn closest(path: &str) -> Option<&'static str> {
    let distance = |key: &Key| {
        let whole = strsim::damerau_levenshtein(path, key.path);
        // A key without its section, or in another one, is nearly right too.
        let last = |text: &str| text.rsplit('.').next().unwrap_or_default().to_owned();
        whole.min(strsim::damerau_levenshtein(&last(path), &last(key.path)) + 1)
    };
    let nearest = KEYS.iter().min_by_key(|key| distance(key))?;
    (distance(nearest) <= 4).then_some(nearest.path)
}
