//! What an export's query string may say. A word that is not known is refused: `changedafter` would otherwise give
//! everything to whoever meant a part.

use std::collections::HashMap;

/// The query string's parameters, each of which is one of `known` and there once.
pub(super) fn read(query: Option<&str>, known: &[&str]) -> Result<HashMap<String, String>, String> {
    let mut found = HashMap::new();
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        if !known.contains(&&*name) {
            return Err(match known {
                [] => format!("There is no parameter {name:.60?}: an export of this kind has none"),
                _ => format!(
                    "There is no parameter {name:.60?}; there are {}",
                    known.join(", ")
                ),
            });
        }
        if found.insert(name.to_string(), value.into_owned()).is_some() {
            return Err(format!("\"{name}\" is given twice"));
        }
    }
    Ok(found)
}

/// The one of these words that a parameter has; the first where it is not given.
pub(super) fn word<T: Copy>(
    parameters: &HashMap<String, String>,
    name: &str,
    words: &[(&str, T)],
) -> Result<T, String> {
    let Some(value) = parameters.get(name) else {
        return Ok(words[0].1);
    };
    let found = words.iter().find(|(word, _)| word == value);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        format!("\"{name}\" is {}", words.join(" or "))
    })
}
