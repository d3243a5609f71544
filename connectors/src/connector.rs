//! A connector, and what can be done with it: every way into this crate that needs a manifest.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::description::{StreamDescription, describe};
use crate::error::ManifestError;
use crate::http::session::Session;
use crate::manifest::components::{NativeRetriever, Plan, StreamPlan};
use crate::read::{Files, PageStream, ReadContext, ReadError, ReadRequest};
use crate::spec::Spec;
use crate::{http, manifest, native, read};

/// A connector: a loaded manifest. Cheap to clone, and never changes.
#[derive(Debug, Clone)]
pub struct Connector {
    plan: Arc<Plan>,
    streams: Arc<[StreamDescription]>,
}

impl Connector {
    /// Loads a manifest. Every fault is reported, in the file's order.
    pub fn parse(yaml: &str) -> Result<Self, Vec<ManifestError>> {
        let plan = manifest::load(yaml)?;
        let mut names = BTreeSet::new();
        let streams = plan
            .streams
            .iter()
            // Of streams that conditions choose between, the first stands for all.
            .filter(|stream| names.insert(&stream.name))
            .map(|stream| describe(stream))
            .collect();
        Ok(Self {
            plan: Arc::new(plan),
            streams,
        })
    }

    /// The manifest's own name, where it has one.
    pub fn name(&self) -> Option<&str> {
        self.plan.name.as_deref()
    }

    /// The name for people, where the manifest has one.
    pub fn title(&self) -> Option<&str> {
        self.plan.title.as_deref()
    }

    /// What stands in the manifest without effect; worth a look, and no obstacle.
    pub fn warnings(&self) -> &[ManifestError] {
        &self.plan.warnings
    }

    /// What a configuration has to look like.
    pub fn spec(&self) -> &Spec {
        &self.plan.spec
    }

    /// What can be read, in the manifest's order.
    pub fn streams(&self) -> &[StreamDescription] {
        &self.streams
    }

    /// The plan itself.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Tries a configuration out: it fits the specification, and the streams that the manifest names for it answer.
    pub async fn check(&self, context: &ReadContext, config: &Value) -> Result<(), ReadError> {
        let mut config = self.migrate(context, config)?;
        if let Some(fault) = self.plan.spec.validate(&config).first() {
            return Err(ReadError::config(fault.to_string()));
        }
        http::configuration::validated(context, &self.plan.spec, &self.plan.config_rules, &config)?;
        if let (Value::Object(config), Some(Value::Object(overrides))) =
            (&mut config, &self.plan.check.config_overrides)
        {
            config.extend(overrides.clone());
        }
        let session = self.session_of(context, config);
        let streams = self.all_streams(&session).await?;
        let check = &self.plan.check;
        if check.first.is_some() && streams.is_empty() {
            return Err(ReadError::config("The configuration leaves no stream to read."));
        }
        for stream in streams.iter().take(check.first.unwrap_or(0)) {
            read::check::try_stream(&session, stream).await?;
        }
        for name in &check.stream_names {
            read::check::try_stream(&session, named(&streams, name)?).await?;
        }
        for (name, count) in &check.dynamic {
            let made = streams
                .iter()
                .filter(|stream| stream.made_by.as_ref() == Some(name));
            for stream in made.take(count.unwrap_or(usize::MAX)) {
                read::check::try_stream(&session, stream).await?;
            }
        }
        Ok(())
    }

    /// Whether what can be read depends on the configuration: conditional streams, dynamic streams and schemas.
    pub fn depends_on_configuration(&self) -> bool {
        let plan = &self.plan;
        !plan.dynamic.is_empty()
            || plan
                .streams
                .iter()
                .any(|stream| stream.available.is_some() || !stream.schema_parts.is_empty())
    }

    /// Whether [`Connector::discover`] has to ask: for streams, or for what a source that is no HTTP holds.
    pub fn has_to_ask(&self) -> bool {
        let is_open =
            |stream: &Arc<StreamPlan>| stream.retriever.native().is_some_and(NativeRetriever::is_open);
        self.depends_on_configuration() || self.plan.streams.iter().any(is_open)
    }

    /// Whether streams are made from a template, so that their names are not in the manifest.
    pub fn makes_streams(&self) -> bool {
        !self.plan.dynamic.is_empty()
    }

    /// Whether what is read of this stream depends on there being a state.
    pub fn delegates(&self, stream: &str) -> bool {
        self.plan
            .streams_named(stream)
            .any(|stream| stream.delegation.is_some())
    }

    /// The connector as it is under this configuration: with the streams that it has, and no others. Asks the upstream
    /// where only the upstream knows.
    pub async fn configured(&self, context: &ReadContext, config: &Value) -> Result<Self, ReadError> {
        if !self.depends_on_configuration() {
            return Ok(self.clone());
        }
        let session = self.session(context, config)?;
        let streams = self.all_streams(&session).await?;
        let descriptions = streams.iter().map(|stream| describe(stream)).collect();
        let plan = &self.plan;
        let plan = Plan {
            name: plan.name.clone(),
            title: plan.title.clone(),
            description: plan.description.clone(),
            version: plan.version.clone(),
            streams,
            dynamic: Vec::new(),
            text: None,
            check: plan.check.clone(),
            spec: plan.spec.clone(),
            config_rules: Arc::clone(&plan.config_rules),
            concurrency: plan.concurrency.clone(),
            max_concurrent_async_job_count: plan.max_concurrent_async_job_count.clone(),
            api_budget: plan.api_budget.clone(),
            warnings: plan.warnings.clone(),
        };
        Ok(Self {
            plan: Arc::new(plan),
            streams: descriptions,
        })
    }

    /// The manifest's own streams that are there under this configuration, in its order. Asks nobody.
    pub fn available_streams(&self, context: &ReadContext, config: &Value) -> Result<Vec<String>, ReadError> {
        let session = self.session_of(context, self.migrate(context, config)?);
        let mut names = Vec::new();
        for stream in &self.plan.streams {
            if !names.contains(&stream.name) && is_available(&session, stream)? {
                names.push(stream.name.clone());
            }
        }
        Ok(names)
    }

    /// What can be read under this configuration, with the schemas that only the upstream knows.
    pub async fn discover(
        &self,
        context: &ReadContext,
        config: &Value,
    ) -> Result<Vec<StreamDescription>, ReadError> {
        let configured = self.configured(context, config).await?;
        let session = configured.session(context, config)?;
        let mut streams = configured.streams.to_vec();
        for (description, plan) in streams.iter_mut().zip(&configured.plan.streams) {
            if !plan.schema_parts.is_empty() {
                description.json_schema = Value::clone(&*read::schema::schema(&session, plan).await?);
            }
            if let Some(native) = plan.retriever.native().filter(|native| native.is_open()) {
                let source = native::Source::new(&session, plan, &native.source)?;
                if let Some(schema) = source.schema(&session).await? {
                    description.json_schema = schema;
                }
            }
        }
        Ok(streams)
    }

    async fn all_streams(&self, session: &Arc<Session>) -> Result<Vec<Arc<StreamPlan>>, ReadError> {
        let mut streams = Vec::new();
        for stream in &self.plan.streams {
            if is_available(session, stream)? {
                streams.push(Arc::clone(stream));
            }
        }
        if let Some(text) = &self.plan.text {
            streams.extend(read::dynamic::streams(session, text, &self.plan.dynamic).await?);
        }
        Ok(streams)
    }

    /// Reads a stream. The work runs ahead of the consumer by a bounded number of pages, and stops when the stream
    /// of pages is dropped. Has to be called inside a tokio runtime.
    pub fn read(&self, context: &ReadContext, request: ReadRequest) -> Result<PageStream, ReadError> {
        self.read_unless(context, request, None)
    }

    /// The same, unless the stream is as it was when a page gave these validators: then there is one page, which says so.
    /// They have to be of the same connector and configuration, and what was read then has to be still there.
    pub fn read_unless(
        &self,
        context: &ReadContext,
        request: ReadRequest,
        validators: Option<&Value>,
    ) -> Result<PageStream, ReadError> {
        let ReadRequest {
            stream,
            config,
            checkpoint,
            full_refresh,
            selection,
        } = request;
        let session = self.session(context, &config)?;
        session.select(&stream, selection);
        let plan = self.stream(&session, &stream)?;
        read::producer::start(session, plan, checkpoint, full_refresh, validators)
    }

    /// The files that belong to a stream's records, to be put into this folder; `None`: there are none.
    pub fn files(
        &self,
        context: &ReadContext,
        config: &Value,
        stream: &str,
        folder: PathBuf,
    ) -> Result<Option<Files>, ReadError> {
        let session = self.session(context, config)?;
        let plan = self.stream(&session, stream)?;
        Files::new(&session, plan, folder)
    }

    /// The hosts that these streams are read from, as far as the configuration alone tells. Secrets are not needed.
    pub fn hosts(&self, context: &ReadContext, config: &Value, streams: &[String]) -> BTreeSet<String> {
        let Ok(config) = self.migrate(context, config) else {
            return BTreeSet::new();
        };
        let session = self.session_of(context, config);
        let wanted = self
            .plan
            .streams
            .iter()
            .filter(|stream| streams.contains(&stream.name));
        wanted
            .filter_map(|stream| {
                if let Some(native) = stream.retriever.native() {
                    return native::host(&session, &native.source);
                }
                let address = stream.retriever.requester()?.address.text();
                let url = url::Url::parse(&session.text(address, &[]).ok()?).ok()?;
                Some(http::gate::host(&url))
            })
            .collect()
    }

    /// What the manifest's `HTTPAPIBudget` limits, one for each of its policies, as far as the configuration tells.
    pub fn call_limits(&self, context: &ReadContext, config: &Value) -> Vec<read::Counted> {
        let limits = || http::budget::limits(&self.session_of(context, self.migrate(context, config)?));
        limits().unwrap_or_default()
    }

    fn stream<'a>(&'a self, session: &Session, name: &'a str) -> Result<&'a Arc<StreamPlan>, ReadError> {
        let mut exists = false;
        for stream in self.plan.streams_named(name) {
            exists = true;
            if is_available(session, stream)? {
                return Ok(stream);
            }
        }
        if exists {
            return Err(ReadError::config(format!(
                "The stream {name} is not there under this configuration."
            )));
        }
        named(&self.plan.streams, name)
    }

    /// The configuration as the manifest's migrations and transformations make it: what the specification is about.
    pub fn migrate(&self, context: &ReadContext, config: &Value) -> Result<Value, ReadError> {
        let config = if config.is_null() {
            Value::Object(Map::new())
        } else {
            config.clone()
        };
        http::configuration::transformed(context, &self.plan.spec, &self.plan.config_rules, config)
    }

    /// A session with a configuration as a person entered it.
    fn session(&self, context: &ReadContext, config: &Value) -> Result<Arc<Session>, ReadError> {
        let migrated = self.migrate(context, config)?;
        let plan = &self.plan;
        http::configuration::validated(context, &plan.spec, &plan.config_rules, &migrated)?;
        let session = self.session_of(context, migrated);
        // A migration may have moved a secret to where the specification does not look for one.
        for secret in self.plan.spec.secret_texts(config) {
            session.hide(&secret);
        }
        Ok(session)
    }

    /// A session with a migrated configuration.
    fn session_of(&self, context: &ReadContext, config: Value) -> Arc<Session> {
        let secrets = self.plan.spec.secret_texts(&config);
        let budget = self.plan.api_budget.clone();
        let session = Session::new(context.clone(), config, secrets, budget);
        Arc::new(
            session
                .with_jobs_at_once(self.plan.max_concurrent_async_job_count.as_ref())
                .with_concurrency(self.plan.concurrency.as_ref()),
        )
    }
}

fn is_available(session: &Session, stream: &StreamPlan) -> Result<bool, ReadError> {
    match &stream.available {
        None => Ok(true),
        Some(condition) => session.condition(condition, &[]),
    }
}

fn named<'a>(streams: &'a [Arc<StreamPlan>], name: &str) -> Result<&'a Arc<StreamPlan>, ReadError> {
    streams.iter().find(|stream| stream.name == name).ok_or_else(|| {
        let names: Vec<&str> = streams.iter().map(|stream| &*stream.name).collect();
        ReadError::config(format!(
            "There is no stream named {name}; there are {}.",
            names.join(", ")
        ))
    })
}
