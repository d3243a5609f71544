//! What Syncline stands on, and nothing that Syncline is about.
//!
//! Everything here would serve another product unchanged: settings, telemetry, a database that cannot be
//! written to by accident, a clock and a source of randomness that tests own, coordination between
//! processes, sealed secrets, an HTTP client that cannot be talked into calling our own network, and an
//! orderly way to stop. No word of the domain (client, integration, run) appears in a type of this crate;
//! where telemetry hoists a field of that name, it is a field like any other.
//!
//! The crates above receive these as values. Nothing here is a global that is reached for: the three
//! exceptions, the `tracing` subscriber, the metrics recorder and rustls's crypto provider, are process-wide by their nature and
//! are installed once, by the binary.

pub mod clock;
pub mod coordination;
pub mod database;
pub mod gather;
pub mod http_client;
pub mod random;
pub mod secrets;
pub mod settings;
pub mod shutdown;
pub mod telemetry;
