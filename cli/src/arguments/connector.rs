use std::path::PathBuf;

use clap::{Args, Subcommand};
use ipnet::IpNet;

/// Trying a connector needs no server: the manifest, a configuration, and the API.
#[derive(Debug, Subcommand)]
pub(crate) enum ConnectorCommand {
    /// Make a manifest for an API: from an address and one answer, proposed, tried out, and yours to change
    #[command(after_help = "\
Asks for what is not given; Enter takes what is proposed, and so does --yes. Credentials are recognised in headers and
parameters; they go into FILE.config.json, readable by you alone, and never into the manifest.

Examples:
  syncline connector new
  syncline connector new --url 'https://jsonplaceholder.typicode.com/posts?_limit=10' --yes
  syncline connector new --url 'https://api.example.com/v1/orders?limit=50' --header 'Authorization: @token.txt' --name my-api
  syncline connector new --url https://api.example.com/v1/orders --sample answer.json --output orders.yaml --yes")]
    New(NewArguments),
    /// Print the JSON Schema of manifests, for editors: completion, and slips marked while you type
    #[command(after_help = "\
Example:
  syncline connector schema > syncline-connector.schema.json

Then, as the first line of a manifest:
  # yaml-language-server: $schema=./syncline-connector.schema.json")]
    Schema,
    /// List the connectors that are shipped: name and title
    List,
    /// Print what a configuration of the connector looks like, as an Airbyte SPEC message
    #[command(after_help = "Example:\n  syncline connector spec --manifest github")]
    Spec(SpecArguments),
    /// Load the manifest, hold the configuration against its spec, and try the connection
    #[command(after_help = "\
Prints one CONNECTION_STATUS message, SUCCEEDED or FAILED with the reason, and log lines.

Exit code, as Airbyte's connectors have it: 0 when the manifest loads, whatever the connection says (read the
message, or pass --strict); 4 when the manifest does not load. With --strict, 1 when the status is FAILED.

Example:
  syncline connector check --manifest my-api.yaml --config config.json --strict")]
    Check(CheckArguments),
    /// Print the streams that the manifest describes, as an Airbyte CATALOG message
    #[command(
        after_help = "Example:\n  syncline connector discover --manifest my-api.yaml --config config.json"
    )]
    Discover(DiscoverArguments),
    /// Read records and print them as Airbyte protocol messages: RECORD, STATE, TRACE and LOG, one JSON object a line
    #[command(after_help = "\
Examples:
  syncline connector read --manifest my-api.yaml --config config.json --stream orders --limit 5
  syncline connector read --manifest my-api.yaml --config config.json --catalog catalog.json > first.jsonl
  grep '\"type\":\"STATE\"' first.jsonl > state.jsonl
  syncline connector read --manifest my-api.yaml --config config.json --catalog catalog.json --state state.jsonl

A stream that fails ends INCOMPLETE with a TRACE error; the others are read all the same, and the exit code is 1.")]
    Read(ReadArguments),
}

#[derive(Debug, Args)]
pub(crate) struct NewArguments {
    /// The address of a list in the API, with the parameters that you would give it
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// A header to send, 'Name: value'; 'Name: @FILE' takes the value from a file. Can be given several times
    #[arg(long = "header", value_name = "HEADER")]
    pub(crate) headers: Vec<String>,
    /// Call nobody: the API's answer is in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) sample: Option<PathBuf>,
    /// The connector's name [default: the last part of the address]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The stream's name [default: the last part of the address]
    #[arg(long, value_name = "NAME")]
    pub(crate) stream: Option<String>,
    /// Where the manifest is written; nothing is written over [default: NAME.yaml]
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Where the records are in the answer: names with dots between; empty: the answer itself
    #[arg(long, value_name = "PATH")]
    pub(crate) records: Option<String>,
    /// The fields that tell records apart, with commas; or none
    #[arg(long, value_name = "FIELDS")]
    pub(crate) primary_key: Option<String>,
    /// The field that says when a record changed; or none
    #[arg(long, value_name = "FIELD")]
    pub(crate) cursor: Option<String>,
    /// There are no further pages
    #[arg(long)]
    pub(crate) one_page: bool,
    /// Take every proposal, ask nothing
    #[arg(long)]
    pub(crate) yes: bool,
    /// Networks to let through besides the public ones and this machine's loopback, separated by commas
    #[arg(
        long,
        value_name = "CIDRS",
        env = "SYNCLINE_ALLOW_NETWORKS",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub(crate) allow_networks: Vec<IpNet>,
}

#[derive(Debug, Args)]
pub(crate) struct SpecArguments {
    #[command(flatten)]
    pub(crate) manifest: ManifestArgument,
}

#[derive(Debug, Args)]
pub(crate) struct ManifestArgument {
    /// The connector: a declarative manifest in YAML, or the name of one that is shipped (`syncline connector list`)
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct SourceArguments {
    #[command(flatten)]
    pub(crate) manifest: ManifestArgument,
    /// The configuration in JSON, credentials included; - reads standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Networks to let through besides the public ones and this machine's loopback, separated by commas.
    /// (A server refuses loopback, too; here it is your own machine, and often where the API under test runs.)
    #[arg(
        long,
        value_name = "CIDRS",
        env = "SYNCLINE_ALLOW_NETWORKS",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub(crate) allow_networks: Vec<IpNet>,
    /// Folders of this machine below which an ObjectStorageStream may read files, separated by commas
    #[arg(
        long,
        value_name = "DIRS",
        env = "SYNCLINE_ALLOW_FOLDERS",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub(crate) allow_folders: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    #[command(flatten)]
    pub(crate) source: SourceArguments,
    /// Exit with 1 when the connection does not succeed
    #[arg(long)]
    pub(crate) strict: bool,
    /// Only load the manifest and check the configuration: call nobody
    #[arg(long)]
    pub(crate) offline: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DiscoverArguments {
    #[command(flatten)]
    pub(crate) source: SourceArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ReadArguments {
    #[command(flatten)]
    pub(crate) source: SourceArguments,
    /// The configured catalog: which streams, and how each is read [default: every stream, incremental where it can]
    #[arg(long, value_name = "FILE")]
    pub(crate) catalog: Option<PathBuf>,
    /// Go on from here: STATE messages, as JSON lines or one JSON array
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// Read only this stream; can be given several times
    #[arg(long = "stream", value_name = "NAME")]
    pub(crate) streams: Vec<String>,
    /// Stop each stream after this many records; no state is printed for what was cut off
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Fetch the files that belong to records (FileUploader) into this folder [default, where the catalog has
    /// include_files: /staging/files where there is one, else /tmp/airbyte-file-transfer]
    #[arg(long, value_name = "DIR")]
    pub(crate) files: Option<PathBuf>,
    /// Where a platform that calls a connector wants its files.
    #[arg(
        long,
        value_name = "DIR",
        env = "AIRBYTE_STAGING_DIRECTORY",
        hide = true,
        default_value = "/staging/files"
    )]
    pub(crate) staging: PathBuf,
}
