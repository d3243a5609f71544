//! What many are told, resolved once.
//!
//! Readers of one source are shown one and the same row ([`engine::watch`]), and most of them ask for the same of it with the
//! same document. Resolving it is most of what a delivery costs, so whoever comes first leaves the value for the others:
//! those who hold the same row, have the same document with the same variables, and are the same actor, who alone may see what
//! hangs on the row as the first one saw it. A value lives no longer than its row, which lives until the next change; a
//! value with errors is nobody else's.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, OutputType, Positioned, ServerResult, Value, Variables};
use engine::Actor;
use sha2::{Digest, Sha256};

/// Values that are kept. One that was pushed out is resolved again.
const KEPT: usize = 256;

/// Who asks for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    actor: Actor,
    /// Of the document and its variables.
    hash: [u8; 32],
}

impl Asked {
    pub(crate) fn new(actor: Actor, text: &str, operation: Option<&str>, variables: &Variables) -> Self {
        let variables = serde_json::to_vec(&**variables).unwrap_or_default();
        let mut hash = Sha256::new();
        for part in [
            text.as_bytes(),
            operation.unwrap_or_default().as_bytes(),
            &variables,
        ] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        Self {
            actor,
            hash: hash.finalize().into(),
        }
    }
}

/// A row that many are told of, of the GraphQL type `T`.
pub(crate) struct Told<M, T> {
    row: Arc<M>,
    of: PhantomData<fn() -> T>,
}

impl<M, T> From<Arc<M>> for Told<M, T> {
    fn from(row: Arc<M>) -> Self {
        Self { row, of: PhantomData }
    }
}

type Kept<M> = (Weak<M>, Asked, Value);

/// The values of rows of one kind.
pub(crate) struct Values<M>(Mutex<VecDeque<Kept<M>>>);

impl<M> Default for Values<M> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<M> Values<M> {
    fn get(&self, row: &Arc<M>, asked: &Asked) -> Option<Value> {
        let kept = self.lock();
        let found = kept
            .iter()
            .rev()
            .find(|(of, by, _)| std::ptr::eq(of.as_ptr(), Arc::as_ptr(row)) && by == asked);
        found.map(|(_, _, value)| value.clone())
    }

    fn keep(&self, row: &Arc<M>, asked: &Asked, value: &Value) {
        let mut kept = self.lock();
        while kept.len() >= KEPT || kept.front().is_some_and(|(of, _, _)| of.strong_count() == 0) {
            kept.pop_front();
        }
        kept.push_back((Arc::downgrade(row), asked.clone(), value.clone()));
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept<M>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M, T> OutputType for Told<M, T>
where
    M: Clone + Send + Sync + 'static,
    T: OutputType + From<M>,
{
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let of_all = ctx
            .data_opt::<Values<M>>()
            .and_then(|values| Some((values, ctx.data_opt::<Asked>()?)));
        if let Some((values, asked)) = of_all
            && let Some(value) = values.get(&self.row, asked)
        {
            return Ok(value);
        }
        let errors = || {
            let errors = ctx.query_env.errors.lock();
            errors.map_or(usize::MAX, |errors| errors.len())
        };
        let before = errors();
        // Boxed: a subscription holds room for this as long as it is open, and rarely needs it.
        let of_type = T::from(M::clone(&self.row));
        let value = Box::pin(of_type.resolve(ctx, field)).await?;
        if let Some((values, asked)) = of_all
            && errors() == before
        {
            values.keep(&self.row, asked, &value);
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_for_the_same_row_the_same_document_and_the_same_actor() {
        let asked = |actor, text| Asked::new(actor, text, None, &Variables::default());
        let (values, row) = (Values::<i32>::default(), Arc::new(1));
        let first = asked(Actor::Operator, "{a}");
        values.keep(&row, &first, &Value::from(1));
        assert_eq!(values.get(&row, &first), Some(Value::from(1)));
        assert_eq!(
            values.get(&Arc::new(1), &first),
            None,
            "an equal row is another look"
        );
        for other in [asked(Actor::System, "{a}"), asked(Actor::Operator, "{b}")] {
            assert_eq!(values.get(&row, &other), None);
        }
        let variables = Variables::from_json(serde_json::json!({ "a": 1 }));
        assert_ne!(first, Asked::new(Actor::Operator, "{a}", None, &variables));
        assert_ne!(
            first,
            Asked::new(Actor::Operator, "{a}", Some("A"), &Variables::default())
        );
    }

    #[test]
    fn what_is_kept_is_bounded_and_goes_with_its_row() {
        let asked = Asked::new(Actor::Operator, "{a}", None, &Variables::default());
        let values = Values::<usize>::default();
        let rows: Vec<_> = (0..2 * KEPT).map(Arc::new).collect();
        for row in &rows {
            values.keep(row, &asked, &Value::Null);
        }
        assert_eq!(values.lock().len(), KEPT);
        drop(rows);
        values.keep(&Arc::new(0), &asked, &Value::Null);
        assert_eq!(values.lock().len(), 1);
    }
}
