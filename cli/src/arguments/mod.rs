//! The command line.
//!
//! It is the first thing anybody reads of us, so its text is written for a person who has never seen Syncline: what a
//! command is for, an example of it, what happens when nothing is said. Settings are flags, environment variables and
//! keys of `syncline.toml` at once; one table ([`settings`]) says so, and clap, the loader and `doctor` all read it.

mod connector;
mod settings;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

pub(crate) use connector::{
    CheckArguments, ConnectorCommand, DiscoverArguments, ManifestArgument, NewArguments, ReadArguments,
    SourceArguments, SpecArguments,
};
pub(crate) use settings::{SettingFlags, StorageFlags, Typed};

const AFTER: &str = "\
Examples:
  syncline demo                          try it: a server, a sample API to sync from, and what to paste
  syncline                               start a server on http://127.0.0.1:8000, data in ./data
  syncline doctor                        say what is configured, what is reachable, and how to mend the rest
  syncline connector read --manifest my-api.yaml --config config.json --limit 5
                                         try a connector on your machine: no server, no database

Settings are taken from flags, then the environment, then ./syncline.toml, then the defaults;
`syncline serve --help` lists them all. Without a command, `serve` runs and takes its flags.

Exit codes: 0 done · 1 failed, or doctor found faults · 2 the command line is wrong ·
3 cannot start as configured · 4 the connector manifest does not load";

/// Syncline: connect any API to your product. One binary: GraphQL server, scheduler, connectors.
#[derive(Debug, Parser)]
#[command(
    name = "syncline",
    version,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    override_usage = "syncline [COMMAND] [OPTIONS]",
    after_help = AFTER
)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: ServeArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything in one process: GraphQL, scheduler and workers (the default)
    #[command(after_help = "\
Examples:
  syncline serve
  syncline serve --listen 127.0.0.1:9000 --data-dir /var/lib/syncline
  DATABASE_URL=postgres://syncline@db/syncline SYNCLINE_OPERATOR_KEY=… syncline serve --listen 0.0.0.0:8000

Secrets have no flag, because everybody on the machine can read one; they are taken from the environment:
  SYNCLINE_OPERATOR_KEY  what an operator sends as `Authorization: Bearer KEY`; required beyond loopback
  SYNCLINE_MASTER_KEY    seals connector credentials: 32 bytes as hex or base64
And RUST_LOG says what is logged, such as debug or info,engine=debug. The file ./syncline.toml knows a few settings more;
`syncline doctor` lists them all.

Stops on SIGTERM or SIGINT: pages under way are finished and checkpointed, for at most 20 s; a second signal stops at once.")]
    Serve(ServeArguments),
    /// Run the GraphQL server alone, beside `syncline scheduler`: wants PostgreSQL and Redis
    Api(ServeArguments),
    /// Run the scheduler and its workers alone, beside `syncline api`: wants PostgreSQL and Redis
    Scheduler(ServeArguments),
    /// Run a server with a sample API to sync from, ready to click: the quickest way to see what Syncline does
    #[command(after_help = "\
Example:
  syncline demo

It keeps its own data (./data/demo, SQLite), never touches the database of `serve`, and can be stopped and started again.
Delete the directory to start afresh.")]
    Demo(DemoArguments),
    /// Bring the database's tables up to date, or show what is missing
    #[command(after_help = "\
Examples:
  syncline migrate --status
  syncline migrate --database-url postgres://syncline@db/syncline")]
    Migrate(MigrateArguments),
    /// Print the GraphQL schema (SDL)
    #[command(after_help = "Example:\n  syncline schema > schema.graphql")]
    Schema,
    /// Say what is configured, reachable and wrong, and how to mend it
    #[command(after_help = "\
Examples:
  syncline doctor
  syncline doctor --json | jq '.findings[] | select(.verdict == \"fault\")'

Takes the same flags as `serve`, so that it judges what `serve` would see. Nothing is changed and no secret is shown.
Exit code 1 when there is a fault; warnings do not count.")]
    Doctor(DoctorArguments),
    /// Try a connector manifest on your machine: no server, no database
    #[command(subcommand)]
    Connector(ConnectorCommand),
}

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    pub(crate) settings: SettingFlags,
    /// Refuse to start, instead of migrating, when the database's tables are not up to date
    #[arg(long, help_heading = "Database")]
    pub(crate) no_migrate: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// The sample API's port on 127.0.0.1; when it is taken, any free one
    #[arg(long, value_name = "PORT", default_value_t = 8001)]
    pub(crate) sample_port: u16,
    #[command(flatten)]
    pub(crate) settings: SettingFlags,
}

#[derive(Debug, Args)]
pub(crate) struct MigrateArguments {
    /// Only show which migrations are applied and which are pending; exit code 1 when some are
    #[arg(long)]
    pub(crate) status: bool,
    #[command(flatten)]
    pub(crate) settings: StorageFlags,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// Print the findings as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Only ask the process that listens whether it is ready, and fail if not: for a container's health check
    #[arg(long, conflicts_with = "json")]
    pub(crate) ready: bool,
    #[command(flatten)]
    pub(crate) settings: SettingFlags,
}

impl CommandLine {
    /// Parses the process's arguments; on a mistake, or when help was asked for, prints it and exits.
    pub(crate) fn from_process() -> Self {
        let matches = Self::shaped().get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// The derived command with what derive cannot say: `serve`'s flags work without the word, but the first page of help is
    /// for the commands; and the demo has another data directory.
    pub(crate) fn shaped() -> clap::Command {
        Self::command()
            .mut_args(|argument| argument.hide(true))
            .mut_subcommand("demo", |demo| {
                demo.mut_arg("storage.data_dir", |argument| {
                    argument.default_value(crate::demo::DATA_DIR)
                })
                .mut_arg("database.url", |argument| argument.hide(true))
                .mut_arg("coordination.redis_url", |argument| argument.hide(true))
                .mut_arg("coordination.redis_prefix", |argument| argument.hide(true))
            })
            .max_term_width(110)
    }
}

#[cfg(test)]
mod tests;
