//! A record as the reference prints it: without the fields of its first level that are null.
//!
//! That is a habit of its serialiser, not a thought about data (further down nulls stay), and a destination that was written
//! against it may rely on it. So it is kept here, in the protocol, and nowhere else: what a server stores has its nulls.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

/// The same object without its null fields. Text that is no object comes back as it is.
pub(super) fn left_out(json: &str) -> Cow<'_, str> {
    // A record that nowhere says null needs no second look; most are like that.
    if !json.contains("null") {
        return Cow::Borrowed(json);
    }
    let mut deserializer = serde_json::Deserializer::from_str(json);
    match deserializer.deserialize_map(Fields) {
        Ok(Some(kept)) => Cow::Owned(kept),
        Ok(None) | Err(_) => Cow::Borrowed(json),
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    /// `None`: no field was null.
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut kept = String::from("{");
        let mut left_any = false;
        while let Some((name, value)) = fields.next_entry::<Cow<'de, str>, &'de RawValue>()? {
            if value.get() == "null" {
                left_any = true;
                continue;
            }
            if kept.len() > 1 {
                kept.push(',');
            }
            kept.push_str(&serde_json::Value::from(name.as_ref()).to_string());
            kept.push(':');
            kept.push_str(value.get());
        }
        kept.push('}');
        Ok(left_any.then_some(kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_level_loses_its_nulls() {
        let cases = [
            (
                r#"{"a":null,"b":{"c":null},"d":[null],"e":"null"}"#,
                r#"{"b":{"c":null},"d":[null],"e":"null"}"#,
            ),
            (r#"{"a\"b":1.0, "z": null}"#, r#"{"a\"b":1.0}"#),
            (r#"{"a": "null"}"#, r#"{"a": "null"}"#),
            (r#"{"a":null}"#, "{}"),
            ("[null]", "[null]"),
        ];
        for (record, printed) in cases {
            assert_eq!(left_out(record), printed);
        }
    }
}
