//! Partitions, one after the other: the values of a list, the records of parents, or every combination.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::ReadError;
use super::gathered::{Grouped, United};
use super::routers::Router;
use super::slice::Partition;
use super::stream::StreamReader;
use super::substream::Substream;

/// The partitions of a stream.
pub(super) struct Routers(Kind);

enum Kind {
    /// A stream that is not split: one partition.
    Whole {
        given: bool,
    },
    One(Box<Routed>),
    Product(Box<Product>),
}

/// One router's partitions.
pub(super) enum Routed {
    List { router: Arc<Router>, next: usize },
    Substream(Box<Substream>),
    Grouped(Grouped),
    United(United),
}

/// Every combination; the last router runs fastest. Only the first is streamed: the others are read once and
/// held, since each is needed again for every partition of the one before.
struct Product {
    outer: Routed,
    inner: Vec<Held>,
    current: Option<Partition>,
    at: Vec<usize>,
    started: bool,
}

struct Held {
    source: Routed,
    partitions: Option<Vec<Partition>>,
}

impl Routers {
    pub(super) fn new(reader: &Arc<StreamReader>, state: Option<&Value>) -> Self {
        let routed = |index: usize| Routed::new(&reader.routers[index], state);
        Self(match reader.routers.len() {
            0 => Kind::Whole { given: false },
            1 => Kind::One(Box::new(routed(0))),
            count => Kind::Product(Box::new(Product {
                outer: routed(0),
                inner: (1..count)
                    .map(|index| Held {
                        source: routed(index),
                        partitions: None,
                    })
                    .collect(),
                current: None,
                at: vec![0; count - 1],
                started: false,
            })),
        })
    }

    /// The next partition.
    pub(super) async fn next(&mut self) -> Result<Option<Partition>, ReadError> {
        match &mut self.0 {
            Kind::Whole { given } => Ok((!std::mem::replace(given, true)).then(Partition::default)),
            Kind::One(routed) => routed.next().await,
            Kind::Product(product) => product.next().await,
        }
    }

    /// Where the partition given last is.
    pub(super) fn position(&self) -> Value {
        match &self.0 {
            Kind::Whole { .. } => Value::Null,
            Kind::One(routed) => routed.position(),
            Kind::Product(product) => json!([product.outer.position(), product.at]),
        }
    }

    /// Goes to a position: its partition, or `None` where it is gone and the ones around it come again.
    pub(super) async fn seek(&mut self, position: &Value) -> Result<Option<Partition>, ReadError> {
        match &mut self.0 {
            Kind::Whole { given } => {
                *given = true;
                Ok(Some(Partition::default()))
            }
            Kind::One(routed) => routed.seek(position).await,
            Kind::Product(product) => product.seek(position).await,
        }
    }

    /// States of the parents that are read incrementally. Only a single router keeps them.
    pub(super) fn parent_states(&self) -> Option<Value> {
        match &self.0 {
            Kind::One(routed) => routed.parent_states(),
            _ => None,
        }
    }
}

impl Routed {
    fn new(router: &Arc<Router>, state: Option<&Value>) -> Self {
        match &**router {
            Router::List { .. } => Self::List {
                router: Arc::clone(router),
                next: 0,
            },
            Router::Substream { .. } => {
                Self::Substream(Box::new(Substream::new(Arc::clone(router), state.cloned())))
            }
            Router::Grouped {
                router,
                size,
                deduplicate,
            } => Self::Grouped(Grouped::new(Self::new(router, state), *size, *deduplicate)),
            Router::United { routers, field } => {
                let inner = routers.iter().map(|router| Self::new(router, state)).collect();
                Self::United(United::new(field.clone(), routers.clone(), inner))
            }
        }
    }

    pub(super) fn parent_states(&self) -> Option<Value> {
        match self {
            Self::List { .. } => None,
            Self::Substream(substream) => Some(substream.parent_states()),
            Self::Grouped(grouped) => grouped.parent_states(),
            Self::United(united) => united.parent_states(),
        }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Partition>, ReadError> {
        match self {
            Self::List { router, next } => {
                let Router::List { values, field } = &**router else {
                    return Ok(None);
                };
                let Some(value) = values.get(*next) else {
                    return Ok(None);
                };
                *next += 1;
                let fields = Map::from_iter([(field.clone(), value.clone())]);
                Ok(Some(Partition {
                    fields,
                    ..Partition::default()
                }))
            }
            Self::Substream(substream) => substream.next().await,
            Self::Grouped(grouped) => grouped.next().await,
            Self::United(united) => united.next().await,
        }
    }

    pub(super) fn position(&self) -> Value {
        match self {
            Self::List { next, .. } => json!(next.saturating_sub(1)),
            Self::Substream(substream) => substream.position(),
            Self::Grouped(grouped) => grouped.position(),
            Self::United(united) => united.position(),
        }
    }

    pub(super) async fn seek(&mut self, position: &Value) -> Result<Option<Partition>, ReadError> {
        match self {
            Self::List { next, .. } => {
                *next = position
                    .as_u64()
                    .and_then(|index| usize::try_from(index).ok())
                    .unwrap_or(0);
                self.next().await
            }
            Self::Substream(substream) => substream.seek(position).await,
            Self::Grouped(grouped) => grouped.seek(position).await,
            Self::United(united) => united.seek(position).await,
        }
    }

    async fn all(&mut self) -> Result<Vec<Partition>, ReadError> {
        let mut all = Vec::new();
        while let Some(partition) = self.next().await? {
            all.push(partition);
        }
        Ok(all)
    }
}

impl Product {
    async fn hold(&mut self) -> Result<(), ReadError> {
        for held in &mut self.inner {
            if held.partitions.is_none() {
                held.partitions = Some(held.source.all().await?);
            }
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<Partition>, ReadError> {
        self.hold().await?;
        if self.inner.iter().any(|held| held.len() == 0) {
            return Ok(None);
        }
        if !self.started || !self.count_up() {
            self.current = self.outer.next().await?;
            self.at.fill(0);
            self.started = true;
        }
        Ok(self.combined())
    }

    /// The last router first, like an odometer; false where all have run through.
    fn count_up(&mut self) -> bool {
        for index in (0..self.at.len()).rev() {
            self.at[index] += 1;
            if self.at[index] < self.inner[index].len() {
                return true;
            }
            self.at[index] = 0;
        }
        false
    }

    fn combined(&self) -> Option<Partition> {
        let mut combined = self.current.clone()?;
        for (held, at) in self.inner.iter().zip(&self.at) {
            let partition = held.partitions.as_ref()?.get(*at)?;
            for (name, value) in &partition.fields {
                combined
                    .fields
                    .entry(name.clone())
                    .or_insert_with(|| value.clone());
            }
            for (name, value) in &partition.extra {
                combined
                    .extra
                    .entry(name.clone())
                    .or_insert_with(|| value.clone());
            }
        }
        Some(combined)
    }

    async fn seek(&mut self, position: &Value) -> Result<Option<Partition>, ReadError> {
        self.hold().await?;
        self.started = true;
        self.current = self.outer.seek(&position[0]).await?;
        if self.current.is_none() {
            self.started = false;
            return Ok(None);
        }
        for (index, at) in self.at.iter_mut().enumerate() {
            *at = position[1][index]
                .as_u64()
                .and_then(|at| usize::try_from(at).ok())
                .unwrap_or(0);
        }
        match self.combined() {
            Some(partition) => Ok(Some(partition)),
            None => {
                // The held ones changed: this outer partition is combined anew, from its first combination.
                self.at.fill(0);
                Ok(self.combined())
            }
        }
    }
}

impl Held {
    fn len(&self) -> usize {
        self.partitions.as_ref().map_or(0, Vec::len)
    }
}
