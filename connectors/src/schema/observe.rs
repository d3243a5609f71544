//! Records held against the schema that was declared for them, at the price of a glance.
//!
//! A glance is one walk over a record's outermost fields, on its text, without building anything; and only a few
//! records of a page get one, spread over it. An upstream that changes its answers changes all of them, so a few are
//! enough to notice, and a page costs the same whether it holds ten records or ten thousand. Nested fields are not
//! looked at: their changes are found when the manifest's schema is written anew.

use std::collections::HashMap;

use serde_json::Value;

use super::types::Types;
use crate::json::scan::{Kind, Scanner};
use crate::record::Record;

/// Records of a page that are looked at.
const GLANCES: usize = 8;
/// Declared fields that are watched.
const MOST_FIELDS: usize = 300;

/// The outermost fields that a schema declares, with their types.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    names: Vec<(String, Types)>,
    places: HashMap<String, usize>,
}

impl Declared {
    /// What a stream's schema declares.
    pub fn of(schema: &Value) -> Self {
        let properties = schema.get("properties").and_then(Value::as_object);
        let names: Vec<(String, Types)> = properties
            .into_iter()
            .flatten()
            .take(MOST_FIELDS)
            .map(|(name, schema)| (name.clone(), Types::of_schema(schema)))
            .collect();
        let places = names.iter().enumerate();
        let places = places.map(|(place, (name, _))| (name.clone(), place)).collect();
        Self { names, places }
    }

    /// The fields and their types, in the schema's order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, Types)> {
        self.names.iter().map(|(name, types)| (name.as_str(), *types))
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// What was seen of the declared fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Records that were looked at.
    pub records: usize,
    fields: Vec<Field>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Field {
    present: usize,
    stray: Types,
}

impl Observed {
    /// Looks at some of a page's records.
    pub fn page(declared: &Declared, records: &[Record]) -> Self {
        let mut seen = Self::default();
        if declared.is_empty() {
            return seen;
        }
        seen.fields.resize(declared.names.len(), Field::default());
        let step = records.len().div_ceil(GLANCES).max(1);
        for record in records.iter().step_by(step) {
            if seen.record(declared, record.json()).is_some() {
                seen.records += 1;
            }
        }
        seen
    }

    fn record(&mut self, declared: &Declared, json: &str) -> Option<()> {
        let mut scanner = Scanner::new(json);
        scanner.space();
        if scanner.kind().ok()? != Kind::Object {
            return None;
        }
        let mut more = scanner.open(b'}');
        while more {
            let name = scanner.name().ok()?;
            let value = scanner.skip(0).ok()?;
            let place = declared.places.get(&*name.text()).copied();
            if let Some(place) = place
                && let (Some(field), Some((_, types))) =
                    (self.fields.get_mut(place), declared.names.get(place))
            {
                field.present += 1;
                let stray = Types::of_json(value).without(types.or(Types::NULL));
                field.stray = field.stray.or(stray);
            }
            more = scanner.next(b'}').ok()?;
        }
        Some(())
    }

    /// Adds what another page showed.
    pub fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.fields
            .resize(self.fields.len().max(other.fields.len()), Field::default());
        for (own, other) in self.fields.iter_mut().zip(&other.fields) {
            own.present += other.present;
            own.stray = own.stray.or(other.stray);
        }
    }

    /// The fields that every record had.
    pub fn always<'d>(&self, declared: &'d Declared) -> impl Iterator<Item = &'d str> {
        let whole = self.records;
        self.names(declared, move |field| whole > 0 && field.present >= whole)
    }

    /// The fields that at least one record had.
    pub fn ever<'d>(&self, declared: &'d Declared) -> impl Iterator<Item = &'d str> {
        self.names(declared, |field| field.present > 0)
    }

    fn names<'d>(
        &self,
        declared: &'d Declared,
        wanted: impl Fn(&Field) -> bool,
    ) -> impl Iterator<Item = &'d str> {
        let places: Vec<usize> = self
            .fields
            .iter()
            .enumerate()
            .filter(|(_, field)| wanted(field))
            .map(|(place, _)| place)
            .collect();
        let name = |place: usize| declared.names.get(place).map(|(name, _)| name.as_str());
        places.into_iter().filter_map(name)
    }

    /// The fields that held what they should not: with what was declared, and what was found besides.
    pub fn strays<'d>(&self, declared: &'d Declared) -> Vec<(&'d str, Types, Types)> {
        let fields = self.fields.iter().zip(&declared.names);
        fields
            .filter(|(field, _)| !field.stray.is_empty())
            .map(|(field, (name, types))| (name.as_str(), *types, field.stray))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_shows_what_is_there_and_what_has_another_type() {
        let declared = Declared::of(&json!({"properties": {
            "id": {"type": "integer"}, "name": {"type": "string"}, "note": {"type": "string"}, "free": {}}}));
        let records: Vec<Record> = [
            r#"{"id": 1, "name": "a", "free": [1], "other": 1}"#,
            r#"{"id": "2", "name": null, "note": "x", "free": {}}"#,
        ]
        .iter()
        .map(|json| Record::from_json(json))
        .collect();
        let mut seen = Observed::page(&declared, &records);
        seen.add(&Observed::page(&declared, &records));
        assert_eq!(seen.records, 4);
        assert_eq!(seen.always(&declared).collect::<Vec<_>>(), ["id", "name", "free"]);
        assert_eq!(seen.ever(&declared).count(), 4);
        assert_eq!(seen.strays(&declared), [("id", Types::INTEGER, Types::STRING)]);
    }

    #[test]
    fn of_a_long_page_only_some_records_are_looked_at() {
        let declared = Declared::of(&json!({"properties": {"id": {}}}));
        let records: Vec<Record> = (0..1_000)
            .map(|id| Record::from_json(&format!("{{\"id\":{id}}}")))
            .collect();
        assert_eq!(Observed::page(&declared, &records).records, GLANCES);
    }
}
