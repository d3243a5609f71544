//! The types that a field may have, as a set.

use std::fmt;

use serde_json::Value;

/// A set of JSON's types. An integer is a number, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Types(u8);

const NAMES: [(&str, Types); 7] = [
    ("null", Types::NULL),
    ("boolean", Types::BOOLEAN),
    ("integer", Types::INTEGER),
    ("number", Types::NUMBER),
    ("string", Types::STRING),
    ("object", Types::OBJECT),
    ("array", Types::ARRAY),
];

impl Types {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// `null`.
    pub const NULL: Self = Self(1);
    /// `true` or `false`.
    pub const BOOLEAN: Self = Self(1 << 1);
    /// A whole number.
    pub const INTEGER: Self = Self(1 << 2);
    /// Any number.
    pub const NUMBER: Self = Self(1 << 3 | 1 << 2);
    /// A text.
    pub const STRING: Self = Self(1 << 4);
    /// An object.
    pub const OBJECT: Self = Self(1 << 5);
    /// An array.
    pub const ARRAY: Self = Self(1 << 6);
    /// Everything.
    pub const ANY: Self = Self((1 << 7) - 1);

    /// What a JSON Schema lets through, as far as its types tell; [`Types::ANY`] where it does not say.
    pub fn of_schema(schema: &Value) -> Self {
        let named = |name: &Value| {
            let name = name.as_str().unwrap_or_default();
            NAMES
                .iter()
                .find(|(known, _)| *known == name)
                .map_or(Self::ANY, |(_, types)| *types)
        };
        match schema.get("type") {
            Some(Value::Array(names)) => names.iter().map(named).fold(Self::NONE, Self::or),
            Some(name) => named(name),
            None => match schema.get("anyOf").or_else(|| schema.get("oneOf")) {
                Some(Value::Array(schemas)) => schemas.iter().map(Self::of_schema).fold(Self::NONE, Self::or),
                _ => Self::ANY,
            },
        }
    }

    /// The type of a value that is written as this JSON.
    pub fn of_json(json: &str) -> Self {
        match json.as_bytes().first() {
            Some(b'n') => Self::NULL,
            Some(b't' | b'f') => Self::BOOLEAN,
            Some(b'"') => Self::STRING,
            Some(b'{') => Self::OBJECT,
            Some(b'[') => Self::ARRAY,
            _ if json.contains(['.', 'e', 'E']) => {
                let whole = json.parse::<f64>().is_ok_and(|number| number.fract() == 0.0);
                if whole { Self::INTEGER } else { Self::NUMBER }
            }
            _ => Self::INTEGER,
        }
    }

    /// Both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are not in the other.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        let left = self.0 & !other.0;
        // What is left of a number when integers are taken away is still called a number.
        Self(if left & 1 << 3 == 0 { left } else { left | 1 << 2 })
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ANY {
            return f.write_str("anything");
        }
        let mut first = true;
        for (name, types) in NAMES {
            let all = self.0 & types.0 == types.0;
            let told_as_number = types == Self::INTEGER && self.0 & Self::NUMBER.0 == Self::NUMBER.0;
            if all && !told_as_number {
                f.write_str(if first { "" } else { " or " })?;
                f.write_str(name)?;
                first = false;
            }
        }
        if first { f.write_str("nothing") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_s_types_are_read_and_named() {
        let told = |schema: Value| Types::of_schema(&schema).to_string();
        assert_eq!(told(json!({"type": ["null", "string"]})), "null or string");
        assert_eq!(told(json!({"type": "number"})), "number");
        assert_eq!(
            told(json!({"anyOf": [{"type": "integer"}, {"type": "null"}]})),
            "null or integer"
        );
        assert_eq!(told(json!({})), "anything");
    }

    #[test]
    fn an_integer_is_a_number_and_not_the_reverse() {
        assert!(Types::of_json("12").without(Types::NUMBER).is_empty());
        assert!(Types::of_json("1.0").without(Types::INTEGER).is_empty());
        assert_eq!(
            Types::of_json("1.5").without(Types::INTEGER).to_string(),
            "number"
        );
        assert_eq!(Types::of_json("\"x\"").without(Types::INTEGER), Types::STRING);
    }
}
