//! How many values there are in JSON: once in its text, before anything is made of it, and once in variables.
//!
//! A body of two megabytes can hold a million numbers. Reading them makes a hundred megabytes of memory out of it, and
//! every later step walks them again.

use async_graphql::{Value, Variables};

use super::Refusal;

/// Of a whole JSON text. Settings bound the variables; this only keeps the reader itself from much work.
const MOST_IN_A_TEXT: usize = 20_000;

/// Whether the text has few enough values to be read. It need not be JSON.
pub(super) fn few_in_text(json: &[u8]) -> bool {
    let (mut values, mut in_string, mut at) = (0_usize, false, 0);
    while let Some(&byte) = json.get(at) {
        match byte {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => values += 1,
            _ => {}
        }
        if values > MOST_IN_A_TEXT {
            return false;
        }
        at += 1;
    }
    true
}

/// Lets the variables pass.
pub(super) fn check(variables: &Variables, most: usize, looked_at: &mut usize) -> Result<(), Refusal> {
    let mut seen = 0;
    let mut open: Vec<&Value> = variables.values().collect();
    while let Some(value) = open.pop() {
        seen += 1;
        *looked_at += 1;
        if seen > most {
            return Err(Refusal::too_complex(format!(
                "The variables have more than {most} values"
            )));
        }
        match value {
            Value::List(items) => open.extend(items),
            Value::Object(fields) => open.extend(fields.values()),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_strings_is_no_value() {
        let text = format!(r#"{{"a": "{}\"[[[["}}"#, ",".repeat(MOST_IN_A_TEXT + 1));
        assert!(few_in_text(text.as_bytes()));
        assert!(!few_in_text("1,".repeat(MOST_IN_A_TEXT + 1).as_bytes()));
        assert!(!few_in_text("[".repeat(MOST_IN_A_TEXT + 1).as_bytes()));
    }

    #[test]
    fn values_are_counted_however_they_are_nested() {
        let variables =
            Variables::from_json(serde_json::json!({ "a": [1, [2, 3]], "b": { "c": { "d": 4 } } }));
        let mut looked_at = 0;
        check(&variables, 8, &mut looked_at).unwrap();
        assert_eq!(looked_at, 8);
        assert!(check(&variables, 7, &mut looked_at).is_err());
    }
}
