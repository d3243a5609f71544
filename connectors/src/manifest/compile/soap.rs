//! The body of a `SoapRequester`.

use super::super::component::Component;
use super::super::components::{JsonTemplate, RequestBody, SoapOperation, SoapVersion, Text, UsernameToken};
use super::super::document::Kind;
use super::super::slot::Slot;
use super::values::json_template;
use crate::http::soap::{check_name, is_name};

/// Prefixes that the envelope declares itself.
const OURS: [&str; 2] = ["soapenv", "xsi"];

pub(super) fn soap(component: &Component<'_>) -> Option<RequestBody> {
    let version = component.or("soap_version", SoapVersion::V11, |slot| {
        slot.word(&[("1.1", SoapVersion::V11), ("1.2", SoapVersion::V12)])
    });
    let action = component.optional_text("action");
    let namespaces = component.or("namespaces", Vec::new(), namespaces);
    let known = |prefix: &str| {
        OURS.contains(&prefix)
            // Where the namespaces are faulty, a missing prefix is not another fault.
            || namespaces
                .as_ref()
                .is_none_or(|namespaces| namespaces.iter().any(|(own, _)| own == prefix))
    };
    let operation = component.required("operation").and_then(|slot| {
        let text = slot.text()?;
        named(&slot, &text, &known)?;
        Some(text)
    });
    let tree = |name: &str| {
        component.or(name, JsonTemplate::Object(Vec::new()), |slot| {
            if !matches!(slot.node.kind, Kind::Map(_)) {
                slot.fault(format!(
                    "{name} has to be a mapping of elements, not {}",
                    slot.node.describe()
                ));
                return None;
            }
            elements(slot, &known)?;
            json_template(slot)
        })
    };
    let body = tree("body");
    let header = tree("header");
    let security = component.optional("security", username_token);
    let lists = component.or("lists", Vec::new(), |slot| {
        slot.each(|slot| {
            let path = slot.literals()?;
            if path
                .first()
                .is_none_or(|first| first != "Body" && first != "Header")
                || path.len() < 2
            {
                slot.fault(
                    "a path in lists begins with Body, as a field_path does: [Body, ListResponse, item]",
                );
                return None;
            }
            Some(path)
        })
    });
    Some(RequestBody::Soap(Box::new(SoapOperation {
        version: version?,
        action: action?,
        operation: operation?,
        body: body?,
        header: header?,
        security: security?,
        lists: lists?,
        namespaces: namespaces?,
    })))
}

fn namespaces(slot: &Slot<'_>) -> Option<Vec<(String, Text)>> {
    let read: Vec<_> = slot
        .entries()?
        .iter()
        .map(|(prefix, key, value)| {
            if OURS.contains(&&**prefix) || prefix.to_ascii_lowercase().starts_with("xml") {
                key.fault(format!("the prefix {prefix} is taken; choose another"));
                return None;
            }
            if !is_name(prefix) {
                key.fault(format!(
                    "{prefix:?} is not a prefix; it has to be a name such as tns"
                ));
                return None;
            }
            Some((prefix.to_string(), value.text()?))
        })
        .collect();
    read.into_iter().collect()
}

/// Checks the names of a tree, as far as they are written out.
fn elements(slot: &Slot<'_>, known: &dyn Fn(&str) -> bool) -> Option<()> {
    match &slot.node.kind {
        Kind::Map(_) => {
            let mut good = Some(());
            for (name, key, value) in slot.entries()? {
                let plain = name.strip_prefix('@').unwrap_or(&name);
                if plain != "#text" && !plain.contains("{{") {
                    let checked = check_name(plain, known);
                    if let Err(reason) = checked {
                        key.fault(reason);
                        good = None;
                    }
                }
                if elements(&value, known).is_none() {
                    good = None;
                }
            }
            good
        }
        Kind::List(_) => slot.each(|item| elements(item, known)).map(drop),
        _ => Some(()),
    }
}

fn named(slot: &Slot<'_>, text: &Text, known: &dyn Fn(&str) -> bool) -> Option<()> {
    let Some(name) = text.constant() else {
        return Some(());
    };
    match check_name(name, known) {
        Ok(()) => Some(()),
        Err(reason) => {
            slot.fault(reason);
            None
        }
    }
}

fn username_token(slot: &Slot<'_>) -> Option<UsernameToken> {
    let component = slot.component(&["UsernameToken"])?;
    component.check_fields();
    let username = component.required("username").and_then(|slot| slot.text());
    let password = component.required("password").and_then(|slot| slot.text());
    let digest = component.or("password_type", false, |slot| {
        slot.word(&[("text", false), ("digest", true)])
    });
    Some(UsernameToken {
        username: username?,
        password: password?,
        digest: digest?,
    })
}
