//! The manifest as a whole.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::component::Component;
use super::super::components::{CheckPlan, ConcurrencyLevel, ConfigRules, Plan, StreamPlan};
use super::super::nearest::nearest;
use super::super::slot::Slot;
use super::budget::budget;
use super::configuration::rules;
use super::streams::stream;
use super::values::integer;
use crate::spec::Spec;

pub(in super::super) fn source(slot: &Slot<'_>) -> Option<Plan> {
    let component = slot.component(&["DeclarativeSource"])?;
    component.check_fields();
    let version = component.required("version").and_then(|slot| slot.literal());
    let description = component.optional("description", Slot::literal);
    let streams = streams(&component);
    let check = component
        .required("check")
        .and_then(|slot| check(&slot, streams.as_deref()));
    let spec = component.or("spec", (Spec::default(), ConfigRules::default()), spec);
    let concurrency = component.optional("concurrency_level", concurrency);
    let max_concurrent_async_job_count = component.optional("max_concurrent_async_job_count", integer);
    let api_budget = component.optional("api_budget", budget);
    let metadata = component.or("metadata", serde_json::Value::Null, Slot::json);
    let (metadata, (spec, config_rules)) = (metadata?, spec?);
    let word = |name: &str| {
        metadata
            .get(name)
            .and_then(|value| value.as_str())
            .map(str::to_owned)
    };
    Some(Plan {
        name: word("name"),
        title: word("title").or_else(|| spec.title().map(str::to_owned)),
        description: description?,
        version: Some(version?),
        streams: streams?,
        check: check?,
        spec,
        config_rules: Arc::new(config_rules),
        concurrency: concurrency?,
        max_concurrent_async_job_count: max_concurrent_async_job_count?,
        api_budget: api_budget?.map(Arc::new),
        warnings: Vec::new(),
    })
}

fn streams(component: &Component<'_>) -> Option<Vec<Arc<StreamPlan>>> {
    let Some(slot) = component.field("streams") else {
        if component.field("dynamic_streams").is_none() {
            component.fault("DeclarativeSource needs the field streams");
        }
        return None;
    };
    let mut names = HashSet::new();
    let streams = slot.each(stream)?;
    let mut twice = false;
    for (stream, slot) in streams.iter().zip(slot.items()?) {
        if !names.insert(stream.name.clone()) {
            slot.fault(format!(
                "there are two streams named {}; every stream needs a name of its own",
                stream.name
            ));
            twice = true;
        }
    }
    if streams.is_empty() && component.field("dynamic_streams").is_none() {
        slot.fault("streams is empty; a connector needs at least one");
        return None;
    }
    (!twice).then_some(streams)
}

fn check(slot: &Slot<'_>, streams: Option<&[Arc<StreamPlan>]>) -> Option<CheckPlan> {
    let component = slot.component(&["CheckStream"])?;
    component.check_fields();
    let stream_names = component.or("stream_names", Vec::new(), |slot| {
        slot.each(|slot| {
            let name = slot.literal()?;
            // When a stream is faulty its name is not known here, and this would be a fault that is none.
            let Some(streams) = streams else { return Some(name) };
            if streams.iter().any(|stream| stream.name == name) {
                return Some(name);
            }
            let hint = nearest(&name, streams.iter().map(|stream| &*stream.name))
                .map(|meant| format!("; did you mean {meant}?"))
                .unwrap_or_default();
            slot.fault(format!("there is no stream named {name}{hint}"));
            None
        })
    });
    let config_overrides = component.optional("config_overrides", Slot::json);
    Some(CheckPlan {
        stream_names: stream_names?,
        config_overrides: config_overrides?,
    })
}

fn spec(slot: &Slot<'_>) -> Option<(Spec, ConfigRules)> {
    let component = slot.component(&["Spec"])?;
    component.check_fields();
    let documentation_url = component.optional("documentation_url", Slot::literal);
    let rules = component.or("config_normalization_rules", ConfigRules::default(), rules);
    let schema_slot = component.required("connection_specification")?;
    let schema = schema_slot.json()?;
    match Spec::new(schema, documentation_url?) {
        Ok(spec) => Some((spec, rules?)),
        Err(message) => {
            schema_slot.fault(format!(
                "connection_specification is not a usable JSON Schema: {message}"
            ));
            None
        }
    }
}

fn concurrency(slot: &Slot<'_>) -> Option<ConcurrencyLevel> {
    let component = slot.component(&["ConcurrencyLevel"])?;
    component.check_fields();
    let default_concurrency = component
        .required("default_concurrency")
        .and_then(|slot| integer(&slot));
    let max_concurrency = component.optional("max_concurrency", Slot::whole_number);
    Some(ConcurrencyLevel {
        default_concurrency: default_concurrency?,
        max_concurrency: max_concurrency?,
    })
}
