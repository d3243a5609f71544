//! One connection: guarded, bounded, read-only, and broken off together with the read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use platform::http_client::HttpError;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::types::ToSql;
use tokio_postgres::{CancelToken, Client, Config, NoTls, Row, Statement, Transaction};

use super::error::{self, Failed};
use super::meter::{Count, Metered};
use super::tls::Rustls;
use crate::http::session::Session;
use crate::manifest::components::{PostgresConnection, Text};
use crate::read::{ErrorKind, ReadError};

/// Statements that are kept prepared on one connection.
const PREPARED: usize = 8;

/// How long a statement that nobody waits for any more may take to be told so.
const LAST_WORD: Duration = Duration::from_secs(5);

/// Where a connection goes, and as whom.
pub(super) struct Address {
    host: String,
    port: u16,
    database: String,
    username: String,
    password: Option<String>,
    tls: Option<Rustls>,
    statement_timeout: Duration,
}

impl Address {
    pub(super) fn new(
        session: &Session,
        connection: &PostgresConnection,
        statement_timeout: f64,
    ) -> Result<Self, ReadError> {
        let text = |text: &Text| session.text(text, &[]);
        let host = text(&connection.host)?;
        let port = session.integer(&connection.port, &[])?;
        let port = u16::try_from(port)
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| ReadError::config("The port has to be from 1 to 65535."))?;
        if host.is_empty() || host.starts_with('/') {
            return Err(ReadError::config(
                "The host has to be a name or an address; sockets of this machine are not read from.",
            ));
        }
        let authority = connection.tls_ca_certificate.as_ref().map(text).transpose()?;
        let tls = match text(&connection.tls_mode)?.as_str() {
            "disable" => None,
            "verify" => {
                let authority = authority.as_deref().filter(|pem| !pem.trim().is_empty());
                let config = platform::http_client::tls_setup(authority)
                    .map_err(|error| ReadError::config(format!("TLS cannot be used: {error}.")))?;
                let name = ServerName::try_from(host.clone()).map_err(|_| {
                    ReadError::config("The host is not a name that a certificate could have.")
                })?;
                Some(Rustls {
                    config: Arc::new(config),
                    name,
                })
            }
            other => {
                return Err(ReadError::config(format!(
                    "tls_mode is {other:?}; it has to be verify or disable."
                )));
            }
        };
        let statement_timeout = Some(statement_timeout)
            .filter(|seconds| (0.001..=3_600.0).contains(seconds))
            .map(Duration::from_secs_f64)
            .ok_or_else(|| {
                ReadError::config("statement_timeout_seconds has to be more than 0 and at most 3600.")
            })?;
        Ok(Self {
            host,
            port,
            database: text(&connection.database)?,
            username: text(&connection.username)?,
            password: connection.password.as_ref().map(text).transpose()?,
            tls,
            statement_timeout,
        })
    }

    /// As circuits are named by it.
    pub(super) fn host_and_port(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// As errors show it.
    pub(super) fn shown(&self) -> String {
        format!("postgres://{}:{}/{}", self.host, self.port, self.database)
    }
}

/// See the module.
pub(super) struct Connection {
    client: Client,
    count: Arc<Count>,
    statement_timeout: Duration,
    prepared: HashMap<String, Statement>,
    driver: JoinHandle<()>,
    /// What breaks off a statement at the server, while one may be running.
    running: Option<Running>,
    http: platform::http_client::HttpClient,
    host: String,
    port: u16,
    tls: Option<Rustls>,
}

/// A statement at the server; when this is dropped while it may be running, the server is told to stop it.
struct Running {
    armed: bool,
    token: CancelToken,
    http: platform::http_client::HttpClient,
    host: String,
    port: u16,
    tls: Option<Rustls>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let (token, http) = (self.token.clone(), self.http.clone());
        let (host, port, tls) = (std::mem::take(&mut self.host), self.port, self.tls.take());
        runtime.spawn(async move {
            let cancel = async {
                let stream = http.connect(&host, port).await.ok()?;
                match tls {
                    Some(tls) => token.cancel_query_raw(stream, tls).await.ok(),
                    None => token.cancel_query_raw(stream, NoTls).await.ok(),
                }
            };
            // The server's own bound on statements is what remains when this does not arrive.
            let _ = tokio::time::timeout(LAST_WORD, cancel).await;
        });
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    pub(super) async fn open(session: &Session, address: &Address) -> Result<Self, ReadError> {
        let http = &session.context.http;
        let socket = http
            .connect(&address.host, address.port)
            .await
            .map_err(|error| unreachable(session, &error))?;
        let count = Arc::new(Count::default());
        count.restart(session.context.limits.max_body_bytes);
        let socket = Metered::new(socket, Arc::clone(&count));
        let mut config = Config::new();
        config
            .user(&address.username)
            .dbname(&address.database)
            .application_name("syncline");
        if let Some(password) = &address.password {
            config.password(password);
        }
        let (client, driver) = match &address.tls {
            Some(tls) => {
                config.ssl_mode(SslMode::Require);
                drive(config.connect_raw(socket, tls.clone()).await)
            }
            None => {
                config.ssl_mode(SslMode::Disable);
                drive(config.connect_raw(socket, NoTls).await)
            }
        }
        .map_err(|error| error::classify(session, &error))?;
        Ok(Self {
            client,
            count,
            statement_timeout: address.statement_timeout,
            prepared: HashMap::new(),
            driver,
            running: None,
            http: http.clone(),
            host: address.host.clone(),
            port: address.port,
            tls: address.tls.clone(),
        })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// The bytes of a page are counted from here.
    pub(super) fn begin_page(&self, limit: usize) {
        self.count.restart(limit);
    }

    pub(super) fn bytes(&self) -> usize {
        self.count.bytes()
    }

    pub(super) fn was_too_much(&self) -> bool {
        self.count.exceeded()
    }

    pub(super) async fn prepare(&mut self, statement: &str) -> Result<Statement, Failed> {
        if let Some(prepared) = self.prepared.get(statement) {
            return Ok(prepared.clone());
        }
        let prepared = self.client.prepare(statement).await?;
        if self.prepared.len() >= PREPARED {
            self.prepared.clear();
        }
        self.prepared.insert(statement.to_owned(), prepared.clone());
        Ok(prepared)
    }

    /// A read-only transaction, in which a value's text does not depend on how the server is set up.
    pub(super) async fn transaction(&mut self) -> Result<Guarded<'_>, Failed> {
        self.running = Some(Running {
            armed: true,
            token: self.client.cancel_token(),
            http: self.http.clone(),
            host: self.host.clone(),
            port: self.port,
            tls: self.tls.clone(),
        });
        let milliseconds = self.statement_timeout.as_millis();
        let transaction = self.client.build_transaction().read_only(true).start().await?;
        transaction
            .batch_execute(&format!(
                "SET LOCAL statement_timeout = {milliseconds}; SET LOCAL timezone = 'UTC'; \
                 SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'iso_8601'; \
                 SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1"
            ))
            .await?;
        Ok(Guarded {
            transaction,
            running: &mut self.running,
        })
    }

    /// A question with a yes or no.
    pub(super) async fn ask(&mut self, statement: &str) -> Result<bool, Failed> {
        let rows = self.query(statement, &[]).await?;
        match rows.first() {
            Some(row) => Ok(row.try_get(0)?),
            None => Ok(false),
        }
    }

    /// A few rows.
    pub(super) async fn query(
        &mut self,
        statement: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failed> {
        let transaction = self.transaction().await?;
        let rows = transaction.query(statement, parameters).await?;
        transaction.commit().await?;
        Ok(rows)
    }
}

/// A transaction whose statement is broken off when it is dropped before its end.
pub(super) struct Guarded<'a> {
    transaction: Transaction<'a>,
    running: &'a mut Option<Running>,
}

impl<'a> std::ops::Deref for Guarded<'a> {
    type Target = Transaction<'a>;

    fn deref(&self) -> &Transaction<'a> {
        &self.transaction
    }
}

impl Guarded<'_> {
    pub(super) async fn commit(self) -> Result<(), Failed> {
        self.transaction.commit().await?;
        if let Some(running) = self.running.as_mut() {
            running.armed = false;
        }
        Ok(())
    }
}

type Driven<S, T> = Result<(Client, tokio_postgres::Connection<S, T>), tokio_postgres::Error>;

/// The client library's connection is a task of its own, which ends with the socket or with us.
fn drive<T>(
    connected: Driven<Metered<TcpStream>, T>,
) -> Result<(Client, JoinHandle<()>), tokio_postgres::Error>
where
    T: tokio_postgres::tls::TlsStream + Unpin + Send + 'static,
{
    let (client, connection) = connected?;
    let driver = tokio::spawn(async move {
        // Whoever waits for an answer is told of the failure as well.
        let _ = connection.await;
    });
    Ok((client, driver))
}

fn unreachable(session: &Session, error: &HttpError) -> ReadError {
    let (kind, retryable) = match error {
        HttpError::Blocked(_) => (ErrorKind::Config, false),
        HttpError::Timeout { .. } => (ErrorKind::Timeout, true),
        _ => (ErrorKind::Network, true),
    };
    let mut unreachable = ReadError::new(kind, error.code(), session.scrub(&format!("{error}.")));
    unreachable.retryable = retryable;
    unreachable
}
