//! `syncline`: the one binary.
//!
//! Here parts are chosen and put together, and nothing is decided: what the product does is in the engine and its two edges.
//! What belongs to this crate is what a person meets at a terminal: the [command line](arguments), how a command
//! [fails](exit), [starting](boot) and [serving](serve), the [demo], the [doctor], and the [`connector`] commands that work
//! without a server.

mod arguments;
mod boot;
mod connector;
mod console;
mod demo;
mod doctor;
mod exit;
mod migrate;
mod serve;

use std::process::ExitCode;

use arguments::{Command, CommandLine};
use exit::{Exit, Failure, Outcome};
use platform::settings::Role;

fn main() -> ExitCode {
    let line = CommandLine::from_process();
    // Only fails when a provider is there already, and then there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ended = runtime(&line).and_then(|runtime| runtime.block_on(run(line)));
    ended.unwrap_or_else(|failure| {
        eprintln!("syncline: {failure}");
        failure.exit().into()
    })
}

/// A thread a core, and at least two, so that a query is answered while a page is mapped. What holds a thread for
/// milliseconds, hashing and packing a page, happens on threads for blocking work. More threads answered no sooner, and
/// each keeps memory of its own: with twice as many, a long first sync took 61 MB instead of 57.
///
/// The `connector` commands have one besides the main thread: it reads and maps while the main thread prints, and goes on
/// when whoever takes the output does not.
fn runtime(line: &CommandLine) -> Result<tokio::runtime::Runtime, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = match line.command {
        Some(Command::Connector(_)) => 1,
        _ => cores.max(2),
    };
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::CannotStart, format!("The runtime cannot start: {error}.")))
}

async fn run(line: CommandLine) -> Outcome {
    match line.command {
        None => serve::run(&line.serve, Role::Serve).await,
        Some(Command::Serve(arguments)) => serve::run(&arguments, Role::Serve).await,
        Some(Command::Api(arguments)) => serve::run(&arguments, Role::Api).await,
        Some(Command::Scheduler(arguments)) => serve::run(&arguments, Role::Scheduler).await,
        Some(Command::Demo(arguments)) => demo::run(arguments).await,
        Some(Command::Migrate(arguments)) => migrate::run(&arguments).await,
        Some(Command::Schema) => console::print(&api::schema_sdl()).map(|()| ExitCode::SUCCESS),
        Some(Command::Doctor(arguments)) => doctor::run(&arguments).await,
        Some(Command::Connector(command)) => connector::run(command).await,
    }
}
