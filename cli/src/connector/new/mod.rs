//! `connector new`: from an address to a manifest that reads.
//!
//! One request shows most of what a manifest has to say, and what it does not show is tried out: see
//! `connectors::propose`. Here a person is asked. Each question comes with a proposal and what speaks for it, Enter takes
//! it, and each has a flag, so that the command runs in a script as well. Without a person, when standard input has ended
//! or with `--yes`, the proposals are taken.
//!
//! A credential is never written into the manifest. It goes into a configuration beside it, which only its owner may read.

mod choose;
mod prompt;
mod write;

use std::io;
use std::process::ExitCode;

use connectors::propose::{self, Address, Proposal, Sample, Trial};
use connectors::read::ReadContext;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::context_within;
use crate::arguments::NewArguments;
use crate::exit::{Failure, Outcome};
use choose::Choosing;
use prompt::Prompt;

pub(super) async fn run(arguments: &NewArguments) -> Outcome {
    let stdin = io::stdin().lock();
    let mut prompt = Prompt::new(stdin, io::stdout(), arguments.yes);
    let url = address(arguments, &mut prompt)?;
    let headers = headers(arguments, &mut prompt)?;
    let (address, config) = propose::address(&url, &headers);
    let files = write::Files::of(arguments, &address)?;
    let context = context_within(&arguments.allow_networks, &[], CancellationToken::new())?;
    let sample = sample(arguments, &context, &url, &headers).await?;

    let mut choosing = Choosing {
        arguments,
        context: &context,
        sample: &sample,
        address: &address,
        config: Value::Object(config.clone()),
        prompt: &mut prompt,
    };
    let proposal = choosing.proposal(&files.name).await?;
    if arguments.sample.is_none() {
        verdict(&mut choosing, &proposal).await?;
    }
    files.write(&proposal, &config)?;
    prompt.say(&next_steps(&files, &proposal, &address, &config))?;
    Ok(ExitCode::SUCCESS)
}

fn address(
    arguments: &NewArguments,
    prompt: &mut Prompt<impl io::BufRead, impl io::Write>,
) -> Result<Url, Failure> {
    let text = match &arguments.url {
        Some(url) => url.clone(),
        None => prompt.ask("Address of a list in the API, with its parameters", "")?,
    };
    if text.is_empty() {
        return Err(Failure::usage(
            "An address is needed: --url https://api.example.com/v1/orders?limit=50.",
        ));
    }
    let url = Url::parse(&text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let Some(url) = url else {
        return Err(Failure::usage("--url has to be an http or https address."));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::usage(
            "The address holds a user name or a password. Give them as --header 'Authorization: Basic …' instead.",
        ));
    }
    Ok(url)
}

/// `Name: value`; a value that begins with `@` is read from that file, since everybody on the machine can read a flag.
fn headers(
    arguments: &NewArguments,
    prompt: &mut Prompt<impl io::BufRead, impl io::Write>,
) -> Result<Vec<(String, String)>, Failure> {
    let mut lines = arguments.headers.clone();
    if lines.is_empty() && arguments.url.is_none() {
        loop {
            let line = prompt.ask(
                "A header that it wants, such as Authorization: Bearer …; Enter for none",
                "",
            )?;
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
    }
    let parse = |line: &String| {
        let (name, value) = line.split_once(':').ok_or_else(|| {
            Failure::usage(
                "A header is written as 'Name: value', or 'Name: @FILE' to take the value from a file.",
            )
        })?;
        let value = value.trim();
        let value = match value.strip_prefix('@') {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| Failure::usage(format!("Cannot read {path} for --header {name}: {error}.")))?
                .trim()
                .to_owned(),
            None => value.to_owned(),
        };
        Ok((name.trim().to_owned(), value))
    };
    lines.iter().map(parse).collect()
}

async fn sample(
    arguments: &NewArguments,
    context: &ReadContext,
    url: &Url,
    headers: &[(String, String)],
) -> Result<Sample, Failure> {
    let Some(path) = &arguments.sample else {
        return propose::fetch(context, url, headers)
            .await
            .map_err(|error| Failure::failed(error.message));
    };
    let unfit = |what: String| Failure::usage(format!("--sample {}: {what}.", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| unfit(error.to_string()))?;
    let body = serde_json::from_str(&text).map_err(|error| unfit(format!("is not JSON: {error}")))?;
    Ok(Sample {
        url: url.clone(),
        headers: Vec::new(),
        body,
    })
}

/// Reads with the whole proposal, and says what came.
async fn verdict<R: io::BufRead, W: io::Write>(
    choosing: &mut Choosing<'_, R, W>,
    proposal: &Proposal,
) -> Result<(), Failure> {
    let trial = propose::try_out(choosing.context, proposal, &choosing.config, choosing.sample).await;
    match trial.map_err(|error| Failure::failed(error.to_string()))? {
        Trial::Pages { records } => choosing
            .prompt
            .say(&format!("Tried: two pages, {records} different records.")),
        Trial::OnePage { records } => choosing
            .prompt
            .say(&format!("Tried: one page, {records} different records.")),
        Trial::Fails(why) => Err(Failure::failed(format!(
            "The connector does not read as it was chosen: {why}. Nothing was written. Choose another primary key, \
             pagination or cursor; --primary-key, --one-page and --cursor none are the careful ones."
        ))),
    }
}

fn next_steps(
    files: &write::Files,
    proposal: &Proposal,
    address: &Address,
    config: &Map<String, Value>,
) -> String {
    let manifest = files.manifest.display();
    let mut text = format!("\nWrote {manifest}.\n");
    let mut flags = format!("--manifest {manifest}");
    if !config.is_empty() {
        let path = files.config.display();
        text.push_str(&format!(
            "Wrote {path}, with the credential: keep it out of version control.\n"
        ));
        flags.push_str(&format!(" --config {path}"));
    } else if address.credential.is_some() {
        text.push_str("It asks for a credential: write a configuration for it.\n");
    }
    text.push_str(&format!(
        "\nNext:\n  syncline connector check {flags}\n  syncline connector read {flags} --stream {} --limit 5",
        proposal.stream
    ));
    text
}
