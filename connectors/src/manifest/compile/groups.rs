//! `stream_groups`: streams that must not be read at the same time.
//!
//! Streams of an integration are read one after the other here, whatever they share, so there is nothing to arrange. What
//! is left is to say where a group cannot be meant: a child reads its parents while it is read.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use super::super::component::Component;
use super::super::components::{PartitionRouter, StreamPlan};
use super::super::nearest::nearest;
use super::super::slot::Slot;

/// Looks whether the groups can be meant; `None`: one cannot.
pub(super) fn check(component: &Component<'_>, streams: Option<&[Arc<StreamPlan>]>) -> Option<()> {
    let Some(slot) = component.field("stream_groups") else {
        return Some(());
    };
    let mut group_of: HashMap<String, Rc<str>> = HashMap::new();
    let mut sound = true;
    for (name, _, group) in slot.entries()? {
        let (mut names, mut action) = (None, None);
        for (key, _, value) in group.entries()? {
            match &*key {
                "type" => {}
                "streams" => names = value.items(),
                "action" => action = value.component(&["BlockSimultaneousSyncsAction"]),
                other => value.strange_field(other, &["streams", "action"]),
            }
        }
        if let Some(missing) = ["streams", "action"]
            .iter()
            .find(|field| group.node.get(field).is_none())
        {
            group.fault(format!(
                "the group {name} needs {missing}: streams is a list of references to streams, action says what is not done at once"
            ));
        }
        let (Some(names), Some(_)) = (names, action) else {
            sound = false;
            continue;
        };
        for stream in names {
            match named(&stream, streams) {
                Some(stream) => drop(group_of.insert(stream, Rc::clone(&name))),
                None => sound = false,
            }
        }
    }
    for stream in streams.unwrap_or_default() {
        let Some(group) = group_of.get(&stream.name) else {
            continue;
        };
        let mut above = HashSet::new();
        ancestors(stream, &mut above);
        if let Some(parent) = above.iter().find(|parent| group_of.get(**parent) == Some(group)) {
            slot.fault(format!(
                "{} and its parent {parent} are both in the group {group}: a child reads its parent while it is read",
                stream.name
            ));
            sound = false;
        }
    }
    sound.then_some(())
}

fn named(slot: &Slot<'_>, streams: Option<&[Arc<StreamPlan>]>) -> Option<String> {
    let name = slot.node.get("name").and_then(|name| name.as_text());
    let Some(name) = name else {
        slot.fault(
            "a group's streams are references to streams, such as {$ref: '#/definitions/streams/orders'}",
        );
        return None;
    };
    let known: Vec<&str> = streams?.iter().map(|stream| stream.name.as_str()).collect();
    if !known.contains(&name) {
        let hint = nearest(name, known.iter().copied())
            .map(|meant| format!("; did you mean {meant}?"))
            .unwrap_or_default();
        slot.warn(format!("there is no stream named {name}{hint}"));
    }
    Some(name.to_owned())
}

fn ancestors<'a>(stream: &'a StreamPlan, into: &mut HashSet<&'a str>) {
    let requests = stream.retriever.records();
    let mut routers: Vec<&PartitionRouter> = requests
        .map(|requests| requests.partition_routers.iter().collect())
        .unwrap_or_default();
    while let Some(router) = routers.pop() {
        match router {
            PartitionRouter::List { .. } => {}
            PartitionRouter::Grouped { router, .. } => routers.push(router),
            PartitionRouter::United { routers: more, .. } => routers.extend(more),
            PartitionRouter::Substream { parents } => {
                for parent in parents {
                    if into.insert(&parent.stream.name) {
                        ancestors(&parent.stream, into);
                    }
                }
            }
        }
    }
}
