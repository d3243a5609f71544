//! The manifest as a whole.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::component::Component;
use super::super::components::{
    CheckPlan, ConcurrencyLevel, Condition, ConfigRules, DynamicStreams, Plan, StreamPlan,
};
use super::super::nearest::nearest;
use super::super::slot::Slot;
use super::budget::budget;
use super::configuration::rules;
use super::dynamic::dynamic_streams;
use super::groups;
use super::streams::stream;
use super::values::{condition, integer};
use crate::spec::Spec;

pub(in super::super) fn source(slot: &Slot<'_>) -> Option<Plan> {
    let component = slot.component(&["DeclarativeSource"])?;
    component.check_fields();
    let version = component.required("version").and_then(|slot| slot.literal());
    let description = component.optional("description", Slot::literal);
    let streams = streams(&component);
    let dynamic = component.or("dynamic_streams", Vec::new(), |slot| dynamic_streams(slot));
    let check = component
        .required("check")
        .and_then(|slot| check(&slot, streams.as_deref(), dynamic.as_deref()));
    let spec = component.or("spec", (Spec::default(), ConfigRules::default()), spec);
    let concurrency = component.optional("concurrency_level", concurrency);
    let grouped = groups::check(&component, streams.as_deref());
    let max_concurrent_async_job_count = component.optional("max_concurrent_async_job_count", integer);
    let api_budget = component.optional("api_budget", budget);
    let metadata = component.or("metadata", serde_json::Value::Null, Slot::json);
    grouped?;
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
        dynamic: dynamic?,
        text: None,
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
        if component.field("dynamic_streams").is_some() {
            return Some(Vec::new());
        }
        component.fault("DeclarativeSource needs the field streams");
        return None;
    };
    let mut names = HashSet::new();
    let streams: Vec<_> = slot.each(stream_or_condition)?.into_iter().flatten().collect();
    let mut twice = false;
    for (stream, slot) in &streams {
        // Of streams under conditions, several may share a name: the configuration chooses.
        if stream.available.is_none() && !names.insert(stream.name.clone()) {
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
    (!twice).then(|| streams.into_iter().map(|(stream, _)| Arc::new(stream)).collect())
}

/// A stream, or `ConditionalStreams`.
fn stream_or_condition<'a>(slot: &Slot<'a>) -> Option<Vec<(StreamPlan, Slot<'a>)>> {
    if slot.type_name() != Some("ConditionalStreams") {
        return stream(slot).map(|stream| vec![(stream, slot.clone())]);
    }
    let component = slot.component(&["ConditionalStreams"])?;
    component.check_fields();
    let only = component
        .required("condition")
        .and_then(|_| condition(&component, "condition"));
    let streams = component
        .required("streams")
        .and_then(|slot| slot.each(|slot| stream(slot).map(|stream| (stream, slot.clone()))));
    let (only, streams) = (only?, streams?);
    let under = |(stream, slot): (StreamPlan, Slot<'a>)| {
        let stream = StreamPlan {
            // An empty condition is false.
            available: Some(only.clone().unwrap_or(Condition::Fixed(false))),
            ..stream
        };
        (stream, slot)
    };
    Some(streams.into_iter().map(under).collect())
}

fn check(
    slot: &Slot<'_>,
    streams: Option<&[Arc<StreamPlan>]>,
    dynamic: Option<&[DynamicStreams]>,
) -> Option<CheckPlan> {
    let component = slot.component(&["CheckStream", "CheckDynamicStream"])?;
    component.check_fields();
    let config_overrides = component.optional("config_overrides", Slot::json);
    if &*component.kind == "CheckDynamicStream" {
        let count = component.required("stream_count").and_then(|slot| count(&slot));
        let tries = component.or("use_check_availability", true, Slot::boolean);
        return Some(CheckPlan {
            first: Some(if tries? { count? } else { 0 }),
            config_overrides: config_overrides?,
            ..CheckPlan::default()
        });
    }
    // What dynamic streams will be named is not known yet.
    let streams = streams.filter(|_| dynamic.is_some_and(<[_]>::is_empty));
    let names = streams.map(|streams| streams.iter().map(|stream| &*stream.name).collect::<Vec<_>>());
    let stream_names = component.or("stream_names", Vec::new(), |slot| {
        slot.each(|slot| known(slot, slot.literal()?, "stream", names.as_deref()))
    });
    let made = dynamic.map(|dynamic| dynamic.iter().map(|dynamic| &*dynamic.name).collect::<Vec<_>>());
    let dynamic = component.or("dynamic_streams_check_configs", Vec::new(), |slot| {
        slot.each(|slot| {
            let component = slot.component(&["DynamicStreamCheckConfig"])?;
            component.check_fields();
            let name = component
                .required("dynamic_stream_name")
                .and_then(|slot| known(&slot, slot.literal()?, "dynamic stream", made.as_deref()));
            let count = component.optional("stream_count", count);
            Some((name?, count?))
        })
    });
    Some(CheckPlan {
        stream_names: stream_names?,
        first: None,
        dynamic: dynamic?,
        config_overrides: config_overrides?,
    })
}

fn count(slot: &Slot<'_>) -> Option<usize> {
    let number = slot.whole_number()?;
    let count = usize::try_from(number).ok().filter(|count| *count > 0);
    if count.is_none() {
        slot.fault(format!("{} is {number}; it has to be at least 1", slot.name()));
    }
    count
}

/// The name, if there is anything of that name. Where something is faulty its name is not known here, and this would
/// be a fault that is none.
fn known(slot: &Slot<'_>, name: String, what: &str, names: Option<&[&str]>) -> Option<String> {
    let Some(names) = names else { return Some(name) };
    if names.contains(&name.as_str()) {
        return Some(name);
    }
    let hint = nearest(&name, names.iter().copied())
        .map(|meant| format!("; did you mean {meant}?"))
        .unwrap_or_default();
    slot.fault(format!("there is no {what} named {name}{hint}"));
    None
}

fn spec(slot: &Slot<'_>) -> Option<(Spec, ConfigRules)> {
    let component = slot.component(&["Spec"])?;
    component.check_fields();
    let documentation_url = component.optional("documentation_url", Slot::literal);
    let advanced_auth = component.optional("advanced_auth", Slot::json);
    let rules = component.or("config_normalization_rules", ConfigRules::default(), rules);
    let schema_slot = component.required("connection_specification")?;
    let schema = schema_slot.json()?;
    match Spec::new(schema, documentation_url?) {
        Ok(spec) => Some((spec.with_advanced_auth(advanced_auth?), rules?)),
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
