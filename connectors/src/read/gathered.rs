//! Routers around routers: partitions in groups, and the union of several routers' partitions.
//!
//! What was seen already is remembered as hashes, so that memory grows by 16 bytes a partition and not by its text.
//! The reference keeps the values. A read that is resumed remembers what lists gave (they are at hand) and what comes
//! from then on; a parent's record that was met before the cut and comes again is read again.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

use super::ReadError;
use super::partition::Routed;
use super::routers::Router;
use super::slice::Partition;

/// The key under which a substream's partition names its parent's.
const PARENT_SLICE: &str = "parent_slice";

/// Values that were met.
struct Met {
    keys: [RandomState; 2],
    hashes: HashSet<(u64, u64)>,
}

impl Met {
    fn new() -> Self {
        Self {
            keys: [RandomState::new(), RandomState::new()],
            hashes: HashSet::new(),
        }
    }

    /// Whether the value is new.
    fn meet(&mut self, value: &Value) -> bool {
        let text = value.to_string();
        self.hashes
            .insert((self.keys[0].hash_one(&text), self.keys[1].hash_one(&text)))
    }
}

/// `GroupingPartitionRouter`.
pub(super) struct Grouped {
    inner: Box<Routed>,
    size: usize,
    met: Option<Met>,
    /// The group given last, for its position.
    group: Option<Partition>,
}

impl Grouped {
    pub(super) fn new(inner: Routed, size: usize, deduplicate: bool) -> Self {
        Self {
            inner: Box::new(inner),
            size,
            met: deduplicate.then(Met::new),
            group: None,
        }
    }

    pub(super) fn next(&mut self) -> BoxFuture<'_, Result<Option<Partition>, ReadError>> {
        Box::pin(async move {
            let mut batch = Vec::new();
            while batch.len() < self.size {
                let Some(partition) = self.inner.next().await? else {
                    break;
                };
                if let Some(met) = &mut self.met
                    && !met.meet(key_of(&partition)?)
                {
                    continue;
                }
                batch.push(partition);
            }
            self.group = (!batch.is_empty()).then(|| grouped(&batch));
            Ok(self.group.clone())
        })
    }

    pub(super) fn position(&self) -> Value {
        let group = self.group.as_ref();
        json!({
            "inner": self.inner.position(),
            "fields": group.map(|group| &group.fields),
            "extra": group.map(|group| &group.extra),
        })
    }

    /// A group is what it was, whatever has become of its members.
    pub(super) fn seek<'a>(
        &'a mut self,
        position: &'a Value,
    ) -> BoxFuture<'a, Result<Option<Partition>, ReadError>> {
        Box::pin(async move {
            let found = self.inner.seek(&position["inner"]).await?;
            let (Value::Object(fields), Some(last)) = (&position["fields"], found) else {
                return Ok(None);
            };
            let group = Partition {
                fields: fields.clone(),
                extra: position["extra"].as_object().cloned().unwrap_or_default(),
                page: None,
            };
            if let Some(met) = &mut self.met {
                met.meet(key_of(&last)?);
                for values in group.fields.iter().filter(|(name, _)| *name != PARENT_SLICE) {
                    for value in values.1.as_array().into_iter().flatten() {
                        met.meet(value);
                    }
                }
            }
            self.group = Some(group.clone());
            Ok(Some(group))
        })
    }

    pub(super) fn parent_states(&self) -> Option<Value> {
        self.inner.parent_states()
    }
}

/// The one value that a partition is about.
fn key_of(partition: &Partition) -> Result<&Value, ReadError> {
    let mut keys = partition.fields.iter().filter(|(name, _)| *name != PARENT_SLICE);
    match (keys.next(), keys.next()) {
        (Some((_, value)), None) => Ok(value),
        _ => Err(ReadError::config(
            "A GroupingPartitionRouter groups partitions of one field each; its underlying router has others.",
        )),
    }
}

/// Every field becomes a list of the members' values.
fn grouped(batch: &[Partition]) -> Partition {
    let list = |of: &dyn Fn(&Partition) -> Option<Value>| {
        Value::Array(batch.iter().map(|one| of(one).unwrap_or_default()).collect())
    };
    let first = batch.iter().take(1);
    let fields = first
        .flat_map(|partition| partition.fields.keys())
        .map(|name| (name.clone(), list(&|one| one.fields.get(name).cloned())))
        .collect();
    let mut extra = Map::new();
    for name in batch.iter().flat_map(|partition| partition.extra.keys()) {
        if !extra.contains_key(name) {
            extra.insert(name.clone(), list(&|one| one.extra.get(name).cloned()));
        }
    }
    Partition {
        fields,
        extra,
        page: None,
    }
}

/// `UnionPartitionRouter`.
pub(super) struct United {
    field: String,
    routers: Vec<Arc<Router>>,
    inner: Vec<Routed>,
    current: usize,
    met: Met,
}

impl United {
    pub(super) fn new(field: String, routers: Vec<Arc<Router>>, inner: Vec<Routed>) -> Self {
        Self {
            field,
            routers,
            inner,
            current: 0,
            met: Met::new(),
        }
    }

    pub(super) fn next(&mut self) -> BoxFuture<'_, Result<Option<Partition>, ReadError>> {
        Box::pin(async move {
            while let Some(routed) = self.inner.get_mut(self.current) {
                let Some(partition) = routed.next().await? else {
                    self.current += 1;
                    continue;
                };
                let partition = self.united(partition)?;
                if self.met.meet(&partition.fields[&self.field]) {
                    return Ok(Some(partition));
                }
            }
            Ok(None)
        })
    }

    /// The partition with its one field; whatever else it has goes along.
    fn united(&self, mut partition: Partition) -> Result<Partition, ReadError> {
        let value = partition.fields.shift_remove(&self.field).ok_or_else(|| {
            ReadError::config(format!(
                "A router in a UnionPartitionRouter makes partitions without the field {}.",
                self.field
            ))
        })?;
        if value.is_object() || value.is_array() {
            return Err(ReadError::config(format!(
                "The field {} of a UnionPartitionRouter has to be a single value.",
                self.field
            )));
        }
        let mut extra = partition.extra;
        extra.extend(partition.fields);
        Ok(Partition {
            fields: Map::from_iter([(self.field.clone(), value)]),
            extra,
            page: None,
        })
    }

    pub(super) fn position(&self) -> Value {
        let inner = self.inner.get(self.current).map(Routed::position);
        json!({ "router": self.current, "inner": inner })
    }

    pub(super) fn seek<'a>(
        &'a mut self,
        position: &'a Value,
    ) -> BoxFuture<'a, Result<Option<Partition>, ReadError>> {
        Box::pin(async move {
            self.current = position["router"]
                .as_u64()
                .and_then(|index| usize::try_from(index).ok())
                .unwrap_or(0);
            let before = self.routers.iter().take(self.current);
            for values in before.filter_map(|router| match &**router {
                Router::List { values, .. } => Some(values),
                _ => None,
            }) {
                for value in values {
                    self.met.meet(value);
                }
            }
            let Some(routed) = self.inner.get_mut(self.current) else {
                return Ok(None);
            };
            let Some(partition) = routed.seek(&position["inner"]).await? else {
                return Ok(None);
            };
            let partition = self.united(partition)?;
            self.met.meet(&partition.fields[&self.field]);
            Ok(Some(partition))
        })
    }

    /// States of all parents; of two of one name, the last router's.
    pub(super) fn parent_states(&self) -> Option<Value> {
        let mut all = Map::new();
        for states in self.inner.iter().filter_map(Routed::parent_states) {
            if let Value::Object(states) = states {
                all.extend(states);
            }
        }
        Some(Value::Object(all))
    }
}
