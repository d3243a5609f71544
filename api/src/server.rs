//! The listener: from settings to served requests, and back to silence.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::serve::ListenerExt;
use engine::Engine;
use platform::settings::ServerSettings;
use platform::shutdown::Shutdown;
use tokio::net::TcpListener;

use crate::auth::{Gate, Sessions};
use crate::graphql::{Documents, GraphQl};
use crate::http::{Api, Places, Shared, health_router, router};

/// Why the API does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Everybody who reaches an address beyond loopback would be an operator.
    #[error(
        "refusing to listen on {0} without an operator key: set SYNCLINE_OPERATOR_KEY, or listen on 127.0.0.1"
    )]
    KeyRequired(SocketAddr),
    /// The address is taken, or not ours.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// The list of operations cannot be read.
    #[error("SYNCLINE_OPERATIONS: {0}")]
    Operations(String),
    /// The listener broke.
    #[error("the listener failed")]
    Serve(#[source] io::Error),
}

/// A bound listener, not yet serving.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    api: Api,
    what: &'static str,
    shutdown: Shutdown,
}

impl Server {
    /// Binds, so that the caller knows the address before the first request.
    ///
    /// # Errors
    /// When the address cannot be had, or would be open to strangers.
    pub async fn bind(
        engine: Engine,
        settings: &ServerSettings,
        shutdown: Shutdown,
    ) -> Result<Self, ServerError> {
        Self::bind_with(
            router,
            "GraphQL at /graphql, GraphiQL at /graphiql",
            engine,
            settings,
            shutdown,
        )
        .await
    }

    /// Binds the health routes and the metrics alone, for a process that others only ask how it is. Health tells
    /// nobody anything worth a key; metrics do.
    ///
    /// # Errors
    /// As [`Server::bind`].
    pub async fn bind_health(
        engine: Engine,
        settings: &ServerSettings,
        shutdown: Shutdown,
    ) -> Result<Self, ServerError> {
        Self::bind_with(
            health_router,
            "health at /health, metrics at /metrics",
            engine,
            settings,
            shutdown,
        )
        .await
    }

    async fn bind_with(
        routes: fn(Api) -> Router,
        what: &'static str,
        engine: Engine,
        settings: &ServerSettings,
        shutdown: Shutdown,
    ) -> Result<Self, ServerError> {
        let asked = settings.listen;
        if settings.operator_key.is_none() && !settings.is_loopback() {
            return Err(ServerError::KeyRequired(asked));
        }
        let listener = TcpListener::bind(asked)
            .await
            .map_err(|error| ServerError::Listen(asked, error))?;
        let address = listener
            .local_addr()
            .map_err(|error| ServerError::Listen(asked, error))?;
        let gate = Gate::new(engine.clone(), settings, address.port());
        let documents = Documents::new(settings.operations.as_deref(), &settings.limits)
            .await
            .map_err(|unlistable| ServerError::Operations(unlistable.to_string()))?;
        let graphql = GraphQl::new(engine.clone(), &settings.limits, documents);
        let api = Arc::new(Shared {
            graphql,
            engine,
            gate,
            sessions: Sessions::new(settings.limits.subscriptions),
            streams: Places::new(
                settings.max_event_streams,
                (settings.max_event_streams / 4).max(1),
            ),
            web_sockets: Places::new(
                settings.limits.web_sockets,
                settings.limits.web_sockets_per_credential,
            ),
            body_bytes: settings.limits.body_bytes,
            shutdown: shutdown.clone(),
        });
        Ok(Self {
            listener,
            address,
            router: routes(api.clone()),
            api,
            what,
            shutdown,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until asked to stop: the soft token ends what is open politely, the hard one at once.
    ///
    /// # Errors
    /// When the listener breaks.
    pub async fn serve(self) -> Result<(), ServerError> {
        let Shutdown { soft, hard } = self.shutdown;
        tracing::info!(address = %self.address, "serving {}", self.what);
        // Answers are small and waited for: Nagle's delay would be most of their time.
        let listener = self.listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY was refused");
            }
        });
        let service = self.router.into_make_service_with_connect_info::<SocketAddr>();
        let serving = axum::serve(listener, service).with_graceful_shutdown(soft.cancelled_owned());
        tokio::select! {
            served = async { serving.await } => served.map_err(ServerError::Serve),
            () = self.api.sessions.watch(&self.api.engine) => Ok(()),
            () = hard.cancelled() => Ok(()),
        }
    }
}

/// Binds and serves.
///
/// # Errors
/// As [`Server::bind`] and [`Server::serve`].
pub async fn run(engine: Engine, settings: &ServerSettings, shutdown: Shutdown) -> Result<(), ServerError> {
    Server::bind(engine, settings, shutdown).await?.serve().await
}
