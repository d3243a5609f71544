//! From candidates to a proposal: each choice with its reason, each one changeable.

use std::io::{BufRead, Write};

use connectors::propose::{self, Address, CursorChoice, Paging, Proposal, Sample, Trial};
use connectors::read::ReadContext;
use serde_json::Value;

use super::prompt::{Chosen, Prompt};
use crate::arguments::NewArguments;
use crate::exit::Failure;

/// How many cursors and places of records are offered.
const OFFERED: usize = 6;

pub(super) struct Choosing<'a, R, W> {
    pub(super) arguments: &'a NewArguments,
    pub(super) context: &'a ReadContext,
    pub(super) sample: &'a Sample,
    pub(super) address: &'a Address,
    pub(super) config: Value,
    pub(super) prompt: &'a mut Prompt<R, W>,
}

impl<R: BufRead, W: Write> Choosing<'_, R, W> {
    pub(super) async fn proposal(&mut self, name: &str) -> Result<Proposal, Failure> {
        let path = self.records_path()?;
        let found = propose::candidates(self.sample, self.address, &path);
        let fields = found
            .schema
            .get("properties")
            .and_then(Value::as_object)
            .map_or(0, serde_json::Map::len);
        self.prompt.say(&format!(
            "Schema: {fields} fields, inferred from {} records.",
            found.records
        ))?;
        let primary_key = self.primary_key(&path, &found.primary_key)?;
        let stream = propose::name_of(self.arguments.stream.as_deref().unwrap_or(&self.address.subject));
        let mut proposal = Proposal {
            name: name.to_owned(),
            stream: stream.replace('-', "_"),
            address: self.address.clone(),
            records_path: path.clone(),
            primary_key,
            paging: Paging::None,
            cursor: None,
            schema: found.schema,
        };
        proposal.paging = self.paging(&proposal, found.paging).await?;
        proposal.cursor = self.cursor(&path, found.cursors)?;
        Ok(proposal)
    }

    fn records_path(&mut self) -> Result<Vec<String>, Failure> {
        let parse = |text: &str| -> Vec<String> {
            let parts = text.split('.').map(str::trim);
            parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        let told = |path: &[String]| match path {
            [] => "the answer itself".to_owned(),
            path => path.join("."),
        };
        let found = self.sample.records(&self.address.subject);
        let mut chosen = self.arguments.records.as_deref().map(parse);
        if chosen.is_none() {
            let Some(first) = found.first() else {
                return Err(Failure::failed(
                    "The answer holds no list of objects, so there is nothing to make records of. Ask for a list that is \
                     not empty, or say with --records where they are.",
                ));
            };
            self.prompt.say(&format!(
                "Records: {}, {} of them.",
                told(&first.path),
                first.count
            ))?;
            let options: Vec<String> = found
                .iter()
                .take(OFFERED)
                .map(|at| format!("{}, {} records", told(&at.path), at.count))
                .collect();
            chosen = match self
                .prompt
                .choose("Where are the records? A number, or a path with dots", &options)?
            {
                Chosen::Option(at) => found.get(at).map(|at| at.path.clone()),
                Chosen::Other(text) => Some(parse(&text)),
            };
        }
        let path = chosen.unwrap_or_default();
        if self
            .sample
            .records_at(&path)
            .iter()
            .any(|record| record.is_object())
        {
            return Ok(path);
        }
        Err(Failure::usage(format!(
            "There are no records at {} in the answer.",
            told(&path)
        )))
    }

    fn primary_key(&mut self, path: &[String], found: &[String]) -> Result<Vec<String>, Failure> {
        let why = if found.is_empty() {
            "no field is different in all records, so each content is a record of its own".to_owned()
        } else {
            format!("{} is there and different in all records", found.join(" with "))
        };
        let answer = match &self.arguments.primary_key {
            Some(key) => key.clone(),
            None => {
                self.prompt.say(&format!("Primary key: {why}."))?;
                let proposed = if found.is_empty() {
                    "none".to_owned()
                } else {
                    found.join(",")
                };
                self.prompt
                    .ask("Which fields make the key? With commas, or none", &proposed)?
            }
        };
        if answer == "none" {
            return Ok(Vec::new());
        }
        let names: Vec<&str> = answer.split(',').map(str::trim).collect();
        if !propose::is_key(self.sample, path, &names) {
            return Err(Failure::usage(format!(
                "{answer} does not tell the sample's records apart: it has to be in all of them, a text or a whole number, \
                 and different in each."
            )));
        }
        Ok(names.into_iter().map(str::to_owned).collect())
    }

    /// Tries the candidates one after the other; what gives other records on a second page is the proposal.
    async fn paging(
        &mut self,
        proposal: &Proposal,
        mut candidates: Vec<propose::PagingCandidate>,
    ) -> Result<Paging, Failure> {
        if self.arguments.one_page {
            return Ok(Paging::None);
        }
        let mut proven = self.arguments.sample.as_ref().map(|_| 0);
        let mut possible = None;
        if proven.is_none() {
            for (at, candidate) in candidates.iter().enumerate() {
                if candidate.paging == Paging::None {
                    proven = proven.or(possible).or(Some(at));
                    break;
                }
                let tried = Proposal {
                    paging: candidate.paging.clone(),
                    ..proposal.clone()
                };
                let trial = propose::try_out(self.context, &tried, &self.config, self.sample).await;
                let told = candidate.paging.told();
                match trial.map_err(|error| Failure::failed(error.to_string()))? {
                    Trial::Pages { .. } => {
                        proven = Some(at);
                        break;
                    }
                    Trial::OnePage { .. } => {
                        self.prompt.say(&format!("  tried {told}: no second page came"))?;
                        let asked = candidate.why.starts_with("the address has");
                        possible = possible.or(asked.then_some(at));
                    }
                    Trial::Fails(why) => self.prompt.say(&format!("  tried {told}: {why}"))?,
                }
            }
        }
        let first = candidates.remove(proven.unwrap_or_default());
        self.prompt
            .say(&format!("Pagination: {}; {}.", first.paging.told(), first.why))?;
        candidates.insert(0, first);
        let options: Vec<String> = candidates
            .iter()
            .map(|candidate| candidate.paging.told())
            .collect();
        match self.prompt.choose("How does the next page come?", &options)? {
            Chosen::Option(at) => Ok(candidates.swap_remove(at).paging),
            Chosen::Other(answer) => Err(Failure::usage(format!(
                "{answer:?} is none of the offered ways. Take the nearest one, and change the paginator in the manifest."
            ))),
        }
    }

    fn cursor(&mut self, path: &[String], found: Vec<CursorChoice>) -> Result<Option<CursorChoice>, Failure> {
        let since = found.first().and_then(|choice| choice.since.clone());
        let mut offered: Vec<CursorChoice> = found.into_iter().take(OFFERED).collect();
        let proposed = offered.iter().position(|choice| choice.moment.moves);
        let field = match &self.arguments.cursor {
            Some(field) => field.clone(),
            None => {
                let told = match proposed.and_then(|at| offered.get(at)) {
                    Some(choice) => format!(
                        "{} says when a record changed, as {}; {}",
                        choice.moment.field,
                        choice.moment.formats.join(" or "),
                        match &choice.since {
                            Some(parameter) => format!("{parameter} asks for what changed since"),
                            None => "everything is read, and what did not change is left out".to_owned(),
                        }
                    ),
                    None => "no field says when a record changed, so everything is read each time".to_owned(),
                };
                self.prompt.say(&format!("Cursor: {told}."))?;
                let proposed = proposed.and_then(|at| offered.get(at));
                let proposed = proposed
                    .map_or("none", |choice| choice.moment.field.as_str())
                    .to_owned();
                self.prompt
                    .ask("Which field says when a record changed? Or none", &proposed)?
            }
        };
        if field == "none" {
            return Ok(None);
        }
        if let Some(at) = offered.iter().position(|choice| choice.moment.field == field) {
            return Ok(Some(offered.swap_remove(at)));
        }
        match propose::cursor_on(self.sample, path, &field) {
            Some(moment) => Ok(Some(CursorChoice { moment, since })),
            None => Err(Failure::usage(format!(
                "{field} is not a date in a known format in all of the sample's records."
            ))),
        }
    }
}
